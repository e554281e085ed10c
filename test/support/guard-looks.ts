// Looks, settings and baselines for tests of the guard: what differs is said, the rest is as shipped.

import { DURATION_EDGES_MS } from '../../src/contract/counters.ts';
import { Baseline, type FrozenBaseline } from '../../src/control-plane/guard/baseline.ts';
import type {
  Counts,
  GuardPlan,
  GuardSettings,
  Look,
} from '../../src/control-plane/guard/guard-types.ts';

export const SETTINGS: GuardSettings = {
  patience: 'normal',
  alpha: 0.001,
  clients: 3,
  errors: { ratio: 2, floor: 0.01, limit: 0.05 },
  latency: { mode: 'off', ratio: 2, graceMs: 30_000, p99Ms: 0 },
};

export const WITH_LATENCY: GuardSettings = {
  ...SETTINGS,
  latency: { ...SETTINGS.latency, mode: 'compare' },
};

const BUCKETS = DURATION_EDGES_MS.length + 1;

/** Returns counts with all durations in one bucket, or spread as given: `[bucket, count]`. */
export function counts(
  judged: number,
  bad: number,
  durations: readonly (readonly [bucket: number, count: number])[] = [],
): Counts {
  const buckets = Array.from({ length: BUCKETS }, () => 0);
  for (const [bucket, count] of durations) buckets[bucket]! += count;
  return { judged, bad, durations: buckets };
}

export const NO_COUNTS: Counts = counts(0, 0);

/** Returns a look of one second. `old` and `new` are what the split placed, and all there is. */
export function look(
  change: Partial<Omit<Look, 'old' | 'new'>> & { old: Counts; new: Counts },
): Look {
  return {
    elapsedMs: 1_000,
    share: 5_000,
    clients: { seen: 100, bad: 50 },
    isPaused: false,
    ...change,
    old: { all: change.old, split: change.old },
    new: { all: change.new, split: change.new },
  };
}

/** Returns ten minutes that were the same in each second. */
export function steadyBaseline(second: Counts): FrozenBaseline | undefined {
  const baseline = new Baseline();
  for (let index = 0; index < 600; index++) baseline.add(1_000, second);
  return baseline.freeze();
}

export function plan(change: Partial<GuardPlan> = {}): GuardPlan {
  return {
    settings: SETTINGS,
    names: { old: 'v41', new: 'v42' },
    baseline: steadyBaseline(counts(100, 0)),
    shiftMs: undefined,
    bakeMs: 300_000,
    ...change,
  };
}
