// Runs one load against one port and returns what came of it. A closed loop, in which
// each connection sends as soon as it has its answer, comes from wrk where it is installed
// and else from autocannon; a fixed rate comes from schedule.ts.

import { join } from 'node:path';
import { hasCommand, runToEnd, type ChildOptions } from '../harness/child.ts';
import { LOOPBACK } from '../harness/ports.ts';
import type { Scenario } from '../scenarios.ts';

interface Order {
  readonly port: number;
  /** File with the bytes of one whole request. */
  readonly requestFile: string;
  readonly connections: number;
}

/** As many requests as the connections can carry. */
export interface LoopOrder extends Order {
  /** False: a new connection for each request. */
  readonly isKeptAlive: boolean;
  /** Length of the run; 0: until `requestsMax`. */
  readonly seconds: number;
  /** Answers after which the run ends; 0: no end but `seconds`. */
  readonly requestsMax: number;
  /** Length of the expected answer body, which is `bodyOf(it)`; −1: any body will do. */
  readonly answerBodyBytes: number;
  /** Undefined: in the clear. `resumed` is for loads with a new connection for each request. */
  readonly tls: Scenario['tls'];
}

/** Requests at a fixed rate, whether or not the answers keep up. */
export interface ScheduleOrder extends Order {
  readonly seconds: number;
  readonly ratePerSecond: number;
}

export interface LoopResult {
  /** Complete answers with status 200. */
  readonly requests: number;
  readonly seconds: number;
  readonly errors: number;
  /** Reason → count, where the tool tells reasons apart. */
  readonly failures: Readonly<Record<string, number>>;
}

export interface ScheduleResult extends LoopResult {
  /** Requests that never found a free connection. */
  readonly unsent: number;
  /** From the moment at which a request was due. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** By how much the load itself was late: its share of the latencies above. */
  readonly lagP99Ms: number;
}

export type LoadTool = 'wrk' | 'autocannon';

/** wrk takes less of the core that it shares with the origin. */
export const preferredTool: LoadTool = hasCommand('wrk') ? 'wrk' : 'autocannon';

/** A run that ends by a count of requests takes long on a busy machine. */
const END_PATIENCE_MS = 60_000;

/** Runs a closed loop to its end. wrk can't count requests, so `requestsMax` needs autocannon. */
export async function runLoop(order: LoopOrder, tool: LoadTool): Promise<LoopResult> {
  const command = loopCommand(order, tool);
  // Printed by wrk.lua and autocannon.ts.
  const said = (await resultOf(command, order)) as Omit<LoopResult, 'failures'>;
  return { failures: {}, ...said };
}

/** Offers requests at a fixed rate. */
export async function runSchedule(order: ScheduleOrder): Promise<ScheduleResult> {
  // It polls without a pause; the origin beside it must not wait for that.
  const options = { isBackground: true };
  // Printed by schedule.ts.
  return (await resultOf(ownCommand('schedule.ts', order), order, options)) as ScheduleResult;
}

async function resultOf(
  command: readonly string[],
  order: { readonly seconds: number },
  options: Partial<ChildOptions> = {},
): Promise<unknown> {
  const withinMs = order.seconds * 1_000 + END_PATIENCE_MS;
  const output = await runToEnd(command, { place: 'load', ...options, withinMs });
  const line = /^RESULT (.*)$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`expected a RESULT line, got ${output.slice(0, 500)}`);
  // JSON has no NaN: a percentile of nothing comes as null.
  return JSON.parse(line, (_, value: unknown) => value ?? Number.NaN);
}

function loopCommand(order: LoopOrder, tool: LoadTool): string[] {
  if (order.tls !== undefined && !order.isKeptAlive) return ownCommand('handshakes.ts', order);
  const isByWrk = tool === 'wrk' && order.requestsMax === 0;
  return isByWrk ? wrkCommand(order) : ownCommand('autocannon.ts', order);
}

/** Returns the address of the peer. */
export function urlOf({ tls, port }: LoopOrder): string {
  return `${tls === undefined ? 'http' : 'https'}://${LOOPBACK}:${port}`;
}

function wrkCommand(order: LoopOrder): string[] {
  const script = join(import.meta.dirname, 'wrk.lua');
  return [
    'wrk',
    '-t',
    '1',
    '-c',
    String(order.connections),
    '-d',
    `${order.seconds}s`,
    '-s',
    script,
    `${urlOf(order)}/`,
    '--',
    order.requestFile,
  ];
}

function ownCommand(script: string, order: Order): string[] {
  return [process.execPath, join(import.meta.dirname, script), JSON.stringify(order)];
}
