// The end of a client connection, in a way that lets the client read our last response: what is
// written goes out, our side ends, and what the client still sends is dropped for a moment. A
// close with unread bytes would reset the connection, and the response with it (RFC 9112 §9.6).

import { LINGER_BYTES_MAX, LINGER_MS } from '../../base/limits.ts';
import { Timer, type TimerOwner, type Wheel } from '../base/wheel.ts';
import type { ByteStream } from '../transport/byte-stream.ts';
import type { ClientWriter } from './client-writer.ts';

/** The connection that ends. */
interface EndingOwner {
  readonly output: ClientWriter;
  resumeReading(): void;
  onFault(error: unknown): void;
}

export class ClientEnding implements TimerOwner {
  readonly #owner: EndingOwner;
  readonly #stream: ByteStream;
  readonly #wheel: Wheel;
  readonly #timer = new Timer(this);
  #droppedBytes = 0;
  /** The connection has closed. */
  #isOver = false;

  constructor(owner: EndingOwner, stream: ByteStream, wheel: Wheel) {
    this.#owner = owner;
    this.#stream = stream;
    this.#wheel = wheel;
  }

  /** Ends our side once all is written. */
  begin(): void {
    this.#owner.output.end(() => this.linger());
  }

  /** All is written and our side has ended: the client has a moment to close. */
  linger(): void {
    if (this.#isOver) return;
    this.#owner.resumeReading();
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
    this.#isOver = true;
    this.#wheel.remove(this.#timer);
  }
}
