// Spreads the bits of a number, so that any few of them are as good as drawn by chance.

/** Returns 32 bits that all depend on all bits of `hash` (finalizer of MurmurHash3, public domain). */
export function mixed(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
