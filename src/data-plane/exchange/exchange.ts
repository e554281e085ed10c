// The life of one request: its way to a target of the deployment that was decided on, and the one place
// where every failure ends. The order of the phases is decided here, in `start`; what is tried
// again, in attempts.ts. Knows streams and pools as transport.ts describes them, no sockets.
//
//   start ─► pick endpoint ─► write head ─► take body ─► dispatch ─► relay response ─► finish
//     └───────────┴──────────────┴─────────────┴───────────┴──► fail: refuse, or cut once bytes left

import { performance } from 'node:perf_hooks';
import { FAILURES, type FailureCode } from '../../base/failures.ts';
import { DECISION } from '../../contract/counters.ts';
import type { ErrorPages } from '../../contract/service-policy.ts';
import type { Method } from '../../http/grammar/methods.ts';
import type { Progress } from '../base/progress.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import type { ResponseHead } from '../../http/heads/response-head.ts';
import { text } from '../../http/grammar/text.ts';
import type { Decided } from '../routing/decision.ts';
import { errorPagesFor, withErrorPage } from '../routing/table/error-page.ts';
import { hstsFor } from '../routing/table/hsts.ts';
import type { OwnResponse } from '../routing/responses/own-response.ts';
import { refusalFor, type Refusal } from '../routing/responses/refusal.ts';
import type { RoutedService, RoutedDeployment } from '../routing/table/routed-service.ts';
import type { HeldSession } from '../routing/sessions/session-keeper.ts';
import {
  FLOW,
  flowOf,
  type ClientStream,
  type Flow,
  type ResponseReceiver,
  type TargetEnd,
  type TargetPool,
} from '../transport/transport.ts';
import { countRequest, settle } from './accounts.ts';
import {
  askElsewhere,
  begin,
  dispatch,
  isUnwanted,
  retryClosed,
  retryConnect,
  sendElsewhere,
} from './attempts.ts';
import { EventStreamResponse, isEventStream } from './event-stream-response.ts';
import { pathIn } from './request-text.ts';
import { firstPool } from './pick.ts';
import { progressOf } from './progress-of.ts';
import { RequestSender } from './request-sender.ts';
import { ResponseRelay } from './response-relay.ts';
import type { ExchangeServices } from './exchange-services.ts';
import { Tunnel } from './tunnel.ts';

export class Exchange implements ResponseReceiver {
  readonly client: ClientStream;
  readonly request: RequestSender;
  readonly response: ResponseRelay;
  deployment: RoutedDeployment;
  /** Why it goes there; index into DECISIONS. */
  reason: number;
  /** The client brought a session of this deployment. */
  hasSession: boolean;
  /** Set: it may go to the active deployment, with this session, where its own can't be reached. */
  fallback: HeldSession | undefined;
  /** Line of the response that gives the client its session; often empty. */
  sessionField: string;
  /** Line of the response that keeps browsers with https; often empty. */
  readonly hstsField: string;
  readonly method: Method;
  /** HTTP/1.`minor` of the client. */
  readonly minor: number;
  readonly isHead: boolean;
  readonly wantsUpgrade: boolean;
  readonly startedMs: number;
  /** As the client and the target know it; empty: requests have none. */
  readonly requestId: string;
  /** `trace id "-" span id` as the target was told; empty: none. */
  readonly trace: string;
  pool: TargetPool | undefined = undefined;
  failure: FailureCode | undefined = undefined;
  isOver = false;
  retries = 0;
  retryReason: number | undefined = undefined; // of RETRY_REASON
  hidesBad = false; // a bad response was dropped, and another target of its deployment asked
  isRescuable = false; // a 404 of the active deployment may be tried on the other
  /** Where a response that is unwanted here is looked for; undefined: at another endpoint. */
  rescuer: RoutedDeployment | undefined = undefined;
  /** What it has become after a 101. */
  tunnel: Tunnel | undefined = undefined;
  /** The response, where that is an event stream. */
  stream: EventStreamResponse | undefined = undefined;
  readonly #services: ExchangeServices;
  readonly #service: RoutedService | undefined;
  readonly #refusal: Refusal | undefined;
  /** Set: the proxy itself responds with it. */
  readonly #own: OwnResponse | undefined;
  /** For a browser; undefined: it gets a line where no target can answer. */
  readonly #errorPages: ErrorPages | undefined;

  /** Carries out `decision`, of which it keeps what it needs: the object serves the next request. */
  constructor(
    services: ExchangeServices,
    client: ClientStream,
    head: RequestHead,
    decision: Decided,
  ) {
    this.#services = services;
    this.#service = decision.service;
    this.#refusal = decision.refusal;
    this.#own = decision.response;
    this.#errorPages = errorPagesFor(decision.service, head);
    this.hstsField = hstsFor(decision.service, head, client.peer);
    this.client = client;
    this.deployment = decision.deployment;
    this.reason = decision.reason;
    this.hasSession = decision.hasSession;
    this.sessionField = decision.sessionField;
    this.fallback = decision.fallback;
    this.method = head.method!;
    this.minor = head.minor;
    this.isHead = head.method!.name === 'HEAD';
    this.wantsUpgrade = head.upgrade;
    this.startedMs = performance.now();
    this.request = new RequestSender(services, this, head);
    this.response = new ResponseRelay(this, services, head.keepAlive);
    services.ids.read(head, client.peer.isTrusted);
    this.requestId = services.ids.requestId;
    this.trace = services.ids.trace;
    services.tally.requestBegan(this.deployment.block);
  }

  get block(): number {
    return this.deployment.block;
  }

  get hasPendingView(): boolean {
    return this.client.output.hasPendingView;
  }

  /** Goes on until one side, or a drain, ends it. */
  get isLongLived(): boolean {
    return this.tunnel !== undefined || this.stream !== undefined;
  }

  /** The other color is asked for what the active one does not have. */
  get isRescue(): boolean {
    return this.reason === DECISION.rescue;
  }

  /** False where the proxy has answered before it had a target; a rescue has asked one before. */
  get wasTargetAsked(): boolean {
    return this.pool !== undefined || this.isRescue;
  }

  get progress(): Progress {
    return progressOf(this);
  }

  /** What was asked for, without its query. */
  get path(): string {
    return pathIn(this.request.head);
  }

  elapsedMs(): number {
    return performance.now() - this.startedMs;
  }

  /**
   * The phases of a request in running order. `bytes[next, end)` follow the head; returns the
   * offset after what belongs to this request.
   */
  start(head: RequestHead, bytes: Buffer, next: number, end: number): number {
    const pool = firstPool(this, this.#services, head.hasConnectionLogin);
    if (pool === undefined || this.#endsHere()) {
      this.#respondHere(head);
      return this.request.isDone ? next : end; // A body is not read: the connection closes.
    }
    begin(this, this.#service!, head);
    this.request.head = this.#headFor(head, pool);
    const rest = this.request.take(bytes, next, end);
    if (!this.isOver) dispatch(this, this.#services, pool, false);
    const { shadow } = this.#service!;
    if (shadow !== undefined) this.response.tap = this.#services.shadowOf(shadow, this);
    return rest;
  }

  // What the client's connection tells.

  /** The client has room again. */
  onClientRoom(): void {
    this.request.stream?.resumeReading();
  }

  /** The client did not send in time. */
  onClientDeadline(): void {
    if (this.response.isDone) this.giveUpRequest();
    else if (!this.request.isDone) this.fail('REQUEST_TIMEOUT');
  }

  /** The client left, or stopped taking part; `isClean`: it closed without an error. */
  clientGone(code: 'CLIENT_GONE' | 'CLIENT_STALLED' | 'STOPPED', isClean: boolean): void {
    if (this.isOver) return;
    this.#letGo(isClean);
    if (!this.response.isDone && this.tunnel === undefined) this.failure = code;
    if (!this.response.isHeadSent) this.response.status = FAILURES[code].status;
    // One that has ended its side alone may still read what was written.
    if (code === 'CLIENT_GONE') this.client.breakOff(true);
    else this.client.cut();
    this.finish();
  }

  // What the target's stream tells.

  receiveInformational(head: ResponseHead): void {
    if (head.status === 100) this.request.continue();
    this.response.relayInformational(head);
  }

  isUnwanted(head: ResponseHead): boolean {
    return isUnwanted(this, this.#services, this.#service!, head);
  }

  askElsewhere(): void {
    askElsewhere(this, this.#services);
  }

  receiveHead(head: ResponseHead, part: readonly number[], trailers: string | undefined): Flow {
    if (head.offersConnectionLogin) this.request.bind();
    if (this.isRescue && head.status < 400) this.#services.tally.rescued(this.block);
    if (!this.isHead && isEventStream(head)) {
      this.stream = new EventStreamResponse(this, this.#services.wheel, head);
      this.#services.longLivedBegan(this);
    }
    const last = this.stream?.follow(head.bytes, part);
    if (last === undefined) return flowOf(this.response.relayHead(head, part, trailers));
    this.response.relayHead(head, last, '');
    return FLOW.ended;
  }

  receiveBody(bytes: Buffer, part: readonly number[], trailers: string | undefined): Flow {
    const last = this.stream?.follow(bytes, part);
    if (last === undefined) return flowOf(this.response.relayBody(bytes, part, trailers));
    this.response.relayBody(bytes, last, ''); // Where we end a stream, there are no trailers.
    return FLOW.ended;
  }

  /** The whole response has been handed to the client. */
  endResponse(): void {
    this.response.isDone = true;
    // An early response. The target may go on reading; else the rest of the body is read and
    // dropped, within bounds.
    if (this.request.isReceiving) this.client.resumeReading();
    else if (this.request.isDone || !this.response.keepAlive) this.finish();
    else this.client.awaitRestOfRequest();
  }

  /** 101: from here on bytes are carried both ways until both sides have ended. */
  startTunnel(head: ResponseHead, bytes: Buffer, next: number, end: number): boolean {
    this.response.relaySwitching(head);
    this.tunnel = new Tunnel(this, this.#services.wheel, head.isWebSocket);
    // In this order: what waits for a quiet side must find it in one count or the other.
    this.#services.longLivedBegan(this);
    countRequest(this.#services, this, this.block);
    this.client.startTunnel();
    return next === end || this.tunnel.fromTarget(bytes, next, end);
  }

  receiveTunnel(bytes: Buffer, start: number, end: number): boolean {
    return this.tunnel!.fromTarget(bytes, start, end);
  }

  targetEnded(): void {
    this.tunnel?.targetEnded();
  }

  closeTunnel(isClean: boolean): void {
    if (this.isOver) return;
    this.#letGo(isClean);
    this.client.breakOff(isClean || this.response.showsCut);
    this.finish();
  }

  sendElsewhere(): void {
    sendElsewhere(this, this.#services);
  }

  connectFailed(isTimeout: boolean, detail?: string): void {
    const code = isTimeout ? 'CONNECT_TIMEOUT' : 'CONNECT_FAILED';
    retryConnect(this, this.#services, this.#service!, [code, detail]);
  }

  targetClosed(how: TargetEnd, detail?: string): void {
    retryClosed(this, this.#services, how, detail);
  }

  // How it ends.

  /** Ends with a response of our own, or by cutting one that has begun. */
  fail(code: FailureCode, detail?: string): void {
    if (this.isOver) return;
    this.#letGo();
    if (this.response.isDone) {
      // The response is whole; only the rest of the request is not worth reading.
      this.giveUpRequest();
    } else if (this.response.isHeadSent) {
      this.failure = code;
      // Our own state may be broken, or the client does not read: nothing more is delivered.
      if (code === 'INTERNAL' || code === 'CLIENT_TOO_SLOW') this.client.cut();
      else this.client.breakOff(this.response.showsCut);
      this.finish();
    } else {
      // Any failure of the other color means 404 to the client: the active color has no such file.
      const isLost = this.isRescue && FAILURES[code].blame !== 'client';
      this.#refuse(isLost ? refusalFor('RESCUE_FAILED') : refusalFor(code, detail));
    }
  }

  onFault(error: unknown): void {
    this.#services.contained(error);
    // It has ended already: what broke then, or behind it on the connection, costs the connection.
    if (this.isOver) this.client.cut();
    else this.fail('INTERNAL');
  }

  /** The rest of the request is not worth reading. */
  giveUpRequest(): void {
    this.response.keepAlive = false;
    this.#letGo();
    this.finish();
  }

  /** Ends a tunnel or event stream in order; other requests end by themselves. */
  endGently(): void {
    if (this.isOver) return;
    this.tunnel?.endGently();
    this.stream?.endGently();
  }

  /** Its drain is over. */
  cutByDrain(): void {
    this.fail('DRAIN_ENDED');
  }

  /** The time of a stop is up: no response is made up, the target may have done what was asked. */
  cutByStop(): void {
    if (!this.isOver && !this.response.isDone) this.failure = 'STOPPED';
    this.clientGone('STOPPED', false);
  }

  endStream(): void {
    this.request.stream?.endEarly();
  }

  /** Counts and logs once, and hands the client connection back. */
  finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.tunnel?.stop();
    this.stream?.stop();
    settle(this.#services, this);
    this.client.exchangeEnded(this.response.keepAlive);
  }

  /** The proxy responds itself, whether or not there is a target. */
  #endsHere(): boolean {
    return this.#refusal !== undefined || this.request.isTooLarge || this.#own !== undefined;
  }

  /** The proxy responds itself; nothing is sent to a target. */
  #respondHere(head: RequestHead): void {
    this.request.head = text(head.bytes, head.start, head.end); // for the log
    if (this.#own !== undefined) {
      this.response.respond(this.#own, this.request.isDone);
      this.finish();
      return;
    }
    const missing = this.#service === undefined ? 'NO_ROUTE' : 'NO_TARGET';
    const code = this.request.isTooLarge ? 'BODY_TOO_LARGE' : missing;
    this.#refuse(this.#refusal ?? refusalFor(code));
  }

  #headFor(head: RequestHead, { endpoint }: TargetPool): string {
    const { forwarder, ids } = this.#services;
    const { requestEnding } = this.deployment;
    return forwarder.requestHead(head, this.client.peer, endpoint.authority, requestEnding, ids);
  }

  /** Ends the exchange with a refusal; nothing has left yet. */
  #refuse(refusal: Refusal): void {
    this.failure = refusal.code;
    this.response.refuse(withErrorPage(refusal, this.#errorPages), this.request.isDone);
    this.finish();
  }

  /** Gives up the connection, or the place in the queue for one. `isClean`: in order, of a tunnel. */
  #letGo(isClean = false): void {
    const { stream } = this.request;
    this.request.detach();
    stream?.abandon(isClean || this.tunnel === undefined || this.response.showsCut);
    if (this.request.leaveQueue()) this.pool?.leaveQueue(this.request);
  }
}
