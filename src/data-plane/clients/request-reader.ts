// Request heads out of what one client sends, in any pieces: finds each, hands it on, and keeps
// what can't be used yet. Knows no socket.

import { PIPELINED_BYTES_MAX } from '../../base/limits.ts';
import { INCOMPLETE } from '../../http/faults.ts';
import type { RequestHead } from '../../http/request-head.ts';
import { KeptBytes } from './kept-bytes.ts';

export interface RequestReaderOwner {
  /** The next request may begin now. */
  readonly mayTakeRequest: boolean;
  /** What is left over is still wanted. */
  readonly wantsRest: boolean;
  /**
   * Takes the request whose head lies at `bytes[at, next)`; returns the offset after what belongs
   * to it so far, or `at` when it has to wait.
   */
  takeRequest(head: RequestHead, bytes: Buffer, at: number, next: number, end: number): number;
  onHeadFault(fault: number): void;
  /** A head has begun and is not whole. */
  awaitHead(): void;
  /** As much is kept as may be. */
  pauseReading(): void;
}

export class RequestReader {
  readonly #owner: RequestReaderOwner;
  readonly #head: RequestHead;
  /** What is in here may be overwritten after the call that brought it. */
  readonly #passing: Buffer;
  #kept: KeptBytes | undefined = undefined;
  /** Heads are being read in a loop: an exchange that ends at once must not start another. */
  #isReading = false;

  constructor(owner: RequestReaderOwner, head: RequestHead, passing: Buffer) {
    this.#owner = owner;
    this.#head = head;
    this.#passing = passing;
  }

  /** Nothing of a request is here. */
  get isIdle(): boolean {
    return this.#kept === undefined || this.#kept.isEmptyLine;
  }

  /** Starts as many requests as `bytes[start, end)` holds and the owner allows. */
  read(bytes: Buffer, start: number, end: number): void {
    if (this.#kept !== undefined) {
      this.#kept.append(bytes, start, end);
      this.#readKept(this.#kept);
      return;
    }
    // Exchanges may end inside `takeRequest`; the loop, not the recursion, takes the next request.
    this.#isReading = true;
    let at = start;
    while (at < end && this.#owner.mayTakeRequest) at = this.#readHead(bytes, at, end);
    this.#isReading = false;
    if (at < end && this.#owner.wantsRest) this.keep(bytes, at, end);
  }

  /** Goes on with what was kept: a head in pieces, pipelined requests, or one that had to wait. */
  resume(): void {
    if (this.#kept !== undefined && !this.#isReading) this.#readKept(this.#kept);
  }

  /** Keeps bytes until the running exchange ends; says when the bound is reached. */
  keep(bytes: Buffer, start: number, end: number): void {
    if (this.#kept !== undefined) this.#kept.append(bytes, start, end);
    else this.#kept = new KeptBytes(bytes, start, end, bytes !== this.#passing);
    if (this.#kept.length >= PIPELINED_BYTES_MAX) this.#owner.pauseReading();
  }

  /** Gives away what was kept. */
  takeKept(): KeptBytes | undefined {
    const kept = this.#kept;
    this.#kept = undefined;
    return kept;
  }

  /** An error came out of the middle of a read. */
  abandonRead(): void {
    this.#isReading = false;
  }

  #readHead(bytes: Buffer, at: number, end: number): number {
    const next = this.#head.parse(bytes, at, end);
    if (next > 0) return this.#owner.takeRequest(this.#head, bytes, at, next, end);
    if (next === INCOMPLETE) this.#keepPartial(bytes, at, end);
    else this.#owner.onHeadFault(next);
    return end;
  }

  #keepPartial(bytes: Buffer, at: number, end: number): void {
    const kept = new KeptBytes(bytes, at, end, bytes !== this.#passing);
    this.#kept = kept;
    if (!kept.isEmptyLine) this.#owner.awaitHead();
    const found = kept.findHead(this.#head);
    if (found < 0) this.#owner.onHeadFault(found);
  }

  #readKept(kept: KeptBytes): void {
    const found = kept.findHead(this.#head);
    if (found < 0) this.#owner.onHeadFault(found);
    if (found <= 0) return;
    this.#kept = undefined;
    this.read(kept.bytes, 0, kept.length);
  }
}
