// Looks that follow each other too closely, as one: counts add up, whatever they are.

import type { Counts, Look, SideCounts } from './guard-types.ts';

/** Counts that do not make a tick yet. */
export type Pending = Pick<Look, 'elapsedMs' | 'old' | 'new'>;

/** Returns what was seen in two looks, one after the other. */
export function addedLook(pending: Pending, look: Pending): Pending {
  return {
    elapsedMs: pending.elapsedMs + look.elapsedMs,
    old: addedSides(pending.old, look.old),
    new: addedSides(pending.new, look.new),
  };
}

function addedSides(one: SideCounts, other: SideCounts): SideCounts {
  return { all: addedCounts(one.all, other.all), split: addedCounts(one.split, other.split) };
}

function addedCounts(one: Counts, other: Counts): Counts {
  return {
    judged: one.judged + other.judged,
    bad: one.bad + other.bad,
    durations: one.durations.map((count, index) => count + other.durations[index]!),
  };
}
