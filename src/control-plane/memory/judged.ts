// What counts for or against a release, summed over the workers: since its block has its owner. A
// look is the difference of two.

import { BLOCK, DURATION_EDGES_MS } from '../../contract/counters.ts';
import type { Totals } from './totals.ts';

/** Requests that were judged. */
interface JudgedCounts {
  readonly judged: number;
  readonly bad: number;
  /** By duration: one number for each of DURATION_EDGES_MS, and one for the rest. */
  readonly durations: readonly number[];
}

/** One release. */
export interface Judged {
  /** Changes when the block gets another owner: what was counted before is none of this one. */
  readonly life: number;
  readonly all: JudgedCounts;
  /** What a rollout has placed, on either color. */
  readonly split: JudgedCounts;
}

type Counters = Pick<Totals, 'blockSlot' | 'lifeOf'>;

/** Returns what was judged of the deployment that counts in `block`. */
export function judgedOf(totals: Counters, block: number): Judged {
  const at = (slot: number): number => totals.blockSlot(block, slot);
  const buckets = (first: number): number[] =>
    Array.from({ length: DURATION_EDGES_MS.length + 1 }, (_, index) => at(first + index));
  const unjudged = buckets(BLOCK.durationUnjudged);
  const durations = buckets(BLOCK.duration).map((count, index) => count - unjudged[index]!);
  // Workers count on meanwhile: what is bad is read first, so it never outnumbers what was judged.
  const bad = at(BLOCK.judgedBad);
  const badSplit = at(BLOCK.judgedBadSplit);
  return {
    life: totals.lifeOf(block),
    all: { judged: at(BLOCK.judged), bad, durations },
    split: {
      judged: at(BLOCK.judgedSplit),
      bad: badSplit,
      durations: buckets(BLOCK.durationSplit),
    },
  };
}
