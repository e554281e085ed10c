// Whether a look may be believed. Counters are read while workers write them, and begin anew with a
// process: a look that can't be true is no evidence, and must never become a number in a bet.

import { DURATION_EDGES_MS } from '../../contract/counters.ts';
import { SHARE_MAX } from '../../contract/split-share.ts';
import { spanText } from '../../base/span-text.ts';
import { RECENT_GAP_MAX_MS } from '../base/control-limits.ts';
import type { Counts, Look } from './guard-types.ts';

const BUCKETS = DURATION_EDGES_MS.length + 1;

/** Returns why `look` is not to be believed; undefined: it may be true. */
export function lookFault(look: Look): string | undefined {
  const { elapsedMs, share, clients } = look;
  if (!(elapsedMs >= 0)) return 'the clock went back';
  if (elapsedMs > RECENT_GAP_MAX_MS) return `no look for ${spanText(elapsedMs)}`;
  const mayAllBeTrue =
    mayBeTrue(look.old.all) &&
    mayBeTrue(look.old.split) &&
    mayBeTrue(look.new.all) &&
    mayBeTrue(look.new.split) &&
    share >= 0 &&
    share <= SHARE_MAX &&
    isCount(clients.seen) &&
    isCount(clients.bad);
  return mayAllBeTrue ? undefined : 'the counters can not be true';
}

function mayBeTrue({ judged, bad, durations }: Counts): boolean {
  if (!isCount(judged) || !isCount(bad) || bad > judged) return false;
  if (durations.length !== BUCKETS) return false;
  for (const count of durations) if (!isCount(count)) return false;
  return true;
}

/** Below 2^53 a float counts exactly, and sums of many stay finite. */
function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
