// One client connection: turns its bytes into request heads, hands bodies to the exchange, keeps
// pipelined requests in order, and closes in a way that lets the client read our last answer.
//
//   head ─► exchange ─► head …          tunnel: after 101        linger: closing, input dropped
//     └────────┴──────────────► linger ─► closed

import type net from 'node:net';
import type { FailureCode } from '../base/failures.ts';
import {
  LINGER_BYTES_MAX,
  LINGER_MS,
  PIPELINED_BYTES_MAX,
  STOP_IDLE_MS,
  UPLOAD_READ_BYTES,
} from '../base/limits.ts';
import { INCOMPLETE, faultRow } from '../http/faults.ts';
import { describePeer, type Peer } from '../http/forwarding.ts';
import { readInto } from './accepted-socket.ts';
import { ClientWriter } from './client-writer.ts';
import { Exchange } from './exchange.ts';
import { KeptBytes } from './kept-bytes.ts';
import type { Plane } from './plane.ts';
import { refusalAnswer } from './refusal.ts';
import { Timer } from './wheel.ts';

type Phase = 'head' | 'exchange' | 'tunnel' | 'linger' | 'closed';

export class ClientConnection {
  readonly socket: net.Socket;
  readonly peer: Peer;
  readonly #plane: Plane;
  readonly #timer = new Timer(this);
  readonly #writer: ClientWriter;
  #phase: Phase = 'head';
  #exchange: Exchange | undefined = undefined;
  #kept: KeptBytes | undefined = undefined;
  #isPaused = false;
  /** Heads are being read in a loop: an exchange that ends at once must not start another. */
  #isInRead = false;
  #requestCount = 0;
  #lingerBytes = 0;
  #idleSinceMs: number;
  /** Read buffer of a large upload: what the target has not taken yet stays in it. */
  #uploadBuffer: Buffer | undefined = undefined;

  constructor(plane: Plane, accepted: net.Socket) {
    this.#plane = plane;
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

  get hasPendingView(): boolean {
    return this.#writer.hasPendingView;
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
    if (this.#exchange?.isQueued !== true) this.#plane.wheel.disarm(this.#timer);
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
    const early = this.#kept;
    this.#kept = undefined;
    if (early !== undefined) this.#exchange!.tunnelFromClient(early.bytes, early.length);
    this.resumeReading();
  }

  endWriting(): void {
    this.socket.end();
  }

  /** The exchange is over; the next request may begin. */
  exchangeEnded(keepAlive: boolean): void {
    this.#exchange = undefined;
    if (this.#phase === 'closed' || this.#phase === 'linger') return;
    if (!keepAlive) {
      this.closeAfterFlush();
      return;
    }
    this.#phase = 'head';
    this.#armIdle();
    if (this.#writer.hasRoom) {
      this.resumeReading();
      if (this.#kept !== undefined && !this.#isInRead) this.#readKept();
    } else {
      // Whoever asks without reading the answers gets no more of them until it does.
      this.#writer.limit();
    }
  }

  /** Ends our side once all is sent, then drops what the client still sends (RFC 9112 §9.6). */
  closeAfterFlush(): void {
    if (this.#phase === 'closed' || this.#phase === 'linger') return;
    this.#phase = 'linger';
    this.#kept = undefined;
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

  /**
   * The worker stops. Who was answered a moment ago without a word of closing may have sent the
   * next request already, so only what has been idle for longer closes now.
   */
  stop(): void {
    if (this.#phase !== 'head' || !this.#isIdle()) return;
    const idleMs = this.#plane.wheel.nowMs() - this.#idleSinceMs;
    if (idleMs > STOP_IDLE_MS) this.closeAfterFlush();
    else this.#plane.wheel.arm(this.#timer, STOP_IDLE_MS - idleMs);
  }

  onDeadline(): void {
    switch (this.#phase) {
      case 'head':
        if (this.#isIdle()) this.closeAfterFlush();
        else this.#refuse('REQUEST_TIMEOUT', undefined);
        break;
      case 'exchange':
        this.#exchange!.onClientDeadline();
        break;
      default:
        this.socket.destroy();
    }
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
      if (this.#phase === 'head') this.#armIdle();
      if (this.#phase !== 'tunnel' && this.#exchange?.isReceiving !== true) this.resumeReading();
    }
    if (this.#exchange !== undefined) this.#exchange.onClientDrain();
    else if (this.#phase === 'head' && this.#kept !== undefined) this.#readKept();
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
      this.#isInRead = false;
      this.#plane.contained(error);
      if (this.#exchange !== undefined) this.#exchange.fail('INTERNAL');
      else if (this.#phase === 'head') this.#refuse('INTERNAL', undefined);
      else this.cut();
    }
  }

  #onData(bytes: Buffer, length: number): void {
    switch (this.#phase) {
      case 'head':
        this.#readHeads(bytes, 0, length);
        break;
      case 'exchange':
        this.#readBody(bytes, length);
        break;
      case 'tunnel':
        this.#exchange!.tunnelFromClient(bytes, length);
        break;
      case 'linger':
        this.#lingerBytes += length;
        if (this.#lingerBytes > LINGER_BYTES_MAX) this.socket.destroy();
        break;
      case 'closed':
    }
  }

  /** Starts as many requests as `bytes[start, end)` holds and the exchanges allow. */
  #readHeads(bytes: Buffer, start: number, end: number): void {
    if (this.#kept !== undefined) {
      this.#kept.append(bytes, start, end);
      this.#readKept();
      return;
    }
    // Exchanges may end inside `start`; the loop, not the recursion, takes the next request.
    this.#isInRead = true;
    let at = start;
    while (at < end && this.#phase === 'head' && !this.#isPaused) {
      at = this.#readHead(bytes, at, end);
    }
    this.#isInRead = false;
    if (at < end && (this.#phase === 'exchange' || this.#phase === 'head')) {
      this.#keep(bytes, at, end);
    }
  }

  /** Parses one head and starts its exchange; returns the offset after the request so far. */
  #readHead(bytes: Buffer, at: number, end: number): number {
    const head = this.#plane.requestHead;
    const next = head.parse(bytes, at, end);
    if (next === INCOMPLETE) {
      this.#keepPartialHead(bytes, at, end);
      return end;
    }
    if (next < 0) {
      this.#refuseFault(next);
      return end;
    }
    this.#requestCount++;
    const { requestsMax } = this.#plane.settings.client;
    const mayStay =
      !this.#plane.isStopping && (requestsMax === 0 || this.#requestCount < requestsMax);
    this.#plane.wheel.disarm(this.#timer);
    const exchange = new Exchange(this.#plane, this, head, head.keepAlive && mayStay);
    this.#phase = 'exchange';
    this.#exchange = exchange;
    const rest = exchange.start(head, bytes, next, end);
    if (this.#phase === 'exchange' && exchange.isReceiving && !this.#isPaused) this.resumeReading();
    return rest;
  }

  #keepPartialHead(bytes: Buffer, at: number, end: number): void {
    const kept = new KeptBytes(bytes, at, end, bytes !== this.#plane.clientBuffer);
    this.#kept = kept;
    // From the first byte of a head to its last.
    if (!kept.isEmptyLine) this.#armIdle();
    const found = kept.findHead(this.#plane.requestHead);
    if (found < 0) this.#refuseFault(found);
  }

  /** Goes on with bytes that were kept: a head in pieces, or pipelined requests. */
  #readKept(): void {
    const kept = this.#kept!;
    const found = kept.findHead(this.#plane.requestHead);
    if (found < 0) this.#refuseFault(found);
    if (found <= 0) return;
    this.#kept = undefined;
    this.#readHeads(kept.bytes, 0, kept.length);
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
      if (at < length) this.#keep(bytes, at, length);
    } else if (this.#phase === 'head' && at < length) {
      this.#readHeads(bytes, at, length);
    }
  }

  /** Keeps pipelined bytes until the running exchange ends; stops reading at the bound. */
  #keep(bytes: Buffer, start: number, end: number): void {
    if (this.#kept !== undefined) this.#kept.append(bytes, start, end);
    else this.#kept = new KeptBytes(bytes, start, end, bytes !== this.#plane.clientBuffer);
    if (this.#kept.length >= PIPELINED_BYTES_MAX) this.pauseReading();
  }

  #onEnd(): void {
    if (this.#phase === 'tunnel') {
      this.#exchange!.endTunnelFromClient();
    } else if (this.#phase === 'exchange') {
      this.#exchange!.clientGone('CLIENT_GONE', false);
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
  #armIdle(): void {
    const { headTimeoutMs, keepAliveTimeoutMs } = this.#plane.settings.client;
    const idleMs = this.#plane.isStopping ? STOP_IDLE_MS : keepAliveTimeoutMs;
    this.#plane.wheel.arm(this.#timer, this.#isIdle() ? idleMs : headTimeoutMs);
    this.#idleSinceMs = this.#plane.wheel.nowMs();
  }

  #isIdle(): boolean {
    return this.#kept === undefined || this.#kept.isEmptyLine;
  }

  #refuseFault(fault: number): void {
    const { failure, detail } = faultRow(fault);
    this.#refuse(failure, detail);
  }

  /** Answers a request that never became an exchange, and closes. */
  #refuse(code: FailureCode, detail: string | undefined): void {
    this.#plane.refused(code, this.peer.address);
    this.#writer.write(refusalAnswer(code, { detail, keepAlive: false, isHead: false }));
    this.closeAfterFlush();
  }

  #onClose(hadError: boolean): void {
    if (this.#phase === 'closed') return;
    const exchange = this.#exchange;
    this.#phase = 'closed';
    this.#kept = undefined;
    this.#plane.wheel.remove(this.#timer);
    this.#plane.clientClosed(this);
    this.socket.destroy();
    exchange?.clientGone('CLIENT_GONE', !hadError);
  }
}
