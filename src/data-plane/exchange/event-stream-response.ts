// A response that is an event stream (WHATWG HTML §9.2): goes on for as long as both sides like,
// and can be ended after a whole event, so that the client comes back without having lost one.

import { ENCODED_SILENCE_MS, PLACE_TO_CLOSE_MS } from '../../base/limits.ts';
import { EventStreamTracker } from '../../http/bodies/event-stream.ts';
import { FIELD } from '../../http/grammar/field-kind.ts';
import type { ResponseHead } from '../../http/heads/response-head.ts';
import { Timer, type TimerOwner, type Wheel } from '../base/wheel.ts';

/** Tells whether `head` begins an event stream that we can end: its length is not announced. */
export function isEventStream(head: ResponseHead): boolean {
  return head.isEventStream && head.status === 200 && head.bodyLength < 0;
}

/** The exchange of the stream. */
interface StreamOwner {
  /** Ends the response where it stands, as if it were whole. */
  endStream(): void;
  /** Breaks it off, so that the client sees an error. */
  cutByDrain(): void;
  onFault(error: unknown): void;
}

export class EventStreamResponse implements TimerOwner {
  readonly #owner: StreamOwner;
  readonly #wheel: Wheel;
  readonly #timer = new Timer(this);
  /** Undefined where a content coding hides the events. */
  readonly #events: EventStreamTracker | undefined;
  #isWanting = false;

  constructor(owner: StreamOwner, wheel: Wheel, head: ResponseHead) {
    this.#owner = owner;
    this.#wheel = wheel;
    const isEncoded = head.lines.find(FIELD.contentEncoding, 0) !== -1;
    this.#events = isEncoded ? undefined : new EventStreamTracker();
  }

  /**
   * Follows the data runs `part` of `bytes`. Returns what of them still belongs to the response
   * when it ends in there, or undefined when it goes on.
   */
  follow(bytes: Buffer, part: readonly number[]): readonly number[] | undefined {
    for (let i = 0; i < part.length; i += 2) {
      const start = part[i]!;
      const end = part[i + 1]!;
      if (!this.#isWanting || this.#events === undefined) {
        this.#events?.push(bytes, start, end);
        continue;
      }
      const stop = this.#events.pushUntilEventEnd(bytes, start, end);
      if (stop !== -1) return [...part.slice(0, i), start, stop];
    }
    // Behind a content coding, silence is the best sign that an event is whole.
    if (this.#isWanting && this.#events === undefined)
      this.#wheel.arm(this.#timer, ENCODED_SILENCE_MS);
    return undefined;
  }

  /** Ends the stream at the next place that loses nothing. */
  endGently(): void {
    if (this.#isWanting) return;
    this.#isWanting = true;
    if (this.#events?.isAtEventEnd === true) this.#owner.endStream();
    else this.#wheel.arm(this.#timer, this.#events ? PLACE_TO_CLOSE_MS : ENCODED_SILENCE_MS);
  }

  onDeadline(): void {
    if (this.#events === undefined) this.#owner.endStream();
    else this.#owner.cutByDrain();
  }

  onFault(error: unknown): void {
    this.#owner.onFault(error);
  }

  /** It has ended, one way or another. */
  stop(): void {
    this.#wheel.remove(this.#timer);
  }
}
