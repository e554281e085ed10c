// The head of a message that comes in pieces, and what came behind it: kept until the head is
// whole, each byte looked at once.

import { Accumulator } from './accumulator.ts';
import { FAULT, INCOMPLETE } from './faults.ts';
import { findHeadEnd } from './fields.ts';

export class PartialHead {
  readonly #bytes: Accumulator;
  readonly #bytesMax: number;
  /** Where the search for the end of the head goes on. */
  #scanned = 0;

  /** Begins with `own`, bytes that nothing else will change. */
  constructor(bytesMax: number, own?: Buffer) {
    this.#bytes = new Accumulator(own);
    this.#bytesMax = bytesMax;
  }

  get bytes(): Buffer {
    return this.#bytes.bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  append(bytes: Buffer, start: number, end: number): void {
    this.#bytes.append(bytes, start, end);
  }

  /** Returns an offset above 0 when a head is whole, INCOMPLETE, or a FAULT. */
  find(): number {
    const found = findHeadEnd(this.bytes, this.#scanned, this.length);
    this.#scanned = this.length;
    if (found !== INCOMPLETE) return found;
    return this.length > this.#bytesMax ? FAULT.HEAD_BYTES : INCOMPLETE;
  }
}
