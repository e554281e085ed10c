// The way of one request to its target: head and body, held until there is a connection, dropped
// once the answer is whole. Knows nothing of what is tried again.

import { LINGER_BYTES_MAX } from '../../base/limits.ts';
import { faultRow } from '../../http/faults.ts';
import type { Exchange } from './exchange.ts';
import type { Plane } from '../plane.ts';
import { NO_BODY, RequestBody, TOO_LARGE } from './request-body.ts';
import type { H1Target } from '../targets/h1-target.ts';

export class RequestSender {
  /** A body byte has left: it must never be sent to another target. */
  hasSentBody = false;
  readonly #plane: Plane;
  readonly #exchange: Exchange;
  readonly #body: RequestBody;
  /** Body bytes that wait for a connection; the client is paused meanwhile. */
  #held: string | Buffer | undefined = undefined;
  #discardedBytes = 0;

  /** `bodyLength` in bytes or CHUNKED. */
  constructor(plane: Plane, exchange: Exchange, bodyLength: number) {
    this.#plane = plane;
    this.#exchange = exchange;
    this.#body =
      bodyLength === 0 ? NO_BODY : new RequestBody(bodyLength, plane.settings.client.bodyBytesMax);
  }

  /** The whole request has come in. */
  get isDone(): boolean {
    return this.#body.isDone;
  }

  get isTooLarge(): boolean {
    return this.#body.isTooLarge;
  }

  /** Worth a read buffer of its own, which `take` then writes from. */
  get isLarge(): boolean {
    return this.#body.isLarge;
  }

  get bytes(): number {
    return this.#body.bytes;
  }

  /** Takes what belongs to the request from `bytes[start, end)`; returns the offset after it. */
  take(bytes: Buffer, start: number, end: number): number {
    const body = this.#body;
    if (body.isDone || start >= end) return start;
    const mayWriteFrom = bytes !== this.#plane.clientBuffer && this.#canSend();
    const stop = body.take(bytes, start, end, mayWriteFrom);
    if (stop < 0) {
      if (stop === TOO_LARGE) this.#exchange.fail('BODY_TOO_LARGE');
      else this.#exchange.fail('BAD_REQUEST_BODY', faultRow(stop).detail);
      return end;
    }
    this.#forward(body.piece);
    if (body.isDone) this.#ended();
    return stop;
  }

  /** Writes the head and the held body to a connection that is ready. */
  sendTo(upstream: H1Target, head: string): void {
    const held = this.#held;
    this.#held = undefined;
    let hasRoom: boolean;
    if (held === undefined) {
      hasRoom = upstream.write(head);
    } else if (typeof held === 'string') {
      this.hasSentBody = true;
      hasRoom = upstream.write(head + held);
    } else {
      this.hasSentBody = true;
      upstream.socket.cork();
      upstream.write(head);
      hasRoom = upstream.write(held);
      upstream.socket.uncork();
    }
    if (this.isDone) upstream.awaitAnswer();
    else if (hasRoom) this.#exchange.client.resumeReading();
  }

  /** Sends a piece of body, holds it until there is a connection, or drops it after the answer. */
  #forward(piece: string | Buffer): void {
    const exchange = this.#exchange;
    if (piece.length === 0 || exchange.isOver) return;
    if (exchange.isResponseDone) {
      this.#discardedBytes += piece.length;
      if (this.#discardedBytes > LINGER_BYTES_MAX) exchange.giveUpRequest();
      return;
    }
    if (!this.#canSend()) {
      this.#held = piece;
      if (!this.isDone) exchange.client.pauseReading();
      return;
    }
    this.hasSentBody = true;
    const upstream = exchange.upstream!;
    const flows = typeof piece === 'string' ? upstream.write(piece) : upstream.writeView(piece);
    if (!flows) exchange.client.pauseReading();
  }

  #canSend(): boolean {
    const { upstream } = this.#exchange;
    return upstream !== undefined && !upstream.isConnecting;
  }

  /** The last byte of the request has been taken. */
  #ended(): void {
    const exchange = this.#exchange;
    if (exchange.isOver) return;
    if (exchange.isResponseDone) exchange.finish();
    else if (this.#canSend()) exchange.upstream!.awaitAnswer();
  }
}
