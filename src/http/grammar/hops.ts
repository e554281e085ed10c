// The mark by which requests that go in circles are found out: each Turnout counts itself in
// `x-turnout-hops`. It is counted whatever else a request says, and written anew for the next hop.

import { HOPS_MAX } from '../../base/limits.ts';
import { NINE, ZERO } from './chars.ts';
import type { FieldLines } from './fields.ts';

/** The field for the next hop, by the number of those that a request has behind it. */
export const HOPS_FIELDS: readonly string[] = Array.from(
  { length: HOPS_MAX + 1 },
  (_, hops) => `x-turnout-hops: ${hops + 1}\r\n`,
);

/**
 * Returns how many hops line `i` says. Only a single digit is what a Turnout writes and passes on;
 * anything else counts as too many.
 */
export function hopsOf(lines: FieldLines, bytes: Uint8Array, i: number): number {
  const start = lines.valueStart(i);
  const digit = bytes[start]!;
  if (lines.valueEnd(i) - start !== 1 || digit < ZERO || digit > NINE) return HOPS_MAX;
  return digit - ZERO;
}
