// One HTTP/1.1 client connection: turns its bytes into request heads, hands bodies to the exchange,
// keeps pipelined requests in order, and closes so that the client can read our last response.
//
//   head ─► exchange ─► head …     tunnel: after 101     linger: closing, input dropped
//    │ ▲       │
//    ▼ │       └──────────────► linger ─► closed
//   waiting (its service is held)

import type { FailureCode } from '../../base/failures.ts';
import { faultRow } from '../../http/grammar/faults.ts';
import type { Peer } from '../../http/forward/forwarding.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import { Exchange } from '../exchange/exchange.ts';
import type { DecidedClient } from '../routing/decision.ts';
import { refusalFor, type Refusal } from '../routing/responses/refusal.ts';
import type { Incoming } from '../transport/greeted-socket.ts';
import type { ClientStream } from '../transport/transport.ts';
import { peerOf, type Arrival } from './arrival.ts';
import { ClientSocket, type ClientSocketOwner } from './client-socket.ts';
import type { ClientWriter } from './client-writer.ts';
import type { Seat, SeatHolder } from '../base/crowd.ts';
import { HalfClosed } from './half-closed.ts';
import { HeldRequest } from './held-request.ts';
import { Reconnect } from './reconnect.ts';
import { refuseRequest } from './refuse-request.ts';
import { RequestReader, type RequestReaderOwner } from './request-reader.ts';
import type { ClientServices } from './client-services.ts';

type Phase = 'head' | 'waiting' | 'exchange' | 'tunnel' | 'linger' | 'closed';

export class H1Client
  implements ClientSocketOwner, ClientStream, DecidedClient, RequestReaderOwner, SeatHolder
{
  readonly peer: Peer;
  readonly isPreview: boolean;
  readonly redirectPort: number | undefined;
  readonly output: ClientWriter;
  readonly source: ClientSocket;
  readonly reconnect: Reconnect;
  givenSession: DecidedClient['givenSession'] = undefined;
  bonds: DecidedClient['bonds'] = undefined;
  /** What runs here now. */
  exchange: Exchange | undefined = undefined;
  readonly #services: ClientServices;
  readonly #socket: ClientSocket;
  readonly #reader: RequestReader;
  readonly #seat: Seat;
  #phase: Phase = 'head';
  /** Set once the client has ended its side while a request of it runs. */
  #halfClosed: HalfClosed | undefined = undefined;
  /** Its request waits, or waited, because the service is held. */
  #held: HeldRequest | undefined = undefined;
  /** The client has said that it sends nothing after the request that runs. */
  #isLastRequest = false;

  constructor(services: ClientServices, accepted: Incoming, arrival: Arrival) {
    this.#services = services;
    this.isPreview = arrival.isPreview;
    this.redirectPort = arrival.redirectPort;
    this.reconnect = new Reconnect(services.wheel);
    this.#reader = new RequestReader(this, services.requestHead, services.clientBuffer);
    this.#socket = new ClientSocket(services, this, accepted, arrival.ends);
    this.output = this.#socket.output;
    this.source = this.#socket;
    this.peer = peerOf(arrival, this.#socket.remoteAddress, services);
    const isOneOfMany = this.peer.isTrusted || this.peer.addressHash === 0;
    this.#seat = services.crowd.enter(this, isOneOfMany ? undefined : this.peer.address);
  }

  get hasWaited(): boolean {
    return this.#held?.hasWaited === true;
  }

  // As its exchange sees it.

  get wasHeld(): boolean {
    return this.#held !== undefined;
  }

  get mustClose(): boolean {
    const { isStopping, settings } = this.#services;
    if (isStopping || (this.#socket.hasEnded && this.#reader.isEmpty)) return true;
    return this.reconnect.isDue(settings.client.requestsMax);
  }

  get isPaused(): boolean {
    return this.#socket.isPaused;
  }

  pauseReading(): void {
    this.#socket.pauseReading();
  }

  resumeReading(): void {
    if (this.#phase === 'exchange' && this.exchange!.request.isReceiving) {
      this.#socket.patience.awaitBody();
    }
    this.#socket.resumeReading();
  }

  awaitRestOfRequest(): void {
    this.resumeReading();
    this.#socket.patience.awaitRest();
  }

  startTunnel(): void {
    this.#phase = 'tunnel';
    this.#socket.patience.rest();
    this.exchange!.tunnel!.begin(this.#reader.takeKept(), this.#socket.hasEnded);
    this.resumeReading();
  }

  endWriting(): void {
    this.#socket.endWriting();
  }

  exchangeEnded(keepAlive: boolean): void {
    this.exchange = undefined;
    this.#held = undefined;
    if (this.#phase === 'closed' || this.#phase === 'linger') return;
    if (!keepAlive) {
      this.closeAfterFlush();
      return;
    }
    this.#phase = 'head';
    this.#services.crowd.rest(this.#seat);
    this.awaitHead();
    if (this.output.hasRoom) {
      this.resumeReading();
      this.#readOn();
    } else {
      // A client that sends requests without reading the responses gets no more until it reads.
      this.output.limit();
    }
  }

  closeAfterFlush(): void {
    if (this.#phase === 'closed' || this.#phase === 'linger') return;
    // One that has promised to send no more needs no waiting for (RFC 9112 §9.6).
    if (this.#isLastRequest && this.output.isFlushed && this.#reader.isEmpty) {
      this.onClosed(false);
      return;
    }
    this.breakOff(true);
  }

  breakOff(isSeen: boolean): void {
    if (this.#phase === 'closed' || this.#phase === 'linger') return;
    // A raw protocol on a Unix socket can't be told of a break, and must not be left hanging.
    const isEnd = isSeen || (this.#phase === 'tunnel' && !this.#socket.canReset);
    this.#phase = 'linger';
    this.#services.crowd.wake(this.#seat);
    this.#reader.takeKept();
    if (isEnd) this.#socket.end();
    else this.#socket.breakOff();
  }

  cut(): void {
    if (this.#phase === 'closed') return;
    this.#socket.cut();
    this.onClosed(true);
  }

  // As its worker sees it.

  /** Gives its place to another client, unless its last response is still on its way. */
  makeRoom(): boolean {
    if (this.#phase === 'exchange' && this.#socket.hasEnded)
      this.exchange!.clientGone('CLIENT_GONE', false); // It may have left long ago.
    else if (this.#phase === 'head' && this.output.isFlushed) this.onClosed(false);
    else return false;
    return true;
  }

  /** The idle timeout has changed: an idle connection gets what is left of the new one. */
  endIdle(): void {
    if (this.#services.isStopping) this.#socket.hurry();
    if (this.#phase === 'head' && this.#reader.isIdle) this.#socket.patience.renewIdle();
  }

  /** The time of a stop is up: what runs here is cut, what waits is refused, both are counted. */
  cutByStop(): void {
    if (this.exchange !== undefined) this.exchange.cutByStop();
    else if (this.#phase === 'waiting') this.#refuse('STOPPED');
    else this.cut();
  }

  /** The request that waited is decided on anew. */
  goOn(): void {
    this.#phase = 'head';
    this.resumeReading();
    this.#readOn();
  }

  // What its reader of requests asks and tells.

  get mayTakeRequest(): boolean {
    return this.#phase === 'head' && !this.isPaused;
  }

  get wantsRest(): boolean {
    return this.#phase === 'exchange' || this.#phase === 'head' || this.#phase === 'waiting';
  }

  /** Decides on a request and starts its exchange, or lets it wait where it is. */
  takeRequest(head: RequestHead, bytes: Buffer, at: number, next: number, end: number): number {
    const decided = this.#services.decide(head, this);
    this.#services.crowd.wake(this.#seat);
    if (decided.verdict === 'wait') {
      this.#phase = 'waiting';
      this.#socket.patience.rest();
      this.#held ??= new HeldRequest(this, this.#services);
      this.#held.wait(decided.service!, end - at);
      if (!this.#socket.hasEnded) return at;
      this.#refuseHeld();
      return end;
    }
    if (this.#held !== undefined) this.#held.hasWaited = false;
    this.#isLastRequest = !head.keepAlive && head.bodyLength === 0 && !head.upgrade;
    this.#socket.patience.rest();
    this.reconnect.servedBy(decided.deployment.block);
    const exchange = new Exchange(this.#services, this, head, decided);
    this.#phase = 'exchange';
    this.exchange = exchange;
    const rest = exchange.start(head, bytes, next, end);
    if (this.#phase !== 'exchange') return rest;
    if (this.#socket.hasEnded) this.#goOnAfterEnd(exchange);
    else if (exchange.request.isReceiving && !this.isPaused) this.resumeReading();
    return rest;
  }

  onHeadFault(fault: number, head: RequestHead | undefined): void {
    const { failure, detail } = faultRow(fault);
    this.#refuse(failure, detail, head?.hasFields === true ? head : undefined);
  }

  /** Bounds the wait for the next request, or for the rest of one that has begun. */
  awaitHead(): void {
    this.#socket.patience.awaitHead(!this.#reader.isIdle);
  }

  // What its writer tells.

  onWritable(wasLimited: boolean): void {
    if (this.#phase === 'linger') return;
    if (wasLimited) {
      if (this.#phase === 'head') this.awaitHead();
      const isReceiving = this.exchange?.request.isReceiving === true;
      if (this.#phase !== 'tunnel' && !isReceiving) this.resumeReading();
    }
    if (this.exchange !== undefined) this.exchange.onClientRoom();
    else if (this.#phase === 'head') this.#readOn();
  }

  /** A client that does not read is not read either, unless more of a body or tunnel is to come. */
  onSendLimited(): void {
    const isAwaited = this.#phase === 'tunnel' || this.exchange?.request.isReceiving === true;
    if (!isAwaited) this.pauseReading();
  }

  onSendStalled(): void {
    if (this.exchange !== undefined) this.exchange.clientGone('CLIENT_STALLED', false);
    else this.cut();
  }

  // What its socket and its timer tell.

  /** All connections share one buffer, but a large upload goes to the target without a copy. */
  nextBuffer(): Buffer {
    return this.exchange?.request.uploadBuffer() ?? this.#services.clientBuffer;
  }

  onData(bytes: Buffer, length: number): boolean {
    switch (this.#phase) {
      case 'head':
        this.#reader.read(bytes, 0, length);
        break;
      case 'waiting':
        this.#reader.keep(bytes, 0, length);
        this.#held!.grow(length);
        break;
      case 'exchange':
        this.#readBody(bytes, length);
        break;
      case 'tunnel':
        this.exchange!.tunnel!.fromClient(bytes, length);
        break;
      default: // Nothing is wanted any more.
    }
    return true; // `pauseReading` says when to stop.
  }

  onEnd(): void {
    switch (this.#phase) {
      case 'head':
        this.closeAfterFlush(); // The last response may still be on its way.
        break;
      case 'waiting':
        this.#refuseHeld();
        break;
      case 'exchange':
        this.#goOnAfterEnd(this.exchange!);
        break;
      case 'tunnel':
        this.exchange!.tunnel!.clientEnded();
        break;
      default: // It is ending.
    }
  }

  onClosed(hadError: boolean): void {
    if (this.#phase === 'closed') return;
    const exchange = this.exchange;
    if (this.#phase === 'waiting' && !this.#socket.isCut)
      this.#services.refused('CLIENT_GONE', this.peer.address, '');
    this.#phase = 'closed';
    this.#held?.leave();
    this.#reader.takeKept();
    this.#services.crowd.leave(this.#seat);
    this.#services.clientClosed(this);
    this.#socket.close();
    // A cut is ours: its exchange ends by itself, and is kept until it has, whatever breaks on the way.
    if (!this.#socket.isCut) exchange?.clientGone('CLIENT_GONE', !hadError);
  }

  onDeadline(): void {
    switch (this.#phase) {
      case 'head':
        // If the thread stood still, the next request may be there unread: it is read first.
        if (this.#reader.isIdle)
          this.#socket.later(() => {
            if (this.#phase === 'head' && !this.#socket.patience.isWaiting) this.closeAfterFlush();
          });
        else this.#refuse('REQUEST_TIMEOUT');
        break;
      case 'exchange':
        if (this.#socket.hasEnded) this.#halfClosed?.look();
        else this.exchange!.onClientDeadline();
        break;
      default:
        this.cut();
    }
  }

  onFault(error: unknown): void {
    this.#reader.abandonRead();
    if (this.exchange !== undefined) {
      this.exchange.onFault(error);
      return;
    }
    this.#services.contained(error);
    if (this.#phase === 'head') this.#refuse('INTERNAL');
    else this.cut();
  }

  /** Takes the next request from what is kept; of a client that has ended its side, the last. */
  #readOn(): void {
    this.#reader.resume();
    if (this.#socket.hasEnded && this.#phase === 'head' && !this.#reader.isReading)
      this.closeAfterFlush();
  }

  /** The client has ended its side; until it is known to have left it may get the response. */
  #goOnAfterEnd(exchange: Exchange): void {
    this.#services.crowd.rest(this.#seat);
    this.#halfClosed = new HalfClosed(exchange, this.#socket);
  }

  #readBody(bytes: Buffer, length: number): void {
    const { request } = this.exchange!;
    const wasReceiving = request.isReceiving;
    const at = request.take(bytes, 0, length);
    if (this.#phase === 'exchange') {
      if (request.isReceiving) {
        if (!this.isPaused) this.resumeReading();
      } else if (wasReceiving) {
        this.#socket.patience.rest();
      }
      if (at < length) this.#reader.keep(bytes, at, length);
    } else if (this.#phase === 'head' && at < length) {
      this.#reader.read(bytes, at, length);
    }
  }

  /**
   * The client has ended its side while its request waits. If it has left, the request must not
   * reach a target later, nor keep a place; if it has not, it is told to come back.
   */
  #refuseHeld(): void {
    const detail = 'the service is held, and this request cannot wait: its client sends no more';
    this.#refuse('CLIENT_GONE', undefined, undefined, refusalFor('HOLD_FULL', detail));
  }

  /** Refuses a request that never became an exchange, and closes; `head`: its fields were read. */
  #refuse(code: FailureCode, detail?: string, head?: RequestHead, told?: Refusal): void {
    this.#held?.leave();
    refuseRequest(this.#services, this, { code, told, detail, head });
    this.closeAfterFlush();
  }
}
