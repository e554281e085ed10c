// The copy of one request on its way to a target of the idle deployment, and the response to it, which
// is looked at and thrown away. Nothing that a target does here reaches a client.

import { rangesLength } from '../../http/bodies/chunked.ts';
import type { ResponseHead } from '../../http/heads/response-head.ts';
import {
  FLOW,
  type Flow,
  type ResponseReceiver,
  type SentRequest,
  type TargetEnd,
  type TargetStream,
} from '../transport/transport.ts';
import type { Observed } from './observed.ts';
import type { ShadowPool } from './shadow-pool.ts';

/** So much behind what is compared is read, so that the connection can be used again. */
const REST_BYTES_MAX = 65_536;

/** What a copy tells. */
export interface CopyOwner {
  /** Its connection has no more to do with it. `isWhole`: there was a response. */
  copyEnded(isWhole: boolean): void;
  onFault(error: unknown): void;
}

/** What a copy is made of. */
export interface CopyParts {
  readonly head: string;
  readonly isHead: boolean;
  readonly pool: ShadowPool;
  readonly observed: Observed;
  readonly bodyBytesMax: number;
}

export class ShadowCopy implements SentRequest, ResponseReceiver {
  readonly receiver: ResponseReceiver = this;
  readonly wasHeld = false;
  readonly bonds = undefined;
  /** What is told of a client goes into its counts there, and a copy is no visit. */
  readonly client = undefined;
  readonly mayRepeat = true;
  readonly isDone = true;
  readonly block = 0;
  readonly isHead: boolean;
  readonly wantsUpgrade = false;
  readonly isLongLived = false;
  readonly hasPendingView = false;
  readonly #owner: CopyOwner;
  readonly #parts: CopyParts;
  #stream: TargetStream | undefined = undefined;
  #receivedBytes = 0;
  #wasRepeated = false;
  #isOver = false;

  constructor(owner: CopyOwner, parts: CopyParts) {
    this.#owner = owner;
    this.#parts = parts;
    this.isHead = parts.isHead;
  }

  /** Sends it, if there is a connection for it now. */
  start(): boolean {
    return this.#parts.pool.serve(this, false);
  }

  /** Gives it up; its owner hears no more of it. */
  abandon(): void {
    this.#isOver = true;
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.close();
  }

  attach(stream: TargetStream): void {
    this.#stream = stream;
  }

  detach(): void {
    this.#stream = undefined;
  }

  send(): void {
    this.#stream!.write(this.#parts.head);
    this.#stream!.awaitResponse();
  }

  onRoom(): void {
    // A head is all that there is to send.
  }

  receiveInformational(): void {
    // Says nothing about the response.
  }

  isUnwanted(): boolean {
    return false;
  }

  receiveHead(head: ResponseHead, part: readonly number[], trailers: string | undefined): Flow {
    const { observed } = this.#parts;
    observed.head(head, performance.now());
    return this.receiveBody(head.bytes, part, trailers);
  }

  receiveBody(bytes: Buffer, part: readonly number[], trailers: string | undefined): Flow {
    const { observed, bodyBytesMax } = this.#parts;
    observed.body(bytes, part, trailers !== undefined);
    this.#receivedBytes += rangesLength(part);
    return this.#receivedBytes > bodyBytesMax + REST_BYTES_MAX ? FLOW.ended : FLOW.flows;
  }

  endResponse(): void {
    this.#end(true);
  }

  /** A target can't switch protocols where it was not asked to: h1-target.ts calls that a fault. */
  startTunnel(): boolean {
    return true;
  }

  receiveTunnel(): boolean {
    return true;
  }

  targetEnded(): void {
    this.#end(false);
  }

  closeTunnel(): void {
    this.#end(false);
  }

  askElsewhere(): void {
    this.#end(false);
  }

  sendElsewhere(): void {
    this.#end(false);
  }

  connectFailed(): void {
    this.#end(false);
  }

  /** Where a connection was used before, its close says nothing about the release. */
  targetClosed(how: TargetEnd): void {
    const mayRepeat = how === 'stale' && !this.#wasRepeated && !this.#isOver;
    this.#wasRepeated = true;
    if (!mayRepeat || !this.#parts.pool.serve(this, true)) this.#end(false);
  }

  fail(): void {
    this.#end(this.#parts.observed.isDone);
  }

  onFault(error: unknown): void {
    this.#owner.onFault(error);
  }

  #end(isWhole: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner.copyEnded(isWhole);
  }
}
