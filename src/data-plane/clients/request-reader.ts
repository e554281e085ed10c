// Request heads out of what one client sends, in any pieces: finds each, hands it on, and keeps
// what can't be used yet. Knows no socket.

import { PIPELINED_BYTES_MAX } from '../../base/limits.ts';
import { CR, LF } from '../../http/grammar/chars.ts';
import { FAULT, INCOMPLETE } from '../../http/grammar/faults.ts';
import { PartialHead } from '../../http/heads/partial-head.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';

export interface RequestReaderOwner {
  /** The next request may begin now. */
  readonly mayTakeRequest: boolean;
  /** Bytes behind the request are worth keeping. */
  readonly wantsRest: boolean;
  /**
   * Takes the request with the head `bytes[at, next)`; returns the offset after what belongs to it
   * so far, or `at` when it has to wait.
   */
  takeRequest(head: RequestHead, bytes: Buffer, at: number, next: number, end: number): number;
  /** `head`: what was read of it; undefined: nothing can be said of its fields. */
  onHeadFault(fault: number, head: RequestHead | undefined): void;
  /** A head has begun and is not whole. */
  awaitHead(): void;
  /** The bound on kept bytes is reached. */
  pauseReading(): void;
}

export class RequestReader {
  readonly #owner: RequestReaderOwner;
  readonly #head: RequestHead;
  /** The shared read buffer: its bytes may be overwritten after the call that brought them. */
  readonly #passing: Buffer;
  #kept: PartialHead | undefined = undefined;
  /** Heads are being read in a loop: an exchange that ends at once must not start another. */
  isReading = false;

  constructor(owner: RequestReaderOwner, head: RequestHead, passing: Buffer) {
    this.#owner = owner;
    this.#head = head;
    this.#passing = passing;
  }

  /** No byte of a request is kept. */
  get isIdle(): boolean {
    return this.#kept === undefined || isEmptyLine(this.#kept);
  }

  /** Not a byte is kept. */
  get isEmpty(): boolean {
    return this.#kept === undefined;
  }

  /** Starts as many requests as `bytes[start, end)` holds and the owner allows. */
  read(bytes: Buffer, start: number, end: number): void {
    if (this.#kept !== undefined) {
      this.#kept.append(bytes, start, end);
      this.#readKept(this.#kept);
      return;
    }
    // Exchanges may end inside `takeRequest`; the loop, not the recursion, takes the next request.
    this.isReading = true;
    let at = start;
    while (at < end && this.#owner.mayTakeRequest) at = this.#readHead(bytes, at, end);
    this.isReading = false;
    if (at < end && this.#owner.wantsRest) this.keep(bytes, at, end);
  }

  /** Goes on with what was kept: a head in pieces, pipelined requests, or one that had to wait. */
  resume(): void {
    if (this.#kept !== undefined && !this.isReading) this.#readKept(this.#kept);
  }

  /** Keeps bytes until the running exchange ends; says when the bound is reached. */
  keep(bytes: Buffer, start: number, end: number): void {
    if (this.#kept !== undefined) this.#kept.append(bytes, start, end);
    else this.#kept = this.#keptFrom(bytes, start, end);
    if (this.#kept.length >= PIPELINED_BYTES_MAX) this.#owner.pauseReading();
  }

  /** Hands over what was kept. */
  takeKept(): PartialHead | undefined {
    const kept = this.#kept;
    this.#kept = undefined;
    return kept;
  }

  /** An error came out of the middle of a read. */
  abandonRead(): void {
    this.isReading = false;
  }

  #readHead(bytes: Buffer, at: number, end: number): number {
    const next = this.#head.parse(bytes, at, end);
    if (next > 0) return this.#owner.takeRequest(this.#head, bytes, at, next, end);
    if (next === INCOMPLETE) this.#keepPartial(bytes, at, end);
    else this.#owner.onHeadFault(next, this.#head);
    return end;
  }

  #keepPartial(bytes: Buffer, at: number, end: number): void {
    const kept = this.#keptFrom(bytes, at, end);
    this.#kept = kept;
    if (!isEmptyLine(kept)) this.#owner.awaitHead();
    const found = this.#findHead(kept);
    if (found < 0) this.#owner.onHeadFault(found, undefined);
  }

  #readKept(kept: PartialHead): void {
    const found = this.#findHead(kept);
    if (found < 0) this.#owner.onHeadFault(found, undefined);
    if (found <= 0) return;
    this.#kept = undefined;
    this.read(kept.bytes, 0, kept.length);
  }

  /** Copies what may be overwritten. */
  #keptFrom(bytes: Buffer, start: number, end: number): PartialHead {
    const { headBytesMax } = this.#head.limits;
    if (bytes !== this.#passing) return new PartialHead(headBytesMax, bytes.subarray(start, end));
    const kept = new PartialHead(headBytesMax);
    kept.append(bytes, start, end);
    return kept;
  }

  /** Looks for a whole head; where it is too long, the parser knows best what is wrong with it. */
  #findHead(kept: PartialHead): number {
    const found = kept.find();
    if (found !== FAULT.HEAD_BYTES) return found;
    const fault = this.#head.parse(kept.bytes, 0, kept.length);
    return fault < 0 ? fault : found;
  }
}

/** Old clients send a line end after a body; it is no request (RFC 9112 §2.2). */
function isEmptyLine({ bytes, length }: PartialHead): boolean {
  return length === 2 && bytes[0] === CR && bytes[1] === LF;
}
