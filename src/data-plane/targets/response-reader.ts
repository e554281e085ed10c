// Response heads out of what one target sends, in any pieces: finds each, hands it on, and bounds
// what comes before the final one. Knows no socket.

import { INFORMATIONAL_MAX } from '../../base/limits.ts';
import { INCOMPLETE, faultRow } from '../../http/faults.ts';
import { PartialHead } from '../../http/partial-head.ts';
import type { ResponseHead } from '../../http/response-head.ts';

export interface ResponseReaderOwner {
  /** The request was a HEAD: its response has no body. */
  readonly isHeadRequest: boolean;
  onInformational(head: ResponseHead): void;
  /**
   * The final head, or a 101, is there; `bytes[next, end)` follow it. Returns, as does the next
   * one, whether more shall be read.
   */
  onFinalHead(head: ResponseHead, bytes: Buffer, next: number, end: number): boolean;
  /** The target breaks the rules of HTTP; `detail` says how. */
  onResponseFault(detail: string): boolean;
}

export class ResponseReader {
  readonly #owner: ResponseReaderOwner;
  #informationalCount = 0;
  #partial: PartialHead | undefined = undefined;

  constructor(owner: ResponseReaderOwner) {
    this.#owner = owner;
  }

  /** Another response begins. */
  begin(): void {
    this.#informationalCount = 0;
    this.#partial = undefined;
  }

  /** Reads heads from `bytes[start, end)` by `head`, the parser; returns what the owner says. */
  read(head: ResponseHead, bytes: Buffer, start: number, end: number): boolean {
    if (this.#partial === undefined) return this.#parse(head, bytes, start, end);
    return this.#readPartial(this.#partial, head, bytes, start, end);
  }

  #parse(head: ResponseHead, bytes: Buffer, from: number, end: number): boolean {
    const owner = this.#owner;
    let start = from;
    while (start < end) {
      const next = head.parse(bytes, start, end, owner.isHeadRequest);
      if (next === INCOMPLETE) {
        const partial = new PartialHead(head.limits.headBytesMax);
        return this.#readPartial(partial, head, bytes, start, end);
      }
      if (next < 0) return owner.onResponseFault(faultRow(next).detail);
      if (head.status >= 200 || head.status === 101) {
        return owner.onFinalHead(head, bytes, next, end);
      }
      this.#informationalCount++;
      if (this.#informationalCount > INFORMATIONAL_MAX) {
        return owner.onResponseFault('the target sends too many informational answers');
      }
      owner.onInformational(head);
      start = next;
    }
    return true;
  }

  #readPartial(
    partial: PartialHead,
    head: ResponseHead,
    bytes: Buffer,
    start: number,
    end: number,
  ): boolean {
    partial.append(bytes, start, end);
    const found = partial.find();
    this.#partial = found === INCOMPLETE ? partial : undefined;
    if (found === INCOMPLETE) return true;
    if (found < 0) return this.#owner.onResponseFault(faultRow(found).detail);
    return this.#parse(head, partial.bytes, 0, partial.length);
  }
}
