// What became of the copies of requests that one deployment got, summed over all workers.

import { BLOCK } from '../../contract/counters.ts';
import { SHADOW_RESULTS, type ShadowResult } from '../../contract/shadow-rules.ts';
import type { Totals } from './totals.ts';

export interface ShadowCounts extends Readonly<Record<ShadowResult, number>> {
  /** Changes when the counts begin anew. */
  readonly life: number;
  /** Milliseconds to the heads of compared responses, of clients and of copies, added up. */
  readonly liveMs: number;
  readonly copiedMs: number;
}

/** Returns what `block` has counted. */
export function shadowCounts(
  totals: Pick<Totals, 'blockSlot' | 'lifeOf'>,
  block: number,
): ShadowCounts {
  const count = (result: ShadowResult): number =>
    totals.blockSlot(block, BLOCK.shadow + SHADOW_RESULTS.indexOf(result));
  const timesAt = BLOCK.shadow + SHADOW_RESULTS.length;
  return {
    life: totals.lifeOf(block),
    sent: count('sent'),
    same: count('same'),
    differed: count('differed'),
    failed: count('failed'),
    unpaired: count('unpaired'),
    dropped: count('dropped'),
    liveMs: totals.blockSlot(block, timesAt),
    copiedMs: totals.blockSlot(block, timesAt + 1),
  };
}
