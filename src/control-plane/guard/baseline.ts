// What was normal for a release before traffic moved: the last 20 minutes in windows of 10 s, and what
// is kept of them once it is frozen. A bursty past makes a wide bound. Pure; reads no counter, no clock.

import { DURATION_EDGES_MS } from '../../contract/counters.ts';
import {
  BASELINE_JUDGED_MIN,
  BASELINE_WINDOW_MS,
  BASELINE_WINDOWS,
} from '../base/control-limits.ts';
import type { Counts } from './guard-types.ts';
import type { Tally } from './likelihood.ts';

/** One-sided 10⁻⁴: the upper bound is too low in one of 10,000 rollouts. */
const BOUND_Z = 3.72;

/** The percentiles that are watched, by the share of requests that may be above; the strictest first. */
const PERCENTILES = [
  { name: 'p98', above: 0.02 },
  { name: 'p90', above: 0.1 },
  { name: 'p50', above: 0.5 },
] as const;

/** Below this, a release is fast enough: twice of almost nothing is no reason to go back. */
const EDGE_MS_MIN = 5;

/** A rate that was measured, and what it could be at the worst. */
export interface Level extends Tally {
  readonly rate: number;
  readonly upper: number;
}

/** An edge of DURATION_EDGES_MS that few requests were slower than. */
export interface EdgeLevel extends Level {
  /** Of the percentiles that this edge stands for, the strictest one. */
  readonly name: string;
  readonly edgeMs: number;
  /** Share of requests above the edge that is always tolerated. */
  readonly floor: number;
}

/** A baseline that changes no more: it is stored with the rollout. */
export interface FrozenBaseline {
  readonly errors: Level;
  /** Different ones, the fastest first. */
  readonly edges: readonly EdgeLevel[];
}

interface Window {
  elapsedMs: number;
  judged: number;
  bad: number;
  readonly durations: number[];
}

/** The last 20 minutes of one release. Holds 120 windows of 21 numbers at the most. */
export class Baseline {
  readonly #windows: Window[] = [];

  /** Adds what was counted since the look before. */
  add(elapsedMs: number, counts: Counts): void {
    let window = this.#windows.at(-1);
    if (window === undefined || window.elapsedMs >= BASELINE_WINDOW_MS) {
      window = { elapsedMs: 0, judged: 0, bad: 0, durations: counts.durations.map(() => 0) };
      this.#windows.push(window);
      if (this.#windows.length > BASELINE_WINDOWS) this.#windows.shift();
    }
    window.elapsedMs += elapsedMs;
    window.judged += counts.judged;
    window.bad += counts.bad;
    for (const [index, count] of counts.durations.entries()) window.durations[index]! += count;
  }

  /** Returns what is known now; undefined: too few requests to compare anything with. */
  freeze(): FrozenBaseline | undefined {
    const errors = levelOf(this.#windows);
    if (errors.judged < BASELINE_JUDGED_MIN) return undefined;
    return { errors, edges: this.#edges() };
  }

  #edges(): EdgeLevel[] {
    const durations = Array.from({ length: DURATION_EDGES_MS.length + 1 }, (_, bucket) =>
      this.#windows.reduce((sum, window) => sum + window.durations[bucket]!, 0),
    );
    const edges: EdgeLevel[] = [];
    for (const { name, above } of PERCENTILES) {
      const index = DURATION_EDGES_MS.findIndex((edgeMs, edge) => {
        const { judged, bad } = slowerThan(edge, durations);
        return edgeMs >= EDGE_MS_MIN && judged > 0 && bad <= above * judged;
      });
      const edgeMs = DURATION_EDGES_MS[index];
      if (edgeMs === undefined || edges.some((edge) => edge.edgeMs === edgeMs)) continue;
      const level = levelOf(this.#windows.map((window) => slowerThan(index, window.durations)));
      edges.unshift({ name, edgeMs, floor: above, ...level });
    }
    return edges;
  }
}

/** Returns how many requests took longer than edge `index` of DURATION_EDGES_MS, and of how many. */
export function slowerThan(index: number, durations: readonly number[]): Tally {
  let judged = 0;
  let bad = 0;
  for (const [bucket, count] of durations.entries()) {
    judged += count;
    if (bucket > index) bad += count;
  }
  return { judged, bad };
}

/**
 * Returns the rate of all windows together with its upper bound: Wilson's, widened by how much more the
 * windows differ than chance would let them (quasi-Poisson).
 */
export function levelOf(windows: readonly Tally[]): Level {
  const used = windows.filter(({ judged }) => judged > 0);
  const judged = used.reduce((sum, window) => sum + window.judged, 0);
  const bad = used.reduce((sum, window) => sum + window.bad, 0);
  if (judged === 0) return { judged, bad, rate: 0, upper: 1 };
  const rate = bad / judged;
  const excess = used.reduce((sum, window) => {
    const expected = window.judged * rate;
    return expected === 0 ? sum : sum + (window.bad - expected) ** 2 / expected;
  }, 0);
  const spread = used.length > 1 ? Math.max(1, excess / (used.length - 1)) : 1;
  const z = BOUND_Z * Math.sqrt(spread);
  const half = (z * z) / (2 * judged);
  const root = z * Math.sqrt((rate * (1 - rate)) / judged + (z * z) / (4 * judged * judged));
  return { judged, bad, rate, upper: (rate + half + root) / (1 + (z * z) / judged) };
}
