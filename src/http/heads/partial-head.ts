// The head of a message that comes in pieces, and what came behind it: kept until the head is
// whole, each byte looked at once.

import { Accumulator } from './accumulator.ts';
import { FAULT, INCOMPLETE } from '../grammar/faults.ts';
import { findHeadEnd, findLooseHeadEnd } from '../grammar/fields.ts';

export class PartialHead {
  readonly #bytes: Accumulator;
  readonly #bytesMax: number;
  readonly #isLoose: boolean;
  /** Where the search for the end of the head goes on. */
  #scanned = 0;

  /**
   * Begins with `own`, bytes that nothing else will change. `isLoose`: lines may end in a line feed
   * alone, which is for the reader of the head to judge.
   */
  constructor(bytesMax: number, own?: Buffer, isLoose = false) {
    this.#bytes = new Accumulator(own);
    this.#bytesMax = bytesMax;
    this.#isLoose = isLoose;
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
    const find = this.#isLoose ? findLooseHeadEnd : findHeadEnd;
    const found = find(this.bytes, this.#scanned, this.length);
    this.#scanned = this.length;
    if (found !== INCOMPLETE) return found;
    return this.length > this.#bytesMax ? FAULT.HEAD_BYTES : INCOMPLETE;
  }
}
