// The life of one request: which color takes it, its way to a target, what is tried again, and
// the one place where every failure ends. The order of the phases is decided here.
//
//   start ─► take body ─► pick endpoint ─► send ─► (reply.ts) ─► end reply ─► finish
//     └──────────┴─────────────┴─────────────┴──► fail: refuse, or cut once bytes have left

import { performance } from 'node:perf_hooks';
import { FAILURES, type FailureCode } from '../base/failures.ts';
import { LINGER_BYTES_MAX, ONE_WRITE_BYTES_MAX, RETRIES_MAX } from '../base/limits.ts';
import { gather } from '../http/chunked.ts';
import { faultRow } from '../http/faults.ts';
import type { ViaFields } from '../http/forwarding.ts';
import type { Method } from '../http/methods.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { ClientConnection } from './client-connection.ts';
import { pickPool } from './pick.ts';
import type { Plane } from './plane.ts';
import type { EndpointPool } from './pool.ts';
import { NO_BODY, RequestBody, TOO_LARGE } from './request-body.ts';
import { refusalAnswer } from './refusal.ts';
import { relaySwitching } from './reply.ts';
import type { RoutedSide } from './route-table.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** Index of the decision `active` in contract/counters.ts. */
const ACTIVE = 0;

export class Exchange {
  readonly client: ClientConnection;
  readonly side: RoutedSide;
  readonly method: Method;
  /** HTTP/1.`minor` of the client. */
  readonly minor: number;
  readonly isHead: boolean;
  readonly wantsUpgrade: boolean;
  readonly startedMs: number;
  readonly viaFields: ViaFields;
  /** Head as sent to the target; begins with the request line of the client. */
  requestHead = '';
  pool: EndpointPool | undefined = undefined;
  /** Carries this exchange now. */
  upstream: UpstreamConnection | undefined = undefined;
  /** The client connection stays open afterwards. */
  keepAlive: boolean;
  status = 0;
  failure: FailureCode | undefined = undefined;
  isHeadSent = false;
  isReplyChunked = false;
  responseBytes = 0;
  retries = 0;
  /** Waits for a connection to the target; the client's timer bounds it. */
  isQueued = false;
  readonly #plane: Plane;
  readonly #body: RequestBody;
  /** Body bytes that wait for a connection; the client is paused meanwhile. */
  #held: string | Buffer | undefined = undefined;
  #isBodySent = false;
  #isTunnel = false;
  #tunnelBytes = 0;
  #isReplyDone = false;
  #isOver = false;
  #discardedBytes = 0;

  constructor(plane: Plane, client: ClientConnection, head: RequestHead, keepAlive: boolean) {
    this.#plane = plane;
    this.client = client;
    this.side = plane.table().route(head) ?? plane.nowhere;
    this.method = head.method!;
    this.minor = head.minor;
    this.isHead = head.method!.name === 'HEAD';
    this.wantsUpgrade = head.upgrade;
    this.startedMs = performance.now();
    this.viaFields = plane.viaFields;
    this.keepAlive = keepAlive;
    this.#body =
      head.bodyLength === 0
        ? NO_BODY
        : new RequestBody(head.bodyLength, plane.settings.client.bodyBytesMax);
    plane.tally.requestBegan(this.side.block);
  }

  /** The whole request has come in. */
  get isRequestDone(): boolean {
    return this.#body.isDone;
  }

  /** Worth a read buffer of its own, which `takeBody` then writes from. */
  get isLargeUpload(): boolean {
    return this.#body.isLarge && this.isReceiving;
  }

  /** The client is expected to go on sending, and its pauses are limited. */
  get isReceiving(): boolean {
    return !this.#body.isDone && !this.#isReplyDone;
  }

  get requestBytes(): number {
    return this.#body.bytes + this.#tunnelBytes;
  }

  /** A second try can't do harm (RFC 9110 §9.2.2): idempotent, and no body byte has left. */
  get mayRepeat(): boolean {
    return this.method.isIdempotent && !this.#isBodySent;
  }

  /**
   * Starts the exchange; `bytes[next, end)` follow the head. Returns the offset after what
   * belongs to this request.
   */
  start(head: RequestHead, bytes: Buffer, next: number, end: number): number {
    const { side } = this;
    const pool = pickPool(side.pools, undefined, this.#plane);
    if (pool === undefined || this.#body.isTooLarge) {
      // A body is not read any more: the connection closes after the answer.
      this.requestHead = `${this.method.name} ${head.target()} `; // for the log
      if (this.#body.isTooLarge) this.fail('BODY_TOO_LARGE');
      else this.fail(side === this.#plane.nowhere ? 'NO_ROUTE' : 'NO_TARGET');
      return this.isRequestDone ? next : end;
    }
    const { authority } = pool.endpoint;
    this.requestHead = this.#plane.forwarder.requestHead(
      head,
      this.client.peer,
      authority,
      side.requestEnding,
    );
    const rest = this.takeBody(bytes, next, end);
    if (!this.#isOver) this.#dispatch(pool, false);
    return rest;
  }

  /** Takes what belongs to the request body from `bytes[start, end)`; returns the offset after it. */
  takeBody(bytes: Buffer, start: number, end: number): number {
    const body = this.#body;
    if (body.isDone || start >= end) return start;
    const mayWriteFrom = bytes !== this.#plane.clientBuffer && this.#canSend();
    const stop = body.take(bytes, start, end, mayWriteFrom);
    if (stop < 0) {
      if (stop === TOO_LARGE) this.fail('BODY_TOO_LARGE');
      else this.fail('BAD_REQUEST_BODY', faultRow(stop).detail);
      return end;
    }
    this.#forward(body.piece);
    if (body.isDone) this.#requestEnded();
    return stop;
  }

  /** Writes head and held body to a connection that is ready. */
  sendTo(upstream: UpstreamConnection): void {
    if (this.isQueued) this.#leaveQueue();
    const held = this.#held;
    this.#held = undefined;
    let hasRoom: boolean;
    if (held === undefined) {
      hasRoom = upstream.write(this.requestHead);
    } else if (typeof held === 'string') {
      this.#isBodySent = true;
      hasRoom = upstream.write(this.requestHead + held);
    } else {
      this.#isBodySent = true;
      upstream.socket.cork();
      upstream.write(this.requestHead);
      hasRoom = upstream.write(held);
      upstream.socket.uncork();
    }
    if (this.isRequestDone) upstream.awaitAnswer();
    else if (hasRoom) this.client.resumeReading();
  }

  onUpstreamDrain(): void {
    if (!this.isRequestDone || this.#isTunnel) this.client.resumeReading();
  }

  /** The client has room again. */
  onClientDrain(): void {
    this.upstream?.resume();
  }

  /** The head of the answer is about to leave: the last moment to announce that we stop. */
  heedStop(): void {
    if (this.#plane.isStopping) this.keepAlive = false;
  }

  /** The whole answer has been handed to the client. */
  endReply(): void {
    this.#isReplyDone = true;
    if (this.isRequestDone || !this.keepAlive) {
      this.#finish();
      return;
    }
    // An early answer: the rest of the body is read and dropped, within bounds.
    this.client.awaitRestOfRequest();
  }

  connectFailed(isTimeout: boolean): void {
    this.#retryOrFail(true, isTimeout ? 'CONNECT_TIMEOUT' : 'CONNECT_FAILED');
  }

  /** `isStale`: a reused connection died before any byte of an answer. */
  upstreamClosed(isStale: boolean): void {
    this.#retryOrFail(isStale && this.mayRepeat, 'UPSTREAM_CLOSED');
  }

  upstreamSilent(): void {
    this.fail('UPSTREAM_TIMEOUT');
  }

  upstreamAborted(isTimeout: boolean): void {
    this.fail(isTimeout ? 'UPSTREAM_STALLED' : 'UPSTREAM_ABORTED');
  }

  upstreamBroke(detail: string): void {
    this.fail('UPSTREAM_BAD_RESPONSE', detail);
  }

  /** The client left, or stopped taking part; `isClean`: it closed without an error. */
  clientGone(code: 'CLIENT_GONE' | 'CLIENT_STALLED', isClean: boolean): void {
    if (this.#isOver) return;
    // Both ends of the tunnel were closed in order: its last bytes still go to the target.
    if (this.#isTunnel && isClean) this.upstream?.closeAfterFlush();
    else this.#letGo();
    if (!this.#isReplyDone && !this.#isTunnel) this.failure = code;
    if (!this.isHeadSent) this.status = FAILURES[code].status;
    this.client.cut();
    this.#finish();
  }

  /** Ends the exchange with an answer of our own, or by cutting a reply that has begun. */
  fail(code: FailureCode, detail?: string): void {
    if (this.#isOver) return;
    this.#letGo();
    if (this.#isReplyDone) {
      // The answer is whole; only the rest of the request is not worth reading.
      this.keepAlive = false;
      this.#finish();
      return;
    }
    this.failure = code;
    if (this.isHeadSent) {
      this.client.cut();
    } else {
      this.status = FAILURES[code].status;
      this.isHeadSent = true;
      this.heedStop();
      // What is left of the request can't be told from the next one any more.
      if (!this.isRequestDone) this.keepAlive = false;
      const { keepAlive, isHead } = this;
      this.client.write(refusalAnswer(code, { detail, keepAlive, isHead }));
    }
    this.#finish();
  }

  /** 101: from here on bytes are carried both ways until both sides have ended. */
  startTunnel(head: ResponseHead, bytes: Buffer, next: number, end: number): boolean {
    relaySwitching(this, head);
    this.#isTunnel = true;
    this.keepAlive = false;
    this.#plane.tally.requestEnded(this.side.block, ACTIVE, this.status, this.#elapsedMs());
    this.#plane.tally.tunnelOpened(this.side.block);
    this.client.startTunnel();
    return next === end || this.client.write(gather(bytes, [next, end], '', ''));
  }

  tunnelFromClient(bytes: Buffer, length: number): void {
    const { upstream } = this;
    if (upstream === undefined) return;
    this.#tunnelBytes += length;
    upstream.touchTunnel();
    if (!upstream.write(gather(bytes, [0, length], '', ''))) this.client.pauseReading();
  }

  /** Returns whether the client takes more. */
  relayTunnel(bytes: Buffer, start: number, end: number): boolean {
    if (end - start > ONE_WRITE_BYTES_MAX) return this.client.writeView(bytes.subarray(start, end));
    return this.client.write(gather(bytes, [start, end], '', ''));
  }

  endTunnelFromClient(): void {
    this.upstream?.socket.end();
  }

  endTunnelFromUpstream(): void {
    this.client.endWriting();
  }

  /** The target's side of the tunnel is gone; `isClean`: both had said goodbye, or it was idle. */
  closeTunnel(isClean: boolean): void {
    if (isClean) this.client.closeAfterFlush();
    else this.client.cut();
    this.#finish();
  }

  /** The client let its time pass. */
  onClientDeadline(): void {
    if (this.isQueued) {
      this.fail('POOL_FULL');
    } else if (this.#isReplyDone) {
      this.keepAlive = false;
      this.#finish();
    } else if (!this.isRequestDone) {
      this.fail('REQUEST_TIMEOUT');
    }
  }

  /** Sends a piece of body, holds it until there is a connection, or drops it after the answer. */
  #forward(piece: string | Buffer): void {
    if (piece.length === 0 || this.#isOver) return;
    if (this.#isReplyDone) {
      this.#discardedBytes += piece.length;
      if (this.#discardedBytes > LINGER_BYTES_MAX) this.keepAlive = false;
      if (!this.keepAlive) this.#finish();
      return;
    }
    if (!this.#canSend()) {
      this.#held = piece;
      if (!this.isRequestDone) this.client.pauseReading();
      return;
    }
    this.#isBodySent = true;
    const isView = typeof piece !== 'string';
    const flows = isView ? this.upstream!.writeView(piece) : this.upstream!.write(piece);
    if (!flows) this.client.pauseReading();
  }

  #canSend(): boolean {
    return this.upstream !== undefined && !this.upstream.isConnecting;
  }

  /** The last byte of the request has been taken. */
  #requestEnded(): void {
    if (this.#isOver) return;
    if (this.#isReplyDone) this.#finish();
    else if (this.#canSend()) this.upstream!.awaitAnswer();
  }

  #dispatch(pool: EndpointPool, fresh: boolean): void {
    this.pool = pool;
    this.#plane.tally.endpointBusy(pool.endpoint.slot, 1);
    if (!pool.serve(this, fresh)) this.fail('POOL_FULL');
    else if (this.upstream === undefined && !this.#isOver) {
      this.isQueued = true;
      this.client.awaitConnection();
    }
  }

  #leaveQueue(): void {
    this.isQueued = false;
    this.client.stopWaiting();
  }

  #retryOrFail(mayRetry: boolean, code: FailureCode): void {
    if (!mayRetry || this.retries >= RETRIES_MAX) {
      this.fail(code);
      return;
    }
    this.retries++;
    this.#plane.tally.retried(this.side.block);
    const failed = this.pool!;
    this.#plane.tally.endpointBusy(failed.endpoint.slot, -1);
    this.#dispatch(pickPool(this.side.pools, failed, this.#plane) ?? failed, true);
  }

  /** Gives up the connection, or the place in the queue for one. */
  #letGo(): void {
    const { upstream } = this;
    this.upstream = undefined;
    upstream?.close();
    if (this.isQueued) {
      this.#leaveQueue();
      this.pool?.leaveQueue(this);
    }
  }

  #elapsedMs(): number {
    return performance.now() - this.startedMs;
  }

  /** Counts and logs once, and hands the client connection back. */
  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { tally } = this.#plane;
    const { block } = this.side;
    const elapsedMs = this.#elapsedMs();
    if (this.pool !== undefined) tally.endpointBusy(this.pool.endpoint.slot, -1);
    if (this.failure !== undefined) tally.failed(block, this.failure);
    if (this.#isTunnel) tally.tunnelClosed(block);
    else tally.requestEnded(block, ACTIVE, this.status, elapsedMs);
    tally.bytesMoved(block, this.requestBytes, this.responseBytes);
    this.#plane.accessLog.ended(this, elapsedMs);
    this.client.exchangeEnded(this.keepAlive);
  }
}
