// Pure: is a request that a hold waits for kept running by its client, and would it end in time?

import type { Progress } from '../base/progress.ts';

/**
 * Where the length of a message is not known, a client this slow counts as one that stands still: a
 * bad mobile network does better, and nothing that a person waits for is sent so slowly.
 */
export const SLOWEST_BYTES_PER_SECOND = 1_024;

/**
 * Tells whether a client that has moved `movedBytes` in `elapsedMs` is too slow to be waited for
 * `restMs` more. Where the length is known, the question is whether it would end in time at its
 * present rate: a byte a second does not, a large upload at full speed may not either, and the last
 * ten bytes of a slow one do. A request that waits for its target is never too slow.
 */
export function isTooSlow(
  { waitsFor, leftBytes }: Progress,
  { movedBytes, elapsedMs, restMs }: { movedBytes: number; elapsedMs: number; restMs: number },
): boolean {
  if (waitsFor === 'target') return false;
  const bytesPerMs = movedBytes / Math.max(1, elapsedMs);
  if (leftBytes === undefined) return bytesPerMs * 1_000 < SLOWEST_BYTES_PER_SECOND;
  return leftBytes > bytesPerMs * restMs;
}
