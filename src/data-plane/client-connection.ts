// One client connection: turns its bytes into request heads, hands bodies to the exchange, keeps
// pipelined requests in order, and closes in a way that lets the client read our last answer.
//
//   head ─► exchange ─► head …          tunnel: after 101        linger: closing, input dropped
//     └────────┴──────────────► linger ─► closed

import type net from 'node:net';
import type { FailureCode } from '../base/failures.ts';
import { LINGER_BYTES_MAX, LINGER_MS, PIPELINED_BYTES_MAX } from '../base/limits.ts';
import { Accumulator } from '../http/accumulator.ts';
import { CR, LF } from '../http/chars.ts';
import { FAULT, INCOMPLETE, faultRow } from '../http/faults.ts';
import { findHeadEnd } from '../http/fields.ts';
import { describePeer, type Peer } from '../http/forwarding.ts';
import { readInto } from './accepted-socket.ts';
import { Exchange } from './exchange.ts';
import type { Plane } from './plane.ts';
import { refusalAnswer } from './refusal.ts';
import { Timer } from './wheel.ts';

type Phase = 'head' | 'exchange' | 'tunnel' | 'linger' | 'closed';

export class ClientConnection {
  readonly socket: net.Socket;
  readonly peer: Peer;
  /** Some of the target's read buffer waits in the socket. */
  hasPendingView = false;
  readonly #plane: Plane;
  readonly #timer = new Timer(this);
  #phase: Phase = 'head';
  #exchange: Exchange | undefined = undefined;
  /** A request head that came in pieces, or pipelined bytes that wait for their turn. */
  #kept: Accumulator | undefined = undefined;
  #keptScanned = 0;
  #isPaused = false;
  /** Heads are being read in a loop: an exchange that ends at once must not start another. */
  #isInRead = false;
  #requestCount = 0;
  #lingerBytes = 0;

  constructor(plane: Plane, accepted: net.Socket) {
    this.#plane = plane;
    const receive = (bytes: Buffer, length: number): void => this.#receive(bytes, length);
    const socket = readInto(accepted, plane.clientBuffer, receive);
    this.socket = socket;
    this.peer = describePeer(socket.remoteAddress, plane.isTrusted(socket.remoteAddress));
    socket.on('end', () => this.#onEnd());
    socket.on('error', () => this.#onClose());
    socket.on('close', () => this.#onClose());
    socket.on('drain', () => this.#onDrain());
    socket.on('timeout', () => this.#onSendStalled());
    plane.wheel.arm(this.#timer, plane.settings.client.headTimeoutMs);
  }

  /** Writes part of an answer; false when the client should be given time to read. */
  write(piece: string | Buffer): boolean {
    if (piece.length === 0) return this.#hasRoom();
    if (this.#exchange !== undefined) this.#exchange.responseBytes += piece.length;
    if (typeof piece === 'string') this.socket.write(piece, 'latin1');
    else this.socket.write(piece);
    if (this.#hasRoom()) return true;
    this.#limitSendStall();
    return false;
  }

  /** Writes bytes that belong to a read buffer: false until the system has taken all of them. */
  writeView(view: Buffer): boolean {
    this.#exchange!.responseBytes += view.length;
    this.socket.write(view, this.#onViewFlushed);
    if (this.socket.writableLength === 0) return true;
    this.hasPendingView = true;
    this.#limitSendStall();
    return false;
  }

  pauseReading(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.socket.pause();
    this.#plane.wheel.disarm(this.#timer);
  }

  resumeReading(): void {
    if (this.#phase === 'exchange' && this.#exchange!.isReceiving) {
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
    if (!keepAlive || this.#plane.isStopping) {
      this.closeAfterFlush();
      return;
    }
    this.#phase = 'head';
    this.#armIdle();
    if (this.#hasRoom()) {
      this.resumeReading();
      if (this.#kept !== undefined && !this.#isInRead) this.#readKept();
    } else {
      // Whoever asks without reading the answers gets no more of them until it does.
      this.pauseReading();
      this.#limitSendStall();
    }
  }

  /** Ends our side, then reads and drops what the client still sends (RFC 9112 §9.6). */
  closeAfterFlush(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'linger';
    this.#kept = undefined;
    if (this.socket.writableLength > 0) this.#limitSendStall();
    this.socket.end();
    this.resumeReading();
    this.#plane.wheel.arm(this.#timer, LINGER_MS);
  }

  /** Breaks the connection so that nobody can take a cut answer for a whole one. */
  cut(): void {
    if (this.#phase === 'closed') return;
    this.#exchange = undefined;
    this.socket.resetAndDestroy();
    this.#onClose();
  }

  /** The worker stops: idle connections close now, busy ones after their answer. */
  stop(): void {
    if (this.#phase === 'head' && this.#kept === undefined) this.closeAfterFlush();
  }

  onDeadline(): void {
    switch (this.#phase) {
      case 'head':
        if (this.#kept === undefined || isEmptyLine(this.#kept)) this.closeAfterFlush();
        else this.#refuse('REQUEST_TIMEOUT', undefined);
        break;
      case 'exchange':
        this.#exchange!.onClientDeadline();
        break;
      default:
        // A slow client may still be reading its last answer: the stall limit decides on that.
        if (this.socket.writableLength > 0) this.#plane.wheel.arm(this.#timer, LINGER_MS);
        else this.socket.destroy();
    }
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
    if (at < end && (this.#phase === 'exchange' || this.#isPaused)) this.#keep(bytes, at, end);
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
    if (this.#phase === 'exchange' && !exchange.isRequestDone && !this.#isPaused) {
      this.resumeReading();
    }
    return rest;
  }

  #keepPartialHead(bytes: Buffer, at: number, end: number): void {
    this.#kept = copied(bytes, at, end);
    this.#keptScanned = 0;
    // From the first byte of a head to its last.
    this.#plane.wheel.arm(this.#timer, this.#plane.settings.client.headTimeoutMs);
    this.#checkPartialHead(this.#kept);
  }

  /** Goes on with bytes that were kept: a head in pieces, or pipelined requests. */
  #readKept(): void {
    const kept = this.#kept!;
    if (!this.#checkPartialHead(kept)) return;
    this.#kept = undefined;
    this.#keptScanned = 0;
    this.#readHeads(kept.bytes, 0, kept.length);
  }

  /** Returns whether `kept` holds a whole head; refuses what can't become one. */
  #checkPartialHead(kept: Accumulator): boolean {
    const found = findHeadEnd(kept.bytes, this.#keptScanned, kept.length);
    if (found > 0) return true;
    this.#keptScanned = kept.length;
    if (found < 0) {
      this.#refuseFault(found);
    } else if (kept.length > this.#plane.settings.client.headBytesMax) {
      const fault = this.#plane.requestHead.parse(kept.bytes, 0, kept.length);
      this.#refuseFault(fault < 0 ? fault : FAULT.HEAD_BYTES);
    }
    return false;
  }

  #readBody(bytes: Buffer, length: number): void {
    const exchange = this.#exchange!;
    const wasReceiving = exchange.isReceiving;
    const at = exchange.takeBody(bytes, 0, length);
    if (this.#phase === 'exchange') {
      if (wasReceiving && exchange.isRequestDone) this.#plane.wheel.disarm(this.#timer);
      else if (!this.#isPaused) this.resumeReading();
      if (at < length) this.#keep(bytes, at, length);
    } else if (this.#phase === 'head' && at < length) {
      this.#readHeads(bytes, at, length);
    }
  }

  /** Keeps pipelined bytes until the running exchange ends; stops reading at the bound. */
  #keep(bytes: Buffer, start: number, end: number): void {
    if (this.#kept !== undefined) this.#kept.append(bytes, start, end);
    else if (bytes === this.#plane.clientBuffer) this.#kept = copied(bytes, start, end);
    else this.#kept = new Accumulator(bytes.subarray(start, end)); // Was kept before: ours already.
    this.#keptScanned = 0;
    if (this.#kept.length >= PIPELINED_BYTES_MAX) this.pauseReading();
  }

  #onEnd(): void {
    if (this.#phase === 'tunnel') {
      this.#exchange!.endTunnelFromClient();
    } else if (this.#phase === 'exchange') {
      this.#exchange!.clientGone('CLIENT_GONE');
    } else if (this.#phase === 'head') {
      this.closeAfterFlush(); // The last answer may still be on its way.
    }
  }

  #onDrain(): void {
    this.socket.setTimeout(0);
    if (this.#phase === 'head') this.#goOn();
    else if (!this.hasPendingView) this.#exchange?.onClientDrain();
  }

  /** The client has read enough to be asked for its next request. */
  #goOn(): void {
    if (this.#isPaused) this.#armIdle();
    this.resumeReading();
    if (this.#kept !== undefined) this.#readKept();
  }

  /** Bounds the wait for the next request, or for the rest of one that has begun. */
  #armIdle(): void {
    const { headTimeoutMs, keepAliveTimeoutMs } = this.#plane.settings.client;
    const limitMs = this.#kept === undefined ? keepAliveTimeoutMs : headTimeoutMs;
    this.#plane.wheel.arm(this.#timer, limitMs);
  }

  #hasRoom(): boolean {
    return this.socket.writableLength < this.socket.writableHighWaterMark;
  }

  readonly #onViewFlushed = (): void => {
    if (!this.hasPendingView || this.socket.writableLength > 0) return;
    this.hasPendingView = false;
    this.socket.setTimeout(0);
    this.#exchange?.onClientDrain();
  };

  /** Node's own timer here, because it alone sees that a large write makes progress. */
  #limitSendStall(): void {
    this.socket.setTimeout(this.#plane.settings.client.sendIdleTimeoutMs);
  }

  #onSendStalled(): void {
    if (this.#phase === 'exchange' || this.#phase === 'tunnel') {
      this.#exchange!.clientGone('CLIENT_STALLED');
    } else {
      this.socket.destroy();
    }
  }

  #refuseFault(fault: number): void {
    const { failure, detail } = faultRow(fault);
    this.#refuse(failure, detail);
  }

  /** Answers a request that never became an exchange, and closes. */
  #refuse(code: FailureCode, detail: string | undefined): void {
    this.#plane.refused(code, this.peer.address);
    this.socket.write(refusalAnswer(code, { detail, keepAlive: false, isHead: false }), 'latin1');
    this.closeAfterFlush();
  }

  #onClose(): void {
    if (this.#phase === 'closed') return;
    const exchange = this.#exchange;
    this.#phase = 'closed';
    this.#kept = undefined;
    this.#plane.wheel.remove(this.#timer);
    this.#plane.clientClosed(this);
    this.socket.destroy();
    exchange?.clientGone('CLIENT_GONE');
  }
}

function copied(bytes: Buffer, start: number, end: number): Accumulator {
  const copy = new Accumulator();
  copy.append(bytes, start, end);
  return copy;
}

/** Old clients send a line end after a body; it is no request (RFC 9112 §2.2). */
function isEmptyLine(kept: Accumulator): boolean {
  return kept.length === 2 && kept.bytes[0] === CR && kept.bytes[1] === LF;
}
