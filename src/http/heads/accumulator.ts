// Bytes that come in pieces, kept together until they can be read as a whole.

const FIRST_BYTES = 512;

/** A buffer that grows by doubling; the owner bounds what it appends. */
export class Accumulator {
  /** Valid up to `length`. */
  bytes: Buffer;
  length: number;

  /** Begins with `bytes`, which nothing else may change from now on. */
  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.bytes = bytes;
    this.length = bytes.length;
  }

  append(source: Uint8Array, start: number, end: number): void {
    const needed = this.length + end - start;
    if (needed > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(FIRST_BYTES, this.bytes.length * 2, needed));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(source.subarray(start, end), this.length);
    this.length = needed;
  }
}
