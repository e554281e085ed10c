// Bytes of a client that can't be used yet: a request head that comes in pieces, or pipelined
// requests that wait for their turn.

import { Accumulator } from '../../http/accumulator.ts';
import { CR, LF } from '../../http/chars.ts';
import { FAULT, INCOMPLETE } from '../../http/faults.ts';
import { findHeadEnd } from '../../http/fields.ts';
import type { RequestHead } from '../../http/request-head.ts';

export class KeptBytes {
  readonly #bytes: Accumulator;
  /** Where the search for the end of the head goes on. */
  #scanned = 0;

  /** `isOurs`: nobody else will change `bytes`, so they need no copy. */
  constructor(bytes: Buffer, start: number, end: number, isOurs: boolean) {
    if (isOurs) {
      this.#bytes = new Accumulator(bytes.subarray(start, end));
    } else {
      this.#bytes = new Accumulator();
      this.#bytes.append(bytes, start, end);
    }
  }

  get bytes(): Buffer {
    return this.#bytes.bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Old clients send a line end after a body; it is no request (RFC 9112 §2.2). */
  get isEmptyLine(): boolean {
    return this.length === 2 && this.bytes[0] === CR && this.bytes[1] === LF;
  }

  append(bytes: Buffer, start: number, end: number): void {
    this.#bytes.append(bytes, start, end);
  }

  /**
   * Looks for a whole head. Returns an offset above 0 when there is one, INCOMPLETE, or the FAULT
   * of bytes that can't become one any more.
   */
  findHead(parser: RequestHead): number {
    const found = findHeadEnd(this.bytes, this.#scanned, this.length);
    if (found !== INCOMPLETE) return found;
    this.#scanned = this.length;
    if (this.length <= parser.limits.headBytesMax) return INCOMPLETE;
    const fault = parser.parse(this.bytes, 0, this.length);
    return fault < 0 ? fault : FAULT.HEAD_BYTES;
  }
}
