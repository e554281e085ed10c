// The end of a client connection, in a way that lets the client read our last response: what is
// written goes out, our side ends, and what the client still sends is dropped for a moment. A
// close with unread bytes would reset the connection, and the response with it (RFC 9112 §9.6).

import { LINGER_BYTES_MAX, LINGER_MS } from '../../base/limits.ts';
import { Timer, type TimerOwner, type Wheel } from '../base/wheel.ts';
import type { ByteStream } from '../transport/byte-stream.ts';

/** The connection that ends. */
interface LingeringOwner {
  onFault(error: unknown): void;
}

export class Lingering implements TimerOwner {
  readonly #owner: LingeringOwner;
  readonly #stream: ByteStream;
  readonly #wheel: Wheel;
  readonly #timer = new Timer(this);
  #droppedBytes = 0;

  constructor(owner: LingeringOwner, stream: ByteStream, wheel: Wheel) {
    this.#owner = owner;
    this.#stream = stream;
    this.#wheel = wheel;
  }

  /** All is written and our side has ended: the client has a moment to close. */
  begin(): void {
    this.#wheel.arm(this.#timer, LINGER_MS);
  }

  /** More has come from the client. */
  drop(length: number): void {
    this.#droppedBytes += length;
    if (this.#droppedBytes > LINGER_BYTES_MAX) this.#stream.close();
  }

  onDeadline(): void {
    this.#stream.close();
  }

  onFault(error: unknown): void {
    this.#owner.onFault(error);
  }

  /** The connection has closed. */
  stop(): void {
    this.#wheel.remove(this.#timer);
  }
}
