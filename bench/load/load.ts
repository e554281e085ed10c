// Runs one load against one port and returns what came of it: by wrk where it is
// installed and fits, else by the generator on raw sockets.

import { join } from 'node:path';
import { hasCommand, runToEnd } from '../harness/child.ts';
import { LOOPBACK } from '../harness/ports.ts';

export interface LoadOrder {
  readonly port: number;
  /** File with the bytes of one whole request. */
  readonly requestFile: string;
  readonly connections: number;
  readonly isKeptAlive: boolean;
  /** Length of the run; 0: until `requestsMax`. */
  readonly seconds: number;
  /** Answers after which the run ends; 0: no end but `seconds`. */
  readonly requestsMax: number;
  /** Offered rate; 0: closed loop, each connection sends when it has its answer. */
  readonly ratePerSecond: number;
}

export interface LoadResult {
  /** Complete answers with status 200. */
  readonly requests: number;
  readonly seconds: number;
  readonly bytes: number;
  readonly errors: number;
  /** Reason → count. */
  readonly failures: Readonly<Record<string, number>>;
  /** Requests of a fixed rate that never found a free connection. */
  readonly unsent: number;
  /** From the intended moment of sending; NaN in a closed loop. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** By how much the generator itself was late: its share of the latencies above. */
  readonly lagP99Ms: number;
}

export type LoadTool = 'wrk' | 'generate';

/** The cheapest tool that is here: what it does not use, the origin has. */
export const preferredTool: LoadTool = hasCommand('wrk') ? 'wrk' : 'generate';

const END_PATIENCE_MS = 15_000;

/** Runs `order` to its end. A fixed rate or a count of requests always uses `generate`. */
export async function runLoad(order: LoadOrder, tool: LoadTool): Promise<LoadResult> {
  const isPlain = order.ratePerSecond === 0 && order.requestsMax === 0;
  const command = tool === 'wrk' && isPlain ? wrkCommand(order) : generateCommand(order);
  const withinMs = order.seconds * 1_000 + END_PATIENCE_MS;
  // A fixed rate polls without a pause; the origin beside it must not wait for that.
  const isBackground = order.ratePerSecond > 0;
  const output = await runToEnd(command, { place: 'load', withinMs, isBackground });
  const line = /^RESULT (.*)$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`expected a RESULT line, got ${output.slice(0, 500)}`);
  // Both tools are ours.
  const said = JSON.parse(line) as Partial<LoadResult>;
  const nothing = {
    failures: {},
    unsent: 0,
    p50Ms: Number.NaN,
    p99Ms: Number.NaN,
    maxMs: Number.NaN,
    lagP99Ms: Number.NaN,
  };
  return { ...nothing, requests: 0, seconds: 0, bytes: 0, errors: 0, ...said };
}

function wrkCommand(order: LoadOrder): string[] {
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
    `http://${LOOPBACK}:${order.port}/`,
    '--',
    order.requestFile,
  ];
}

function generateCommand(order: LoadOrder): string[] {
  const script = join(import.meta.dirname, 'generate.ts');
  return [process.execPath, script, JSON.stringify(order)];
}
