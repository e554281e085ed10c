// Events of a `text/event-stream` (WHATWG HTML §9.2) of all shapes, and where each ends.

import { Random } from './random.ts';

/** A body of events that is written piece by piece, without regard to where an event ends. */
export class EventBody {
  readonly #random: Random;
  /** All that was taken so far. */
  sent = '';
  /** Events of which the rest is still to be sent. */
  #rest = '';
  /** Offsets in the body at which it may end without half an event. */
  readonly #ends = new Set([0]);
  #made = 0;
  #count = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** Returns the next piece: from a byte to several events. */
  next(): string {
    const size = 1 + this.#random.below(this.#random.below(4) === 0 ? 400 : 12);
    while (this.#rest.length < size) this.#rest += this.#event();
    const piece = this.#rest.slice(0, size);
    this.#rest = this.#rest.slice(size);
    this.sent += piece;
    return piece;
  }

  /** Tells whether `body` is a part of what was sent, from the start to the end of an event. */
  isWhole(body: string): boolean {
    return this.sent.startsWith(body) && this.#ends.has(body.length);
  }

  #event(): string {
    const end = ['\n', '\r\n', '\r'][this.#random.below(3)]!;
    const id = ++this.#count;
    const lines = [`id: ${id}`, `data: ${'x'.repeat(this.#random.below(60))}`];
    if (this.#random.below(3) === 0) lines.unshift('event: news', ': a comment');
    if (this.#random.below(3) === 0) lines.push('data', `data: ${id}`);
    const text = lines.map((line) => line + end).join('') + end;
    this.#made += text.length;
    this.#ends.add(this.#made);
    // A CR ends a line by itself: the LF behind it may be left out.
    if (end === '\r\n') this.#ends.add(this.#made - 1);
    return text;
  }
}

/** Returns `text` as a chunk (RFC 9112 §7.1). */
export function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

const TYPE = 'Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n';

/** Returns the head of an event stream with `fields`. */
export function streamHead(fields: string): string {
  return `HTTP/1.1 200 OK\r\n${TYPE}${fields}\r\n`;
}

export const CHUNKED = 'Transfer-Encoding: chunked\r\n';

/** What a client asks for. */
export const GET_EVENTS = 'GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n';
