// Which clients were answered within the last one or two minutes, and which of them badly: bitmaps in
// which the hash of an address sets a bit, as in session-sightings.ts. Few clients are told apart well,
// and that is what is asked: was it one client alone that got the errors?
//
//   per block: SLICES slices of SLICE_S seconds, each
//     stamp    number of the slice + 1; 0: never written
//     seen     BITS bits
//     bad      BITS bits

import { mixed } from '../base/hashes.ts';
import { BLOCKS_MAX } from './counters.ts';
import { estimate } from './session-sightings.ts';

const BITS = 1_024;
const MAP_WORDS = BITS / 32;
const SLICES = 2;
const SLICE_S = 60;
const SLICE_WORDS = 1 + 2 * MAP_WORDS;
const BLOCK_WORDS = SLICES * SLICE_WORDS;

/** Words of one worker. */
export const CLIENT_WORDS = BLOCKS_MAX * BLOCK_WORDS;

/** Returns the part of `clients` that worker `index` (from 0) writes. */
export function clientsOf(clients: Uint32Array, index: number): Uint32Array {
  return clients.subarray(index * CLIENT_WORDS, (index + 1) * CLIENT_WORDS);
}

/** Marks the client whose address has `hash` as answered by `block` at `nowS` since the epoch. */
export function markClient(
  part: Uint32Array,
  {
    block,
    nowS,
    hash,
    isBad,
  }: {
    readonly block: number;
    readonly nowS: number;
    readonly hash: number;
    readonly isBad: boolean;
  },
): void {
  const slice = Math.floor(nowS / SLICE_S);
  const at = block * BLOCK_WORDS + (slice % SLICES) * SLICE_WORDS;
  const stamp = (slice + 1) >>> 0;
  if (part[at] !== stamp) {
    part.fill(0, at + 1, at + SLICE_WORDS);
    part[at] = stamp;
  }
  const bit = mixed(hash) % BITS;
  const word = at + 1 + (bit >>> 5);
  part[word]! |= 1 << (bit & 31);
  if (isBad) part[word + MAP_WORDS]! |= 1 << (bit & 31);
}

/** About how many clients there were, and how many of them got a bad answer at least once. */
export interface ClientCounts {
  readonly seen: number;
  readonly bad: number;
}

/** Returns the clients of `block` of this slice and the one before, over the parts of all workers. */
export function countClients(
  parts: readonly Uint32Array[],
  block: number,
  nowS: number,
): ClientCounts {
  const union = new Uint32Array(2 * MAP_WORDS);
  const latest = (Math.floor(nowS / SLICE_S) + 1) >>> 0;
  for (const part of parts) {
    for (let index = 0; index < SLICES; index++) {
      const at = block * BLOCK_WORDS + index * SLICE_WORDS;
      const stamp = part[at]!;
      if (stamp !== latest && stamp !== latest - 1) continue;
      for (let word = 0; word < union.length; word++) union[word]! |= part[at + 1 + word]!;
    }
  }
  return {
    seen: estimate(union.subarray(0, MAP_WORDS)),
    bad: estimate(union.subarray(MAP_WORDS)),
  };
}

/** Forgets every client of `block`; only while no worker writes there. */
export function clearClients(part: Uint32Array, block: number): void {
  const first = block * BLOCK_WORDS;
  for (let index = 0; index < SLICES; index++) {
    // The stamp alone decides, so unused pages stay untouched.
    const at = first + index * SLICE_WORDS;
    if (part[at] !== 0) part[at] = 0;
  }
}
