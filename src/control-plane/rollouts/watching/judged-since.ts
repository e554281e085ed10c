// What was judged between two reads of the same counters. Workers count on while they are read: what does
// not fit together yet is carried over to the next read, and is never lost. Pure.

import type { Counts, SideCounts } from '../../guard/guard-types.ts';
import type { Judged } from '../../memory/judged.ts';

/** What lies between two reads. */
export interface JudgedSince {
  readonly counts: SideCounts;
  /** The later read without what is carried over: the next difference begins here. */
  readonly seen: Judged;
  /** Counters were lost: the difference is none. */
  readonly isLost: boolean;
}

/** Returns what was judged after `before`, by `after`, a later read of the same life. */
export function judgedSince(before: Judged, after: Judged): JudgedSince {
  const isLost = isLess(after.all, before.all) || isLess(after.split, before.split);
  if (isLost) {
    const counts = { all: less(before.all, after.all), split: less(before.split, after.split) };
    return { counts, seen: after, isLost };
  }
  const counts = { all: fitting(before.all, after.all), split: fitting(before.split, after.split) };
  const seen = {
    life: after.life,
    all: plus(before.all, counts.all),
    split: plus(before.split, counts.split),
  };
  return { counts, seen, isLost };
}

function isLess(one: Counts, other: Counts): boolean {
  return one.judged < other.judged || one.bad < other.bad;
}

/** Of a request that is read in the middle of being counted, only what is sure. */
function fitting(before: Counts, after: Counts): Counts {
  const { judged, bad, durations } = less(before, after);
  return {
    judged,
    bad: Math.min(bad, judged),
    durations: durations.map((count) => Math.max(0, count)),
  };
}

function less(before: Counts, after: Counts): Counts {
  return {
    judged: after.judged - before.judged,
    bad: after.bad - before.bad,
    durations: after.durations.map((count, at) => count - before.durations[at]!),
  };
}

function plus(one: Counts, other: Counts): Counts {
  return {
    judged: one.judged + other.judged,
    bad: one.bad + other.bad,
    durations: one.durations.map((count, at) => count + other.durations[at]!),
  };
}
