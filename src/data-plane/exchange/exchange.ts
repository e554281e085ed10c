// The life of one request: its way to a target of the side that was decided on, what is tried
// again, and the one place where every failure ends. The order of the phases is decided here.
//
//   start ─► take body ─► pick endpoint ─► send ─► (reply.ts) ─► end reply ─► finish
//     └──────────┴─────────────┴─────────────┴──► fail: refuse, or cut once bytes have left

import { performance } from 'node:perf_hooks';
import { FAILURES, type FailureCode } from '../../base/failures.ts';
import { RETRIES_MAX } from '../../base/limits.ts';
import { DECISION } from '../../contract/counters.ts';
import type { ViaFields } from '../../http/forwarding.ts';
import type { Method } from '../../http/methods.ts';
import type { RequestHead } from '../../http/request-head.ts';
import type { ResponseHead } from '../../http/response-head.ts';
import { countRequest, settle } from './accounts.ts';
import type { H1Client } from '../clients/h1-client.ts';
import type { Closable } from '../drains/closing-pace.ts';
import { EventStreamResponse, isEventStream } from './event-stream-response.ts';
import { pickPool } from './pick.ts';
import type { Plane } from '../plane.ts';
import type { EndpointPool } from '../targets/pool.ts';
import { healthyResponse, refusalResponse, refusalFor, type Refusal } from '../routing/refusal.ts';
import { relaySwitching } from './response-relay.ts';
import { RequestSender } from './request-sender.ts';
import { isRescuable } from '../routing/rescue.ts';
import type { RoutedService, RoutedSide } from '../routing/routed-service.ts';
import { Tunnel } from './tunnel.ts';
import type { H1Target } from '../targets/h1-target.ts';

export class Exchange implements Closable {
  readonly client: H1Client;
  side: RoutedSide;
  /** Why it goes there; index into DECISIONS. */
  reason: number;
  /** The client brought a session of this side. */
  readonly hasSession: boolean;
  /** Line of the answer that gives the client its session; often empty. */
  sessionField: string;
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
  upstream: H1Target | undefined = undefined;
  /** The client connection stays open afterwards. */
  keepAlive: boolean;
  status = 0;
  failure: FailureCode | undefined = undefined;
  isHeadSent = false;
  isReplyChunked = false;
  isResponseDone = false;
  isOver = false;
  responseBytes = 0;
  retries = 0;
  /** Waits for a connection to the target; the client's timer bounds it. */
  isQueued = false;
  /** What it has become after a 101. */
  tunnel: Tunnel | undefined = undefined;
  /** The answer, where that is an event stream. */
  stream: EventStreamResponse | undefined = undefined;
  readonly #plane: Plane;
  readonly #service: RoutedService | undefined;
  readonly #refusal: Refusal | undefined;
  readonly #isHealthCheck: boolean;
  readonly #request: RequestSender;
  /** A 404 of the active side may be tried on the other. */
  #isRescuable = false;

  /** Carries out what the decision of the plane says now. */
  constructor(plane: Plane, client: H1Client, head: RequestHead, keepAlive: boolean) {
    const { decision } = plane;
    this.#plane = plane;
    this.#service = decision.service;
    this.#refusal = decision.refusal;
    this.#isHealthCheck = decision.verdict === 'healthy';
    this.client = client;
    this.side = decision.side;
    this.reason = decision.reason;
    this.hasSession = decision.hasSession;
    this.sessionField = decision.sessionField;
    this.method = head.method!;
    this.minor = head.minor;
    this.isHead = head.method!.name === 'HEAD';
    this.wantsUpgrade = head.upgrade;
    this.startedMs = performance.now();
    this.viaFields = plane.viaFields;
    this.keepAlive = keepAlive;
    this.#request = new RequestSender(plane, this, head.bodyLength);
    plane.tally.requestBegan(this.side.block);
  }

  /** The whole request has come in. */
  get isRequestDone(): boolean {
    return this.#request.isDone;
  }

  /** Worth a read buffer of its own, which `takeBody` then writes from. */
  get isLargeUpload(): boolean {
    return this.#request.isLarge && this.isReceiving;
  }

  /** The client is expected to go on sending, and its pauses are limited. */
  get isReceiving(): boolean {
    return !this.#request.isDone && !this.isResponseDone;
  }

  get requestBytes(): number {
    return this.#request.bytes + (this.tunnel?.bytes ?? 0);
  }

  /** A second try can't do harm (RFC 9110 §9.2.2): idempotent, and no body byte has left. */
  get mayRepeat(): boolean {
    return this.method.isIdempotent && !this.#request.hasSentBody;
  }

  /** Goes on until somebody ends it. */
  get isLongLived(): boolean {
    return this.tunnel !== undefined || this.stream !== undefined;
  }

  /** The other color is asked for what the active one does not have. */
  get isRescue(): boolean {
    return this.reason === DECISION.rescue;
  }

  /**
   * Starts the exchange; `bytes[next, end)` follow the head. Returns the offset after what
   * belongs to this request.
   */
  start(head: RequestHead, bytes: Buffer, next: number, end: number): number {
    const { side } = this;
    const pool = pickPool(side.pools, undefined, this.#plane);
    const refusal = this.#refusalAtStart(pool);
    if (pool === undefined || refusal !== undefined || this.#isHealthCheck) {
      // A body is not read any more: the connection closes after the answer.
      this.requestHead = `${this.method.name} ${head.target()} `; // for the log
      if (this.#isHealthCheck) this.#answerHealthy();
      else this.#refuse(refusal!);
      return this.isRequestDone ? next : end;
    }
    this.#isRescuable = isRescuable(this.#service!, this, head);
    this.requestHead = this.#plane.forwarder.requestHead(
      head,
      this.client.peer,
      pool.endpoint.authority,
      side.requestEnding,
    );
    const rest = this.takeBody(bytes, next, end);
    if (!this.isOver) this.#dispatch(pool, false);
    return rest;
  }

  /** Takes what belongs to the request body from `bytes[start, end)`; returns the offset after it. */
  takeBody(bytes: Buffer, start: number, end: number): number {
    return this.#request.take(bytes, start, end);
  }

  /** Writes head and held body to a connection that is ready. */
  sendTo(upstream: H1Target): void {
    if (this.isQueued) this.#leaveQueue();
    this.#request.sendTo(upstream, this.requestHead);
  }

  onUpstreamDrain(): void {
    if (!this.isRequestDone || this.tunnel !== undefined) this.client.resumeReading();
  }

  /** The client has room again. */
  onClientDrain(): void {
    this.upstream?.resume();
  }

  /** The head of the answer is about to leave: the last moment to announce a close. */
  heedStop(): void {
    if (this.#plane.isStopping || this.client.reconnect.isDue) this.keepAlive = false;
  }

  /** The final head has come: an event stream is followed from its first byte. */
  beginReply(head: ResponseHead): void {
    if (this.isRescue && head.status < 400) this.#plane.tally.rescued(this.side.block);
    if (this.isHead || !isEventStream(head)) return;
    this.stream = new EventStreamResponse(this, this.#plane.wheel, head);
    this.#plane.longLivedBegan(this);
  }

  /** The whole answer has been handed to the client. */
  endReply(): void {
    this.isResponseDone = true;
    if (this.isRequestDone || !this.keepAlive) {
      this.finish();
      return;
    }
    // An early answer: the rest of the body is read and dropped, within bounds.
    this.client.awaitRestOfRequest();
  }

  /** The rest of the request is not worth reading. */
  giveUpRequest(): void {
    this.keepAlive = false;
    this.finish();
  }

  connectFailed(isTimeout: boolean): void {
    this.#retryOrFail(true, isTimeout ? 'CONNECT_TIMEOUT' : 'CONNECT_FAILED');
  }

  /** `isStale`: a reused connection died before any byte of an answer. */
  upstreamClosed(isStale: boolean): void {
    this.#retryOrFail(isStale && this.mayRepeat, 'UPSTREAM_CLOSED');
  }

  /** The client left, or stopped taking part; `isClean`: it closed without an error. */
  clientGone(code: 'CLIENT_GONE' | 'CLIENT_STALLED', isClean: boolean): void {
    if (this.isOver) return;
    const isTunnel = this.tunnel !== undefined;
    // Both ends of the tunnel were closed in order: its last bytes still go to the target.
    if (isTunnel && isClean) this.upstream?.closeAfterFlush();
    else this.#letGo();
    if (!this.isResponseDone && !isTunnel) this.failure = code;
    if (!this.isHeadSent) this.status = FAILURES[code].status;
    this.client.cut();
    this.finish();
  }

  /** Ends the exchange with an answer of our own, or by cutting a reply that has begun. */
  fail(code: FailureCode, detail?: string): void {
    if (this.isOver) return;
    this.#letGo();
    if (this.isResponseDone) {
      // The answer is whole; only the rest of the request is not worth reading.
      this.giveUpRequest();
    } else if (this.isHeadSent) {
      this.failure = code;
      this.client.cut();
      this.finish();
    } else {
      // Whatever went wrong on the way to the other color, the active one has no such file.
      const isLost = this.isRescue && FAILURES[code].blame !== 'client';
      this.#refuse(isLost ? refusalFor('RESCUE_FAILED') : refusalFor(code, detail));
    }
  }

  /** 101: from here on bytes are carried both ways until both sides have ended. */
  startTunnel(head: ResponseHead, bytes: Buffer, next: number, end: number): boolean {
    relaySwitching(this, head);
    this.tunnel = new Tunnel(this, this.#plane.wheel, head.isWebSocket);
    this.keepAlive = false;
    // In this order: whoever waits for a quiet side must find it in one count or the other.
    this.#plane.longLivedBegan(this);
    countRequest(this, this.#plane);
    this.client.startTunnel();
    return next === end || this.tunnel.fromUpstream(bytes, next, end);
  }

  /** The target's side of the tunnel is gone; `isClean`: both had said goodbye, or it was idle. */
  closeTunnel(isClean: boolean): void {
    if (this.isOver) return;
    this.#letGo();
    if (isClean) this.client.closeAfterFlush();
    else this.client.cut();
    this.finish();
  }

  /** Ends a tunnel or event stream in order; other requests end by themselves. */
  endGently(): void {
    if (this.isOver) return;
    this.tunnel?.endGently();
    this.stream?.endGently();
  }

  endStream(): void {
    this.upstream?.endEarly();
  }

  cutStream(): void {
    this.fail('DRAIN_ENDED');
  }

  /** The answer is a 404 of the active side, and another may have what is asked for. */
  mayBeRescued(): boolean {
    return this.#isRescuable && !this.isHeadSent;
  }

  /** Asks the other side, once. */
  rescue(): void {
    const { tally } = this.#plane;
    const from = this.side;
    const to = this.#service!.rescuer!;
    this.#isRescuable = false;
    this.side = to;
    this.reason = DECISION.rescue;
    // A file that caches may keep is no place for a session.
    this.sessionField = '';
    this.requestHead = this.requestHead.slice(0, -from.requestEnding.length) + to.requestEnding;
    tally.requestMoved(from.block, to.block);
    tally.endpointBusy(this.pool!.endpoint.slot, -1);
    this.pool = undefined;
    const pool = pickPool(to.pools, undefined, this.#plane);
    if (pool === undefined) this.fail('RESCUE_FAILED');
    else this.#dispatch(pool, false);
  }

  /** The client let its time pass. */
  onClientDeadline(): void {
    if (this.isQueued) {
      this.fail('POOL_TIMEOUT');
    } else if (this.isResponseDone) {
      this.giveUpRequest();
    } else if (!this.isRequestDone) {
      this.fail('REQUEST_TIMEOUT');
    }
  }

  elapsedMs(): number {
    return performance.now() - this.startedMs;
  }

  #refusalAtStart(pool: EndpointPool | undefined): Refusal | undefined {
    if (this.#refusal !== undefined) return this.#refusal;
    if (this.#request.isTooLarge) return refusalFor('BODY_TOO_LARGE');
    if (pool !== undefined) return undefined;
    return refusalFor(this.#service === undefined ? 'NO_ROUTE' : 'NO_TARGET');
  }

  /** Ends the exchange with a refusal; nothing has left yet. */
  #refuse(refusal: Refusal): void {
    this.failure = refusal.code;
    this.#beginOwnAnswer(FAILURES[refusal.code].status);
    this.client.write(refusalResponse(refusal, this));
    this.finish();
  }

  #answerHealthy(): void {
    this.#beginOwnAnswer(200);
    this.client.write(healthyResponse(this));
    this.finish();
  }

  #beginOwnAnswer(status: number): void {
    this.status = status;
    this.isHeadSent = true;
    this.heedStop();
    // What is left of the request can't be told from the next one any more.
    if (!this.isRequestDone) this.keepAlive = false;
  }

  #dispatch(pool: EndpointPool, fresh: boolean): void {
    this.pool = pool;
    this.#plane.tally.endpointBusy(pool.endpoint.slot, 1);
    if (!pool.serve(this, fresh)) this.fail('POOL_FULL');
    else if (this.upstream === undefined && !this.isOver) {
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

  /** Counts and logs once, and hands the client connection back. */
  finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.tunnel?.stop();
    this.stream?.stop();
    settle(this.#plane, this);
    this.client.exchangeEnded(this.keepAlive);
  }
}
