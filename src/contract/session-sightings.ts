// Which sessions were seen lately, estimated from bitmaps ("linear counting", Whang et al. 1990):
// a session sets the bit that its id hashes to, and the number of bits still empty tells how
// many there were. Whether there was any is exact; up to 100,000 sessions the standard
// error is below 1 %.
//
//   per block: when a session was last given, then BUCKETS slices of time, each a stamp and a bitmap
//     given    seconds since the epoch; 0: never
//     stamp    number of the slice of time + 1; 0: never written
//     bitmap   BITS bits
//
// A slice is written over when its place in the ring comes up again.

import { mixed } from '../base/hashes.ts';
import { BLOCKS_MAX } from './counters.ts';

/** Bits of one bitmap: 4 KiB. */
const BITS = 32_768;
const BITMAP_WORDS = BITS / 32;
const SLICE_WORDS = 1 + BITMAP_WORDS;
/** Slices that together cover the time in which a session counts. */
export const SLICES_PER_WINDOW = 6;
/** One more, because the oldest is always partly over. */
const BUCKETS = SLICES_PER_WINDOW + 1;
/** Words of a block before its slices. */
const GIVEN_WORDS = 1;
const BLOCK_WORDS = GIVEN_WORDS + BUCKETS * SLICE_WORDS;

/** Words of one worker. */
export const SIGHTING_WORDS = BLOCKS_MAX * BLOCK_WORDS;

/** Relative standard error that is promised up to `sessionsMax`. */
export const SIGHTING_ERROR = { share: 0.01, sessionsMax: 100_000 } as const;

/** Returns the part of `sightings` that worker `index` (from 0) writes. */
export function sightingsOf(sightings: Uint32Array, index: number): Uint32Array {
  return sightings.subarray(index * SIGHTING_WORDS, (index + 1) * SIGHTING_WORDS);
}

/** Marks the session with `idHash` (any 32 bits) as seen on `block` in slice `slice`. */
export function markSighting(
  part: Uint32Array,
  {
    block,
    slice,
    idHash,
  }: { readonly block: number; readonly slice: number; readonly idHash: number },
): void {
  const at = block * BLOCK_WORDS + GIVEN_WORDS + (slice % BUCKETS) * SLICE_WORDS;
  const stamp = (slice + 1) >>> 0;
  if (part[at] !== stamp) {
    part.fill(0, at + 1, at + SLICE_WORDS);
    part[at] = stamp;
  }
  const bit = mixed(idHash) % BITS;
  part[at + 1 + (bit >>> 5)]! |= 1 << (bit & 31);
}

/**
 * Returns about how many sessions were seen on `block` in the slices from `firstSlice` to
 * `lastSlice`, over the parts of all workers.
 */
export function countSightings(
  parts: readonly Uint32Array[],
  {
    block,
    firstSlice,
    lastSlice,
  }: { readonly block: number; readonly firstSlice: number; readonly lastSlice: number },
): number {
  const union = new Uint32Array(BITMAP_WORDS);
  for (const part of parts) {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const at = block * BLOCK_WORDS + GIVEN_WORDS + bucket * SLICE_WORDS;
      const slice = part[at]! - 1;
      if (slice < firstSlice || slice > lastSlice) continue;
      for (let word = 0; word < BITMAP_WORDS; word++) union[word]! |= part[at + 1 + word]!;
    }
  }
  return estimate(union);
}

/** Returns about how many have set the bits of `bitmap`. */
export function estimate(bitmap: Uint32Array): number {
  const bits = bitmap.length * 32;
  let empty = bits;
  for (const word of bitmap) empty -= bitCount(word);
  // All bits set: the estimate would be infinite; this is the most it can tell apart.
  return Math.round(-bits * Math.log(Math.max(empty, 1) / bits));
}

/** Notes that a session was given on `block`, at `nowS` since the epoch. It may never come back. */
export function markGiven(part: Uint32Array, block: number, nowS: number): void {
  part[block * BLOCK_WORDS] = nowS;
}

/** Returns when a session was last given on `block`, in seconds since the epoch; 0: never. */
export function lastGivenS(parts: readonly Uint32Array[], block: number): number {
  return Math.max(...parts.map((part) => part[block * BLOCK_WORDS]!));
}

/** Forgets every sighting on `block`; only while no worker writes there. */
export function clearSightings(part: Uint32Array, block: number): void {
  const first = block * BLOCK_WORDS;
  if (part[first] !== 0) part[first] = 0;
  const at = first + GIVEN_WORDS;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    // The stamp alone decides, so unused pages stay untouched.
    if (part[at + bucket * SLICE_WORDS] !== 0) part[at + bucket * SLICE_WORDS] = 0;
  }
}

function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
