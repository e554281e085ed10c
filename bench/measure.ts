// One sample: load on one running peer, with the CPU time that the peer used meanwhile.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuMicroseconds, rssBytes } from './harness/process-tree.ts';
import { preferredTool, runLoop, runSchedule, type LoadTool } from './load/load.ts';
import type { RunningPeer } from './peers/peers.ts';
import { answerBodyBytes, requestBytes, type Scenario } from './scenarios.ts';

/** One round of one peer at full speed. */
export interface Sample {
  readonly peer: string;
  readonly scenario: string;
  /** From 0. */
  readonly round: number;
  readonly requests: number;
  readonly seconds: number;
  readonly errors: number;
  /** Reason → count, where the load tells reasons apart. */
  readonly failures: Readonly<Record<string, number>>;
  readonly requestsPerSecond: number;
  readonly cpuMicrosPerRequest: number;
  /** CPU time over wall time of the peer; 1 is a whole core. */
  readonly utilization: number;
  readonly rssBytes: number;
}

/** One round of one peer at a fixed rate. */
export interface LatencySample {
  readonly peer: string;
  readonly round: number;
  readonly offeredPerSecond: number;
  readonly answeredPerSecond: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** By how much the load itself was late; the latencies can't be better known than this. */
  readonly lagP99Ms: number;
}

export interface MeasureOptions {
  /** Directory for request files. */
  readonly dir: string;
  readonly seconds: number;
  readonly round: number;
}

/** Loads `running` with `scenario` in a closed loop. */
export async function measureSpeed(
  running: RunningPeer,
  scenario: Scenario,
  options: MeasureOptions & { readonly tool?: LoadTool },
): Promise<Sample> {
  const order = {
    ...commonOrder(running, scenario, options),
    isKeptAlive: scenario.isKeptAlive,
    requestsMax: 0,
    answerBodyBytes: answerBodyBytes(scenario),
    tls: scenario.tls,
  };
  const cpuBefore = cpuMicroseconds(running.child.pid);
  const result = await runLoop(order, options.tool ?? preferredTool);
  const cpuMicros = cpuMicroseconds(running.child.pid) - cpuBefore;
  return {
    peer: running.peer.name,
    scenario: scenario.name,
    round: options.round,
    requests: result.requests,
    seconds: result.seconds,
    errors: result.errors,
    failures: result.failures,
    requestsPerSecond: result.requests / result.seconds,
    cpuMicrosPerRequest: cpuMicros / result.requests,
    utilization: cpuMicros / 1e6 / result.seconds,
    rssBytes: rssBytes(running.child.pid),
  };
}

/** Offers `ratePerSecond` requests of `scenario` to `running`, whatever it can bear. */
export async function measureLatency(
  running: RunningPeer,
  scenario: Scenario,
  options: MeasureOptions & { readonly ratePerSecond: number },
): Promise<LatencySample> {
  const { ratePerSecond } = options;
  const order = { ...commonOrder(running, scenario, options), ratePerSecond };
  const result = await runSchedule(order);
  return {
    peer: running.peer.name,
    round: options.round,
    offeredPerSecond: ratePerSecond,
    answeredPerSecond: result.requests / result.seconds,
    errors: result.errors + result.unsent,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    maxMs: result.maxMs,
    lagP99Ms: result.lagP99Ms,
  };
}

function commonOrder(running: RunningPeer, scenario: Scenario, options: MeasureOptions) {
  const requestFile = join(options.dir, `${scenario.name}.request`);
  writeFileSync(requestFile, requestBytes(scenario));
  const { connections } = scenario;
  return { port: running.port, requestFile, connections, seconds: options.seconds };
}
