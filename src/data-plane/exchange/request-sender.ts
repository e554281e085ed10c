// The way of one request to its target: head and body, held until there is a connection, dropped
// once the response is whole. Does not know when a request is tried again.

import { REST_OF_REQUEST_BYTES_MAX, UPLOAD_READ_BYTES } from '../../base/limits.ts';
import { markGiven } from '../../contract/session-sightings.ts';
import { withoutPrefix } from '../../http/forward/without-prefix.ts';
import { faultRow } from '../../http/grammar/faults.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import { Timer, type TimerOwner } from '../base/wheel.ts';
import { Bonds } from '../transport/bonds.ts';
import type { ToldClient } from '../transport/told-client.ts';
import type { SentRequest, TargetStream } from '../transport/transport.ts';
import type { Exchange } from './exchange.ts';
import { NO_BODY, RequestBody, TOO_LARGE } from './request-body.ts';
import type { ExchangeServices } from './exchange-services.ts';

export class RequestSender implements SentRequest, TimerOwner {
  readonly receiver: Exchange;
  /** Head for the target, with the request line of the client. */
  head = '';
  /** Left out of the path when the head is sent; empty: nothing is. */
  prefix = '';
  /** Carries the request now; it may still be connecting. */
  stream: TargetStream | undefined = undefined;
  /** 32 bits that tell the address of its client from others; 0: it is not known. */
  readonly addressHash: number;
  /** A body byte has left: it must never be sent to another target. */
  hasSentBody = false;
  /** Set while every connection to the target is busy: bounds the wait for one. */
  #queueTimer: Timer | undefined = undefined;
  readonly #services: ExchangeServices;
  readonly #body: RequestBody;
  /** Body bytes that wait for a connection; the client is paused meanwhile. */
  #held: string | Buffer | undefined = undefined;
  /** The client waits for a word of the target, whose time it is. */
  #awaitsContinue: boolean;
  #discardedBytes = 0;
  /** What the target has not taken yet stays in it. */
  #uploadBuffer: Buffer | undefined = undefined;

  constructor(services: ExchangeServices, exchange: Exchange, head: RequestHead) {
    this.receiver = exchange;
    this.#services = services;
    this.addressHash = services.addressHash(head, exchange.client.peer);
    const { bodyBytesMax } = services.settings.client;
    const { bodyLength } = head;
    this.#awaitsContinue = head.awaitsContinue;
    this.#body = bodyLength === 0 ? NO_BODY : new RequestBody(bodyLength, bodyBytesMax);
  }

  /** The whole request has come in. */
  get isDone(): boolean {
    return this.#body.isDone;
  }

  get hasBody(): boolean {
    return this.#body !== NO_BODY;
  }

  get isTooLarge(): boolean {
    return this.#body.isTooLarge;
  }

  /** The client is expected to go on sending, and its pauses are limited. */
  get isReceiving(): boolean {
    if (this.#body.isDone || this.#awaitsContinue) return false;
    return this.stream !== undefined || !this.receiver.response.isDone;
  }

  get bytes(): number {
    return this.#body.bytes;
  }

  /** What the client still has to send; undefined: that is not known. */
  get leftBytes(): number | undefined {
    return this.#body.leftBytes;
  }

  get wasHeld(): boolean {
    return this.receiver.client.wasHeld;
  }

  get bonds(): Bonds | undefined {
    return this.receiver.client.bonds;
  }

  get client(): ToldClient {
    return this.receiver.client.source.asTold();
  }

  get mayRepeat(): boolean {
    return this.receiver.method.isIdempotent && !this.hasSentBody;
  }

  attach(stream: TargetStream): void {
    this.stream = stream;
    const { bonds } = this;
    if (bonds?.hasCredentials === true) stream.bonds = bonds;
  }

  /** The target logs in connections: this one serves no other client from now on. */
  bind(): void {
    const bonds = (this.receiver.client.bonds ??= new Bonds());
    bonds.challenge();
    this.stream!.bonds = bonds;
    if (!bonds.isChallenged) return;
    // The next step of the login comes in a moment: a drain waits for it as for a session that begins.
    const { sightings, wheel } = this.#services;
    markGiven(sightings, this.receiver.block, wheel.wall.seconds);
  }

  detach(): void {
    this.stream = undefined;
  }

  /** Where a large upload is read into, so that it goes to the target without a copy. */
  uploadBuffer(): Buffer | undefined {
    if (!this.#body.isLarge || !this.isReceiving) this.#uploadBuffer = undefined;
    else this.#uploadBuffer ??= Buffer.allocUnsafeSlow(UPLOAD_READ_BYTES);
    return this.#uploadBuffer;
  }

  /** The target asks for the body (100): from now on it is the client whose pauses are limited. */
  continue(): void {
    if (!this.#awaitsContinue) return;
    this.#awaitsContinue = false;
    this.stream?.awaitRequest();
    if (!this.receiver.client.isPaused) this.receiver.client.resumeReading();
  }

  /** Takes what belongs to the request from `bytes[start, end)`; returns the offset after it. */
  take(bytes: Buffer, start: number, end: number): number {
    const body = this.#body;
    if (body.isDone || start >= end) return start;
    this.continue(); // It need not wait for that.
    const mayWriteFrom = bytes !== this.#services.clientBuffer && this.#canSend();
    const stop = body.take(bytes, start, end, mayWriteFrom);
    if (stop < 0) {
      if (stop === TOO_LARGE) this.receiver.fail('BODY_TOO_LARGE');
      else this.receiver.fail('BAD_REQUEST_BODY', faultRow(stop).detail);
      return end;
    }
    this.#forward(body.piece);
    if (body.isDone) this.#ended();
    return stop;
  }

  /** Every connection of the pool is busy: waits for one. */
  queue(): void {
    const { wheel, settings } = this.#services;
    this.#queueTimer = new Timer(this);
    wheel.arm(this.#queueTimer, settings.upstream.connectTimeoutMs);
  }

  /** Waits no longer; false when it did not. */
  leaveQueue(): boolean {
    if (this.#queueTimer === undefined) return false;
    this.#services.wheel.remove(this.#queueTimer);
    this.#queueTimer = undefined;
    return true;
  }

  onDeadline(): void {
    this.receiver.fail('POOL_TIMEOUT');
  }

  onFault(error: unknown): void {
    this.receiver.onFault(error);
  }

  send(): void {
    this.leaveQueue();
    const stream = this.stream!;
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.hasSentBody = true;
    const head = this.asSent(this.head);
    let hasRoom: boolean;
    if (held === undefined) hasRoom = stream.write(head);
    else if (typeof held === 'string') hasRoom = stream.write(head + held);
    else hasRoom = stream.writeBoth(head, held);
    if (this.isDone || this.#awaitsContinue) stream.awaitResponse();
    if (!this.isDone && hasRoom) this.receiver.client.resumeReading();
  }

  /** Returns `head`, of this request, as a target is sent it. */
  asSent(head: string): string {
    if (this.prefix === '') return head;
    return withoutPrefix(head, this.prefix, this.#services.settings.forwarding.xForwarded);
  }

  onRoom(): void {
    if (!this.isDone || this.receiver.tunnel !== undefined) this.receiver.client.resumeReading();
  }

  /** Sends a piece of body, holds it until there is a connection, or drops it after the response. */
  #forward(piece: string | Buffer): void {
    const exchange = this.receiver;
    if (piece.length === 0 || exchange.isOver) return;
    if (exchange.response.isDone && this.stream === undefined) {
      this.#discardedBytes += piece.length;
      if (this.#discardedBytes > REST_OF_REQUEST_BYTES_MAX) exchange.giveUpRequest();
      return;
    }
    if (!this.#canSend()) {
      this.#held = piece;
      if (!this.isDone) exchange.client.pauseReading();
      return;
    }
    this.hasSentBody = true;
    const stream = this.stream!;
    const flows = typeof piece === 'string' ? stream.write(piece) : stream.writeView(piece);
    if (!flows) exchange.client.pauseReading();
  }

  #canSend(): boolean {
    return this.stream !== undefined && !this.stream.isConnecting;
  }

  /** The last byte of the request has been taken. */
  #ended(): void {
    const exchange = this.receiver;
    if (exchange.isOver) return;
    if (this.#canSend()) this.stream!.awaitResponse();
    else if (exchange.response.isDone) exchange.finish();
  }
}
