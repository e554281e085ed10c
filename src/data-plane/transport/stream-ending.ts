// The end of a connection whose peer may still read: what was written goes out, our side ends, and
// what still comes is dropped for a while. A close with unread bytes would reset the connection, and
// throw away what the peer has not read yet (RFC 9112 §9.6).
//
//   flushing ─► our side ends ─► lingering ─► closed      where our end says nothing wrong
//      └──────────► the peer takes it ──────► reset       where it would make a cut message look whole

import {
  LINGER_AT_STOP_MS,
  LINGER_MS,
  LINGER_SILENCE_MS,
  UNSEEN_CUT_MS,
} from '../../base/limits.ts';
import { Timer, type TimerOwner, type Wheel } from '../base/wheel.ts';
import type { ByteStream } from './byte-stream.ts';

/** The connection that ends. It bounds the time that the flush may take. */
interface EndingOwner {
  resumeReading(): void;
  onFault(error: unknown): void;
}

export class StreamEnding implements TimerOwner {
  readonly #owner: EndingOwner;
  readonly #output: Pick<ByteStream, 'end' | 'whenFlushed'>;
  readonly #stream: ByteStream;
  readonly #wheel: Wheel;
  readonly #timer = new Timer(this);
  /** Our end would be taken for the end of the message. */
  #isBreak = false;
  #untilMs = Infinity;
  /** The connection has closed. */
  #isOver = false;

  constructor(
    owner: EndingOwner,
    output: Pick<ByteStream, 'end' | 'whenFlushed'>,
    stream: ByteStream,
    wheel: Wheel,
  ) {
    this.#owner = owner;
    this.#output = output;
    this.#stream = stream;
    this.#wheel = wheel;
  }

  /** Ends our side once all is written. */
  end(): void {
    this.#output.end(() => this.linger());
  }

  /** Breaks the connection once all is written and the peer has had a moment to take it. */
  breakOff(): void {
    this.#isBreak = true;
    this.#output.whenFlushed(() => this.linger());
  }

  /** All is written: the peer has some time to read it and to close. */
  linger(): void {
    if (this.#isOver) return;
    this.#owner.resumeReading();
    if (this.#isBreak && !this.#stream.canReset) {
      this.#wheel.arm(this.#timer, UNSEEN_CUT_MS);
      return;
    }
    this.#untilMs = Math.min(this.#untilMs, this.#wheel.nowMs() + LINGER_MS);
    this.#awaitSilence();
  }

  /** A stop has begun: there is less time. */
  hurry(): void {
    this.#untilMs = this.#wheel.nowMs() + LINGER_AT_STOP_MS;
    if (this.#timer.isArmed) this.#awaitSilence();
  }

  /** More has come, and is dropped. */
  onData(): void {
    if (!this.#isBreak) this.#awaitSilence();
  }

  /** The peer has ended its side, too. */
  onEnd(): void {
    if (this.#isBreak) this.#stream.cut();
  }

  onDeadline(): void {
    if (this.#isBreak) this.#stream.cut();
    else this.#stream.close();
  }

  onFault(error: unknown): void {
    this.#owner.onFault(error);
  }

  /** The connection has closed. */
  stop(): void {
    this.#isOver = true;
    this.#wheel.remove(this.#timer);
  }

  #awaitSilence(): void {
    const leftMs = Math.max(0, this.#untilMs - this.#wheel.nowMs());
    this.#wheel.arm(this.#timer, Math.min(leftMs, LINGER_SILENCE_MS));
  }
}
