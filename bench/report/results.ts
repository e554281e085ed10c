// The shape of a result file, and what can be concluded from its samples. Pure.

import type { Machine } from '../harness/machine.ts';
import { median, range } from '../harness/statistics.ts';
import type { IdleSample, StartSample } from '../idle.ts';
import type { LatencySample, Sample } from '../measure.ts';
import type { SwitchResult } from '../switching/result.ts';

/** Everything that one run measured; written as JSON and never edited. */
export interface Results {
  readonly startedAt: string;
  readonly machine: Machine;
  readonly origin: string;
  readonly seed: number;
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly peers: readonly { readonly name: string; readonly version: string }[];
  /** What was left out or failed, one sentence each. */
  readonly notes: readonly string[];
  readonly speed: readonly Sample[];
  readonly latency: readonly LatencySample[];
  readonly idle: readonly IdleSample[];
  readonly start: readonly StartSample[];
  readonly switching: readonly SwitchResult[];
  /** `peer` is a kind of affinity.ts; missing in runs from before there were sessions. */
  readonly affinity?: readonly Sample[];
}

/** The peer that every ratio is against. */
export const YARDSTICK = 'nginx';

/** Rounds of one peer in one row of the table. */
export interface Summary {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** Median of the ratios to the yardstick within the same round; NaN without it. */
  readonly ratio: number;
}

interface RoundValue {
  readonly peer: string;
  readonly round: number;
  readonly value: number;
}

/** Sums up `peer` in `rows`; undefined when it has none. */
export function summarize(
  rows: readonly RoundValue[],
  peer: string,
  against: string = YARDSTICK,
): Summary | undefined {
  const own = rows.filter((row) => row.peer === peer);
  if (own.length === 0) return undefined;
  const values = own.map((row) => row.value);
  const ratios = own.flatMap((row) => {
    const other = rows.find((one) => one.peer === against && one.round === row.round);
    return other === undefined ? [] : [row.value / other.value];
  });
  return { median: median(values), ...range(values), ratio: median(ratios) };
}

/** CPU microseconds per request of one scenario, by peer and round. */
export function cpuRows(results: Results, scenario: string): RoundValue[] {
  return results.speed
    .filter((sample) => sample.scenario === scenario)
    .map(({ peer, round, cpuMicrosPerRequest }) => ({ peer, round, value: cpuMicrosPerRequest }));
}

/** CPU microseconds per request with each kind of session, by kind and round. */
export function affinityRows({ affinity = [] }: Results): RoundValue[] {
  return affinity.map(({ peer, round, cpuMicrosPerRequest }) => {
    return { peer, round, value: cpuMicrosPerRequest };
  });
}

/** Answers per second of one scenario, by peer and round. */
export function throughputRows(results: Results, scenario: string): RoundValue[] {
  return results.speed
    .filter((sample) => sample.scenario === scenario)
    .map(({ peer, round, requestsPerSecond }) => ({ peer, round, value: requestsPerSecond }));
}

/**
 * A generator that was kept from its core measures its own waiting. On a quiet machine its
 * p99 is below a millisecond.
 */
export const LAG_MS_MAX = 3;

/** A latency in milliseconds, by peer and round; rounds in which the load was late are left out. */
export function latencyRows(results: Results, field: 'p50Ms' | 'p99Ms'): RoundValue[] {
  return results.latency
    .filter((sample) => sample.lagP99Ms <= LAG_MS_MAX)
    .map((sample) => ({ peer: sample.peer, round: sample.round, value: sample[field] }));
}
