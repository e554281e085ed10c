// One client connection: turns its bytes into request heads, hands bodies to the exchange, keeps
// pipelined requests in order, and closes in a way that lets the client read our last answer.
//
//   head ─► exchange ─► head …     tunnel: after 101     linger: closing, input dropped
//    │ ▲       │
//    ▼ │       └──────────────► linger ─► closed
//   waiting (its service is held)

import type net from 'node:net';
import type { FailureCode } from '../../base/failures.ts';
import { LINGER_BYTES_MAX, LINGER_MS, UPLOAD_READ_BYTES } from '../../base/limits.ts';
import { faultRow } from '../../http/faults.ts';
import { describePeer, type Peer } from '../../http/forwarding.ts';
import type { RequestHead } from '../../http/request-head.ts';
import { readInto } from '../transport/accepted-socket.ts';
import { ClientWriter } from './client-writer.ts';
import type { DecidedClient } from '../routing/decision.ts';
import { Exchange } from '../exchange/exchange.ts';
import type { Ticket, Waiter } from '../routing/hold-queue.ts';
import type { Plane } from '../plane.ts';
import { Reconnect } from './reconnect.ts';
import { refusalResponse, refusalFor } from '../routing/refusal.ts';
import { RequestReader, type RequestReaderOwner } from './request-reader.ts';
import { Timer } from '../base/wheel.ts';

type Phase = 'head' | 'waiting' | 'exchange' | 'tunnel' | 'linger' | 'closed';

export class H1Client implements DecidedClient, RequestReaderOwner, Waiter {
  readonly socket: net.Socket;
  readonly peer: Peer;
  /** Came in where all requests go to the idle color. */
  readonly isPreview: boolean;
  readonly reconnect: Reconnect;
  givenSession: DecidedClient['givenSession'] = undefined;
  readonly #plane: Plane;
  readonly #timer = new Timer(this);
  readonly #writer: ClientWriter;
  #phase: Phase = 'head';
  #exchange: Exchange | undefined = undefined;
  readonly #reader: RequestReader;
  /** Its place among those who wait, or waited. */
  #ticket: Ticket | undefined = undefined;
  /** Its request has waited for as long as anybody may. */
  #hasWaited = false;
  #isPaused = false;
  #requestCount = 0;
  #lingerBytes = 0;
  #idleSinceMs: number;
  /** Read buffer of a large upload: what the target has not taken yet stays in it. */
  #uploadBuffer: Buffer | undefined = undefined;

  constructor(plane: Plane, accepted: net.Socket, isPreview: boolean) {
    this.#plane = plane;
    this.isPreview = isPreview;
    this.reconnect = new Reconnect(plane.wheel);
    this.#reader = new RequestReader(this, plane.requestHead, plane.clientBuffer);
    const receive = (bytes: Buffer, length: number): void => this.#receive(bytes, length);
    const socket = readInto(accepted, () => this.#nextBuffer(), receive);
    this.socket = socket;
    this.#writer = new ClientWriter(socket, plane.settings.client.sendIdleTimeoutMs, this);
    this.peer = describePeer(socket.remoteAddress, plane.isTrusted(socket.remoteAddress));
    socket.on('end', () => this.#onEnd());
    socket.on('error', () => this.#onClose(true));
    socket.on('close', (hadError) => this.#onClose(hadError));
    plane.wheel.arm(this.#timer, plane.settings.client.headTimeoutMs);
    this.#idleSinceMs = plane.wheel.nowMs();
  }

  get hasWaited(): boolean {
    // A worker that stops lets nobody wait any more.
    return this.#hasWaited || this.#plane.isStopping;
  }

  /** The request that runs waited before: how many do is bounded already. */
  get wasHeld(): boolean {
    return this.#ticket !== undefined;
  }

  get hasPendingView(): boolean {
    return this.#writer.hasPendingView;
  }

  get mayTakeRequest(): boolean {
    return this.#phase === 'head' && !this.#isPaused;
  }

  get wantsRest(): boolean {
    return this.#phase === 'exchange' || this.#phase === 'head' || this.#phase === 'waiting';
  }

  /** What runs here now. */
  get exchange(): Exchange | undefined {
    return this.#exchange;
  }

  /** Writes part of an answer; false when the client should be given time to read. */
  write(piece: string | Buffer): boolean {
    if (piece.length === 0) return this.#writer.hasRoom;
    if (this.#exchange !== undefined) this.#exchange.responseBytes += piece.length;
    return this.#writer.write(piece);
  }

  /** Writes bytes that belong to a read buffer: false until the system has taken all of them. */
  writeView(view: Buffer): boolean {
    this.#exchange!.responseBytes += view.length;
    return this.#writer.writeView(view);
  }

  pauseReading(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.socket.pause();
    // Who waits, waits for as long as before.
    const isWaiting = this.#phase === 'waiting' || this.#exchange?.isQueued === true;
    if (!isWaiting) this.#plane.wheel.disarm(this.#timer);
  }

  resumeReading(): void {
    if (this.#phase === 'exchange' && this.#exchange!.isReceiving && !this.#exchange!.isQueued) {
      this.#plane.wheel.arm(this.#timer, this.#plane.settings.client.bodyIdleTimeoutMs);
    }
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.socket.resume();
  }

  /** Bounds the wait for a connection to the target. */
  awaitConnection(): void {
    this.#plane.wheel.arm(this.#timer, this.#plane.settings.upstream.connectTimeoutMs);
  }

  stopWaiting(): void {
    this.#plane.wheel.disarm(this.#timer);
  }

  /** The answer is out, the request is not all in. */
  awaitRestOfRequest(): void {
    this.resumeReading();
    this.#plane.wheel.arm(this.#timer, LINGER_MS);
  }

  startTunnel(): void {
    this.#phase = 'tunnel';
    this.#plane.wheel.disarm(this.#timer);
    const early = this.#reader.takeKept();
    if (early !== undefined) this.#exchange!.tunnel!.fromClient(early.bytes, early.length);
    this.resumeReading();
  }

  endWriting(): void {
    this.socket.end();
  }

  /** The exchange is over; the next request may begin. */
  exchangeEnded(keepAlive: boolean): void {
    this.#exchange = undefined;
    this.#ticket = undefined;
    if (this.#phase === 'closed' || this.#phase === 'linger') return;
    if (!keepAlive) {
      this.closeAfterFlush();
      return;
    }
    this.#phase = 'head';
    this.awaitHead();
    if (this.#writer.hasRoom) {
      this.resumeReading();
      this.#reader.resume();
    } else {
      // Whoever asks without reading the answers gets no more of them until it does.
      this.#writer.limit();
    }
  }

  /** Ends our side once all is sent, then drops what the client still sends (RFC 9112 §9.6). */
  closeAfterFlush(): void {
    if (this.#phase === 'closed' || this.#phase === 'linger') return;
    this.#phase = 'linger';
    this.#reader.takeKept();
    this.#plane.wheel.disarm(this.#timer);
    this.#writer.end(() => this.#linger());
  }

  /** Breaks the connection so that nobody can take a cut answer for a whole one. */
  cut(): void {
    if (this.#phase === 'closed') return;
    this.#exchange = undefined;
    // A reset behind a pending FIN fails in libuv and would leave the socket open for ever.
    if (this.socket.writableEnded) this.socket.destroy();
    else this.socket.resetAndDestroy();
    this.#onClose(true);
  }

  /** The plane has changed how long connections may be idle: one that is ends in that time. */
  endIdle(): void {
    if (this.#phase !== 'head' || !this.#reader.isIdle) return;
    const idleMs = this.#plane.wheel.nowMs() - this.#idleSinceMs;
    this.#plane.wheel.arm(this.#timer, Math.max(0, this.#plane.idleMaxMs - idleMs));
  }

  onDeadline(): void {
    switch (this.#phase) {
      case 'head':
        // If the thread stood still, the next request may lie there unread: that is read first.
        if (this.#reader.isIdle) setImmediate(() => this.#closeIfIdle());
        else this.#refuse('REQUEST_TIMEOUT', undefined);
        break;
      case 'waiting':
        this.waitNoLonger();
        break;
      case 'exchange':
        this.#exchange!.onClientDeadline();
        break;
      default:
        this.socket.destroy();
    }
  }

  #closeIfIdle(): void {
    if (this.#phase === 'head' && !this.#timer.isArmed) this.closeAfterFlush();
  }

  /** All connections share one buffer, but a large upload goes to the target without a copy. */
  #nextBuffer(): Buffer {
    if (this.#exchange?.isLargeUpload !== true) {
      this.#uploadBuffer = undefined;
      return this.#plane.clientBuffer;
    }
    this.#uploadBuffer ??= Buffer.allocUnsafeSlow(UPLOAD_READ_BYTES);
    return this.#uploadBuffer;
  }

  onRoom(wasLimited: boolean): void {
    if (this.#phase === 'linger') return;
    if (wasLimited) {
      if (this.#phase === 'head') this.awaitHead();
      if (this.#phase !== 'tunnel' && this.#exchange?.isReceiving !== true) this.resumeReading();
    }
    if (this.#exchange !== undefined) this.#exchange.onClientDrain();
    else if (this.#phase === 'head') this.#reader.resume();
  }

  /** A client that owes us nothing is not read while it does not read itself. */
  onSendLimited(): void {
    const owesUs = this.#phase === 'tunnel' || this.#exchange?.isReceiving === true;
    if (!owesUs) this.pauseReading();
  }

  onSendStalled(): void {
    if (this.#exchange !== undefined) this.#exchange.clientGone('CLIENT_STALLED', false);
    else this.cut();
  }

  #receive(bytes: Buffer, length: number): void {
    try {
      this.#onData(bytes, length);
    } catch (error) {
      this.#reader.abandonRead();
      this.#plane.contained(error);
      if (this.#exchange !== undefined) this.#exchange.fail('INTERNAL');
      else if (this.#phase === 'head') this.#refuse('INTERNAL', undefined);
      else this.cut();
    }
  }

  #onData(bytes: Buffer, length: number): void {
    switch (this.#phase) {
      case 'head':
        this.#reader.read(bytes, 0, length);
        break;
      case 'waiting':
        this.#reader.keep(bytes, 0, length);
        this.#plane.parking.grow(this.#ticket!, length);
        break;
      case 'exchange':
        this.#readBody(bytes, length);
        break;
      case 'tunnel':
        this.#exchange!.tunnel!.fromClient(bytes, length);
        break;
      case 'linger':
        this.#lingerBytes += length;
        if (this.#lingerBytes > LINGER_BYTES_MAX) this.socket.destroy();
        break;
      case 'closed':
    }
  }

  /** Decides on a request and starts its exchange, or lets it wait where it is. */
  takeRequest(head: RequestHead, bytes: Buffer, at: number, next: number, end: number): number {
    const decision = this.#plane.decide(head, this);
    if (decision.verdict === 'wait') {
      this.#wait(end - at);
      return at;
    }
    this.#hasWaited = false;
    this.#requestCount++;
    const { requestsMax } = this.#plane.settings.client;
    const mayStay =
      !this.#plane.isStopping && (requestsMax === 0 || this.#requestCount < requestsMax);
    this.#plane.wheel.disarm(this.#timer);
    this.reconnect.servedBy(decision.side.block);
    const exchange = new Exchange(this.#plane, this, head, head.keepAlive && mayStay);
    this.#phase = 'exchange';
    this.#exchange = exchange;
    const rest = exchange.start(head, bytes, next, end);
    if (this.#phase === 'exchange' && exchange.isReceiving && !this.#isPaused) this.resumeReading();
    return rest;
  }

  waitNoLonger(): void {
    this.#hasWaited = true;
    this.resume();
  }

  /** The service is held no longer, or the request has waited for long enough. */
  resume(): void {
    if (this.#phase !== 'waiting') return;
    this.#plane.parking.leave(this.#ticket);
    this.#plane.wheel.disarm(this.#timer);
    this.#phase = 'head';
    this.resumeReading();
    this.#reader.resume();
  }

  onHeadFault(fault: number): void {
    const { failure, detail } = faultRow(fault);
    this.#refuse(failure, detail);
  }

  #wait(bytes: number): void {
    const { decision, parking, wheel } = this.#plane;
    const service = decision.service!;
    this.#phase = 'waiting';
    this.#ticket = parking.enter(this, service, bytes);
    wheel.arm(this.#timer, wheel.wall.untilMs(service.hold!.untilMs));
  }

  #readBody(bytes: Buffer, length: number): void {
    const exchange = this.#exchange!;
    const wasReceiving = exchange.isReceiving;
    const at = exchange.takeBody(bytes, 0, length);
    if (this.#phase === 'exchange') {
      if (exchange.isReceiving) {
        if (!this.#isPaused) this.resumeReading();
      } else if (wasReceiving && !exchange.isQueued) {
        this.#plane.wheel.disarm(this.#timer);
      }
      if (at < length) this.#reader.keep(bytes, at, length);
    } else if (this.#phase === 'head' && at < length) {
      this.#reader.read(bytes, at, length);
    }
  }

  #onEnd(): void {
    if (this.#phase === 'tunnel') {
      this.#exchange!.tunnel!.clientEnded();
    } else if (this.#phase === 'exchange') {
      this.#exchange!.clientGone('CLIENT_GONE', false);
    } else if (this.#phase === 'waiting') {
      this.#plane.refused('CLIENT_GONE', this.peer.address);
      this.cut();
    } else if (this.#phase === 'head') {
      this.closeAfterFlush(); // The last answer may still be on its way.
    }
  }

  /** All is sent: waits a moment for the client to close, dropping what it sends. */
  #linger(): void {
    if (this.#phase !== 'linger') return;
    this.resumeReading();
    this.#plane.wheel.arm(this.#timer, LINGER_MS);
  }

  /** Bounds the wait for the next request, or for the rest of one that has begun. */
  awaitHead(): void {
    const { idleMaxMs, settings, wheel } = this.#plane;
    wheel.arm(this.#timer, this.#reader.isIdle ? idleMaxMs : settings.client.headTimeoutMs);
    this.#idleSinceMs = wheel.nowMs();
  }

  /** Answers a request that never became an exchange, and closes. */
  #refuse(code: FailureCode, detail: string | undefined): void {
    this.#plane.refused(code, this.peer.address);
    const refusal = refusalFor(code, detail);
    this.#writer.write(refusalResponse(refusal, { keepAlive: false, isHead: false }));
    this.closeAfterFlush();
  }

  #onClose(hadError: boolean): void {
    if (this.#phase === 'closed') return;
    const exchange = this.#exchange;
    this.#phase = 'closed';
    this.#plane.parking.leave(this.#ticket);
    this.#reader.takeKept();
    this.#plane.wheel.remove(this.#timer);
    this.#plane.clientClosed(this);
    this.socket.destroy();
    exchange?.clientGone('CLIENT_GONE', !hadError);
  }
}
