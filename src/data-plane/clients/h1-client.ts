// One HTTP/1.1 client connection: turns its bytes into request heads, hands bodies to the exchange,
// keeps pipelined requests in order, and closes so that the client can read our last response.
//
//   head ─► exchange ─► head …     tunnel: after 101     linger: closing, input dropped
//    │ ▲       │
//    ▼ │       └──────────────► linger ─► closed
//   waiting (its service is held)

import type { FailureCode } from '../../base/failures.ts';
import { faultRow } from '../../http/faults.ts';
import { describePeer, type Peer } from '../../http/forwarding.ts';
import type { RequestHead } from '../../http/request-head.ts';
import type { TimerOwner } from '../base/wheel.ts';
import { Exchange } from '../exchange/exchange.ts';
import type { DecidedClient } from '../routing/decision.ts';
import { refusalFor, refusalResponse } from '../routing/refusal.ts';
import type { Accepted } from '../transport/accepted-socket.ts';
import { ByteStream, type StreamOwner } from '../transport/byte-stream.ts';
import type { ClientStream } from '../transport/transport.ts';
import { ClientEnding } from './client-ending.ts';
import { ClientPatience } from './client-patience.ts';
import { ClientWriter, type ClientWriterOwner } from './client-writer.ts';
import type { Seat, SeatHolder } from './crowd.ts';
import { HeldRequest } from './held-request.ts';
import { Reconnect } from './reconnect.ts';
import { RequestReader, type RequestReaderOwner } from './request-reader.ts';
import type { ClientServices } from './client-services.ts';

type Phase = 'head' | 'waiting' | 'exchange' | 'tunnel' | 'linger' | 'closed';

export class H1Client
  implements
    ClientStream,
    ClientWriterOwner,
    DecidedClient,
    RequestReaderOwner,
    SeatHolder,
    StreamOwner,
    TimerOwner
{
  readonly peer: Peer;
  /** Its requests come in where all go to the idle color. */
  readonly isPreview: boolean;
  readonly output: ClientWriter;
  readonly reconnect: Reconnect;
  isPaused = false;
  givenSession: DecidedClient['givenSession'] = undefined;
  bonds: DecidedClient['bonds'] = undefined;
  readonly #services: ClientServices;
  readonly #stream: ByteStream;
  readonly #patience: ClientPatience;
  readonly #reader: RequestReader;
  readonly #seat: Seat;
  #phase: Phase = 'head';
  #exchange: Exchange | undefined = undefined;
  /** Its request waits, or waited, because the service is held. */
  #held: HeldRequest | undefined = undefined;
  /** The client has said that it sends nothing after the request that runs. */
  #isLastRequest = false;
  #isCut = false;
  /** Set once our side ends for good. */
  #ending: ClientEnding | undefined = undefined;

  constructor(services: ClientServices, accepted: Accepted, isPreview: boolean) {
    this.#services = services;
    this.isPreview = isPreview;
    this.reconnect = new Reconnect(services.wheel);
    this.#reader = new RequestReader(this, services.requestHead, services.clientBuffer);
    this.#stream = ByteStream.accept(this, accepted);
    const { remoteAddress } = this.#stream;
    const isTrusted = services.isTrusted(remoteAddress);
    this.peer = describePeer({ remoteAddress, isTrusted, isSecure: false });
    this.output = new ClientWriter(this.#stream, services.settings.client.sendIdleTimeoutMs, this);
    this.#patience = new ClientPatience(services, this);
    const isOneOfMany = isTrusted || remoteAddress === undefined;
    this.#seat = services.crowd.enter(this, isOneOfMany ? undefined : this.peer.address);
  }

  /** What runs here now. */
  get exchange(): Exchange | undefined {
    return this.#exchange;
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
    return isStopping || this.reconnect.isDue(settings.client.requestsMax);
  }

  pauseReading(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.#stream.pause();
    this.#patience.rest();
  }

  resumeReading(): void {
    if (this.#phase === 'exchange' && this.#exchange!.request.isReceiving) {
      this.#patience.awaitBody();
    }
    if (!this.isPaused) return;
    this.isPaused = false;
    this.#stream.resume();
  }

  awaitRestOfRequest(): void {
    this.resumeReading();
    this.#patience.awaitRest();
  }

  startTunnel(): void {
    this.#phase = 'tunnel';
    this.#patience.rest();
    const early = this.#reader.takeKept();
    if (early !== undefined) this.#exchange!.tunnel!.fromClient(early.bytes, early.length);
    this.resumeReading();
  }

  endWriting(): void {
    this.#stream.end();
  }

  exchangeEnded(keepAlive: boolean): void {
    this.#exchange = undefined;
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
      this.#reader.resume();
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
    this.#phase = 'linger';
    this.#services.crowd.wake(this.#seat);
    this.#reader.takeKept();
    this.#patience.rest();
    this.#ending = new ClientEnding(this, this.#stream, this.#services.wheel);
    this.#ending.begin();
  }

  cut(): void {
    if (this.#phase === 'closed') return;
    this.#isCut = true;
    this.#stream.cut();
    this.onClosed(true);
  }

  // As its worker sees it.

  /** Gives its place to another client, unless its last response is still on its way. */
  makeRoom(): boolean {
    if (this.#phase !== 'head' || !this.output.isFlushed) return false;
    this.onClosed(false);
    return true;
  }

  /** The idle timeout has changed: an idle connection gets what is left of the new one. */
  endIdle(): void {
    if (this.#phase === 'head' && this.#reader.isIdle) this.#patience.renewIdle();
  }

  /** The time of a stop is up: what runs here is cut, what waits is refused, both are counted. */
  cutByStop(): void {
    if (this.#exchange !== undefined) this.#exchange.cutByStop();
    else if (this.#phase === 'waiting') this.#refuse('STOPPED');
    else this.cut();
  }

  /** The request that waited is decided on anew. */
  goOn(): void {
    this.#phase = 'head';
    this.resumeReading();
    this.#reader.resume();
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
      this.#patience.rest();
      this.#held ??= new HeldRequest(this, this.#services);
      this.#held.wait(decided.service!, end - at);
      return at;
    }
    if (this.#held !== undefined) this.#held.hasWaited = false;
    this.#isLastRequest = !head.keepAlive && head.bodyLength === 0 && !head.upgrade;
    this.#patience.rest();
    this.reconnect.servedBy(decided.side.block);
    const exchange = new Exchange(this.#services, this, head, decided);
    this.#phase = 'exchange';
    this.#exchange = exchange;
    const rest = exchange.start(head, bytes, next, end);
    const isReceiving = this.#phase === 'exchange' && exchange.request.isReceiving;
    if (isReceiving && !this.isPaused) this.resumeReading();
    return rest;
  }

  onHeadFault(fault: number, head: RequestHead | undefined): void {
    const { failure, detail } = faultRow(fault);
    this.#refuse(failure, detail, head?.hasFields === true ? head : undefined);
  }

  /** Bounds the wait for the next request, or for the rest of one that has begun. */
  awaitHead(): void {
    this.#patience.awaitHead(!this.#reader.isIdle);
  }

  // What its writer tells.

  onWritable(wasLimited: boolean): void {
    if (this.#phase === 'linger') return;
    if (wasLimited) {
      if (this.#phase === 'head') this.awaitHead();
      const isReceiving = this.#exchange?.request.isReceiving === true;
      if (this.#phase !== 'tunnel' && !isReceiving) this.resumeReading();
    }
    if (this.#exchange !== undefined) this.#exchange.onClientRoom();
    else if (this.#phase === 'head') this.#reader.resume();
  }

  /** A client that does not read is not read either, unless more of a body or tunnel is to come. */
  onSendLimited(): void {
    const isAwaited = this.#phase === 'tunnel' || this.#exchange?.request.isReceiving === true;
    if (!isAwaited) this.pauseReading();
  }

  onSendStalled(): void {
    if (this.#exchange !== undefined) this.#exchange.clientGone('CLIENT_STALLED', false);
    else this.cut();
  }

  // What its socket and its timer tell.

  /** All connections share one buffer, but a large upload goes to the target without a copy. */
  nextBuffer(): Buffer {
    return this.#exchange?.request.uploadBuffer() ?? this.#services.clientBuffer;
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
        this.#exchange!.tunnel!.fromClient(bytes, length);
        break;
      case 'linger':
        this.#ending!.drop(length);
        break;
      case 'closed':
    }
    return true; // `pauseReading` says when to stop.
  }

  onRoom(): void {
    this.output.onRoom();
  }

  onSilence(): void {
    this.output.onSilence();
  }

  onEnd(): void {
    if (this.#phase === 'tunnel') {
      this.#exchange!.tunnel!.clientEnded();
    } else if (this.#phase === 'exchange') {
      this.#exchange!.clientGone('CLIENT_GONE', false);
    } else if (this.#phase === 'waiting') {
      this.#services.refused('CLIENT_GONE', this.peer.address, '');
      this.cut();
    } else if (this.#phase === 'head') {
      this.closeAfterFlush(); // The last response may still be on its way.
    }
  }

  onClosed(hadError: boolean): void {
    if (this.#phase === 'closed') return;
    const exchange = this.#exchange;
    if (this.#phase === 'waiting' && !this.#isCut)
      this.#services.refused('CLIENT_GONE', this.peer.address, '');
    this.#phase = 'closed';
    this.#held?.leave();
    this.#reader.takeKept();
    this.#patience.stop();
    this.#ending?.stop();
    this.#services.crowd.leave(this.#seat);
    this.#services.clientClosed(this);
    this.#stream.close();
    // A cut is ours: its exchange ends by itself, and is kept until it has, whatever breaks on the way.
    if (!this.#isCut) exchange?.clientGone('CLIENT_GONE', !hadError);
  }

  onDeadline(): void {
    switch (this.#phase) {
      case 'head':
        // If the thread stood still, the next request may be there unread: it is read first.
        if (this.#reader.isIdle) setImmediate(() => this.#closeIfIdle());
        else this.#refuse('REQUEST_TIMEOUT');
        break;
      case 'exchange':
        this.#exchange!.onClientDeadline();
        break;
      default:
        this.cut();
    }
  }

  onFault(error: unknown): void {
    this.#reader.abandonRead();
    if (this.#exchange !== undefined) {
      this.#exchange.onFault(error);
      return;
    }
    this.#services.contained(error);
    if (this.#phase === 'head') this.#refuse('INTERNAL');
    else this.cut();
  }

  #closeIfIdle(): void {
    try {
      if (this.#phase === 'head' && !this.#patience.isWaiting) this.closeAfterFlush();
    } catch (error) {
      this.onFault(error);
    }
  }

  #readBody(bytes: Buffer, length: number): void {
    const { request } = this.#exchange!;
    const wasReceiving = request.isReceiving;
    const at = request.take(bytes, 0, length);
    if (this.#phase === 'exchange') {
      if (request.isReceiving) {
        if (!this.isPaused) this.resumeReading();
      } else if (wasReceiving) {
        this.#patience.rest();
      }
      if (at < length) this.#reader.keep(bytes, at, length);
    } else if (this.#phase === 'head' && at < length) {
      this.#reader.read(bytes, at, length);
    }
  }

  /** Refuses a request that never became an exchange, and closes; `head`: its fields were read. */
  #refuse(code: FailureCode, detail?: string, head?: RequestHead): void {
    const { ids } = this.#services;
    if (head === undefined) ids.makeOnly();
    else ids.read(head, this.peer.isTrusted);
    const { requestId } = ids;
    this.#services.refused(code, this.peer.address, requestId);
    this.#held?.leave();
    const ending = { keepAlive: false, isHead: false, idField: ids.responseField(requestId) };
    this.output.write(refusalResponse(refusalFor(code, detail), ending));
    this.closeAfterFlush();
  }
}
