// How much of what begins goes to the canary at a moment: the share of a split, which may be on its
// way from one value to another. Pure; both planes reckon with it.

import type { Ramp, Split } from './table.ts';

/** What shares are counted of: 10,000 is all. */
export const SHARE_MAX = 10_000;

/** Returns the share at `nowMs` since the epoch, of SHARE_MAX; on a ramp it need not be whole. */
export function shareAt({ share, ramp }: Pick<Split, 'share' | 'ramp'>, nowMs: number): number {
  return ramp === undefined ? share : share + (ramp.from - share) * remaining(ramp, nowMs);
}

/** Returns which part of the ramp is still ahead: 1 before it begins, 0 once it has ended. */
function remaining({ startsAtMs, endsAtMs }: Ramp, nowMs: number): number {
  if (nowMs >= endsAtMs) return 0;
  return nowMs <= startsAtMs ? 1 : (endsAtMs - nowMs) / (endsAtMs - startsAtMs);
}
