// The head of an answer that comes in pieces: kept until it is whole, each byte looked at once.

import { Accumulator } from '../../http/accumulator.ts';
import { FAULT, INCOMPLETE } from '../../http/faults.ts';
import { findHeadEnd } from '../../http/fields.ts';

export class PartialHead {
  readonly #bytes = new Accumulator();
  readonly #bytesMax: number;
  #scanned = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): Buffer {
    return this.#bytes.bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Adds a piece. Returns an offset above 0 when a head is whole, INCOMPLETE, or a FAULT. */
  append(bytes: Buffer, start: number, end: number): number {
    this.#bytes.append(bytes, start, end);
    const found = findHeadEnd(this.bytes, this.#scanned, this.length);
    this.#scanned = this.length;
    if (found !== INCOMPLETE) return found;
    return this.length > this.#bytesMax ? FAULT.HEAD_BYTES : INCOMPLETE;
  }
}
