// The events of a `text/event-stream` body (WHATWG HTML §9.2.6), followed through bytes that arrive
// in any pieces: where an event ends, so that the stream may be cut there without loss. It does not
// read fields, and a comment with a blank line behind it counts as an event. The body must not be
// coded (no gzip, no chunks).
//
//                  LF          CR             else
//   EVENT_END      EVENT_END   EVENT_END      LINE
//   LINE           LINE_END    LINE_END_CR    LINE
//   LINE_END       EVENT_END   EVENT_END      LINE
//   LINE_END_CR    LINE_END    EVENT_END      LINE    an LF here is the second half of a line end
//
// An event end needs no such twin: an LF after its CR leads to EVENT_END as a blank line would.

import { CR, LF } from '../grammar/chars.ts';

/** A blank line was the last thing, or nothing came yet. */
const EVENT_END = 0;
/** Within a line. */
const LINE = 1;
/** A line that was not blank has ended. */
const LINE_END = 2;
/** The same, with a CR. */
const LINE_END_CR = 3;

/** UTF-8 byte order mark; one at the very start is not part of the first line. */
const BOM = [0xef, 0xbb, 0xbf] as const;

/** Three line end bytes hold two line ends, so what came before the last three can't matter. */
const TELLING_BYTES = 3;

/** Follows the events of one body. */
export class EventStreamTracker {
  #state = EVENT_END;
  /** Bytes of the byte order mark seen; all of them once the stream has begun in any other way. */
  #bomBytes = 0;

  /** The last line so far is blank and has ended; true before the first byte. */
  get isAtEventEnd(): boolean {
    return this.#state === EVENT_END;
  }

  /** Follows `bytes[start, end)`. Looks at a few bytes only. */
  push(bytes: Buffer, start: number, end: number): void {
    let p = start;
    while (p < end && this.#bomBytes < BOM.length) {
      this.#step(bytes[p]!);
      p++;
    }
    for (p = Math.max(p, end - TELLING_BYTES); p < end; p++) this.#step(bytes[p]!);
  }

  /**
   * Follows `bytes[start, end)` up to the first event end. Returns the offset after it (after the
   * LF, where a CRLF ends the event and both bytes are there), `start` when the stream is at such
   * an end already, or -1 when all bytes were followed without reaching one. Looks at every byte.
   */
  pushUntilEventEnd(bytes: Buffer, start: number, end: number): number {
    if (this.#state === EVENT_END) return start;
    for (let p = start; p < end; p++) {
      this.#step(bytes[p]!);
      if (this.#state === EVENT_END) {
        const isSplit = bytes[p] === CR && p + 1 < end && bytes[p + 1] === LF;
        return isSplit ? p + 2 : p + 1;
      }
    }
    return -1;
  }

  #step(byte: number): void {
    if (this.#bomBytes < BOM.length) {
      if (byte === BOM[this.#bomBytes]) {
        this.#bomBytes++;
        this.#state = this.#bomBytes === BOM.length ? EVENT_END : LINE;
        return;
      }
      this.#bomBytes = BOM.length;
    }
    if (byte === LF) {
      const endsLine = this.#state === LINE || this.#state === LINE_END_CR;
      this.#state = endsLine ? LINE_END : EVENT_END;
    } else if (byte === CR) {
      this.#state = this.#state === LINE ? LINE_END_CR : EVENT_END;
    } else {
      this.#state = LINE;
    }
  }
}
