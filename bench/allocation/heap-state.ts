// What the process of a data plane says about its memory.

export interface HeapState {
  /** JavaScript objects, garbage included until it is collected. */
  readonly heapBytes: number;
  /** Memory that JavaScript objects hold outside of the heap: buffers. */
  readonly externalBytes: number;
  /** Garbage collections since the start, of every kind. */
  readonly collections: number;
}
