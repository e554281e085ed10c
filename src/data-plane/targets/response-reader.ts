// Responses out of what one target sends, in any pieces: the heads, where the body ends, and what
// breaks the rules. Knows no socket and no timer.

import { INFORMATIONAL_MAX, INFORMATIONAL_MS } from '../../base/limits.ts';
import { FAULT, INCOMPLETE, faultRow } from '../../http/grammar/faults.ts';
import { findLooseHeadEnd } from '../../http/grammar/fields.ts';
import { mendHead } from '../../http/heads/mended-head.ts';
import { PartialHead } from '../../http/heads/partial-head.ts';
import type { ResponseHead } from '../../http/heads/response-head.ts';
import type { Wheel } from '../base/wheel.ts';
import { FLOW, type Flow } from '../transport/transport.ts';
import { ResponseBody } from './response-body.ts';

/** All but the first two return whether more shall be read. */
export interface ResponseReaderOwner {
  /** The request was a HEAD: its response has no body. */
  readonly isHeadRequest: boolean;
  onInformational(head: ResponseHead): void;
  /** 101 has come; `bytes[next, end)` follow the head. */
  onSwitching(head: ResponseHead, bytes: Buffer, next: number, end: number): boolean;
  /** The final head has come; false: the response is not wanted. */
  onFinalHead(head: ResponseHead): boolean;
  /** The final head and the first part of the body: see `ResponseReceiver.receiveHead`. */
  onHead(head: ResponseHead, part: readonly number[], trailers: string | undefined): Flow;
  onBody(bytes: Buffer, part: readonly number[], trailers: string | undefined): Flow;
  /** The response is over. `isClean`: it is whole, and nothing came behind it. */
  onResponseEnd(isClean: boolean): boolean;
  /** The same for one that was not wanted. */
  onUnwantedEnd(isClean: boolean): boolean;
  /** The target breaks the rules of HTTP; `detail` says how. */
  onResponseFault(detail: string): boolean;
}

export class ResponseReader {
  readonly #owner: ResponseReaderOwner;
  readonly #wheel: Wheel;
  #informationalCount = 0;
  #informationalSinceMs = 0;
  #partial: PartialHead | undefined = undefined;
  /** The head that is parsed was mended: it is not mended twice. */
  #isMended = false;
  readonly #body = new ResponseBody();

  constructor(owner: ResponseReaderOwner, wheel: Wheel) {
    this.#owner = owner;
    this.#wheel = wheel;
  }

  /** Only the close of the connection ends the body. */
  get endsWithClose(): boolean {
    return this.#body.endsWithClose;
  }

  /** Another response begins. */
  begin(): void {
    this.#informationalCount = 0;
    this.#partial = undefined;
    this.#isMended = false;
  }

  /** Reads heads from `bytes[start, end)` by `head`, the parser, and what follows the final one. */
  readHeads(head: ResponseHead, bytes: Buffer, start: number, end: number): boolean {
    if (this.#partial === undefined) return this.#parse(head, bytes, start, end);
    return this.#readPartial(this.#partial, head, bytes, start, end);
  }

  /** Reads on in the body. */
  readBody(bytes: Buffer, start: number, end: number): boolean {
    const body = this.#body;
    const stop = body.take(bytes, start, end);
    if (stop < 0) return this.#owner.onResponseFault(faultRow(stop).detail);
    const flow = this.#owner.onBody(bytes, body.part(start, stop), body.trailers);
    return this.#goOn(flow, stop === end);
  }

  #parse(head: ResponseHead, bytes: Buffer, from: number, end: number): boolean {
    const owner = this.#owner;
    let start = from;
    while (start < end) {
      const next = head.parse(bytes, start, end, owner.isHeadRequest);
      if (next === INCOMPLETE) {
        // A line of fewer bytes than any status line has, and then an empty one.
        if (findLooseHeadEnd(bytes, start, end) !== INCOMPLETE) {
          return owner.onResponseFault(faultRow(FAULT.STATUS).detail);
        }
        return this.#readPartial(this.#newPartial(head), head, bytes, start, end);
      }
      if (next < 0) return this.#mend(next, head, bytes, start, end);
      this.#isMended = false;
      if (head.status === 101) return owner.onSwitching(head, bytes, next, end);
      if (head.status >= 200) return this.#begun(head, bytes, next, end);
      if (this.#isFlood()) {
        return owner.onResponseFault('the target sends too many informational answers');
      }
      owner.onInformational(head);
      start = next;
    }
    return true;
  }

  /** One more informational response has come: there are too many lately. */
  #isFlood(): boolean {
    const nowMs = this.#wheel.nowMs();
    if (nowMs - this.#informationalSinceMs >= INFORMATIONAL_MS) {
      this.#informationalSinceMs = nowMs;
      this.#informationalCount = 0;
    }
    this.#informationalCount++;
    return this.#informationalCount > INFORMATIONAL_MAX;
  }

  /** The head has a fault: where it can be read in one way only, it is read so. */
  #mend(fault: number, head: ResponseHead, bytes: Buffer, start: number, end: number): boolean {
    const mended = this.#isMended ? undefined : mendHead(bytes, start, end);
    if (mended === INCOMPLETE) {
      return this.#readPartial(this.#newPartial(head), head, bytes, start, end);
    }
    if (mended === undefined) {
      const isTls = isTlsAlert(bytes, start, end);
      return this.#owner.onResponseFault(isTls ? SPEAKS_TLS : faultRow(fault).detail);
    }
    this.#isMended = true;
    return this.#parse(head, mended, 0, mended.length);
  }

  #newPartial({ limits }: ResponseHead): PartialHead {
    return new PartialHead(limits.headBytesMax, undefined, true);
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

  /** The final head is there; `next` is where the body starts in `bytes`. */
  #begun(head: ResponseHead, bytes: Buffer, next: number, end: number): boolean {
    const owner = this.#owner;
    const body = this.#body;
    body.begin(head);
    const isWanted = owner.onFinalHead(head);
    const stop = body.take(bytes, next, end);
    if (!isWanted) return owner.onUnwantedEnd(stop === end && body.isDone);
    if (stop < 0) return owner.onResponseFault(faultRow(stop).detail);
    return this.#goOn(owner.onHead(head, body.part(next, stop), body.trailers), stop === end);
  }

  /** A part was handed on. `isClean`: nothing came behind it. */
  #goOn(flow: Flow, isClean: boolean): boolean {
    if (flow === FLOW.ended) return this.#owner.onResponseEnd(false);
    return this.#body.isDone ? this.#owner.onResponseEnd(isClean) : flow === FLOW.flows;
  }
}

const SPEAKS_TLS = 'the target speaks TLS, and was asked without';

/** Many servers with TLS respond so to a request without (RFC 8446 §5.1: a record of kind 21). */
function isTlsAlert(bytes: Buffer, start: number, end: number): boolean {
  return end - start >= 2 && bytes[start] === 21 && bytes[start + 1] === 3;
}
