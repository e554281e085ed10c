// The body of one request: takes it out of what the client sends, in any pieces, and frames it
// for the target. Knows neither client nor target.

import { CLIENT_READ_BYTES, ONE_WRITE_BYTES_MAX } from '../../base/limits.ts';
import {
  ChunkedDecoder,
  encodeChunk,
  gather,
  lastChunk,
  rangesLength,
} from '../../http/bodies/chunked.ts';
import { CHUNKED } from '../../http/grammar/framing.ts';

/** `take` returns this when the body grows over its limit; faults are far below. */
export const TOO_LARGE = -1;

export class RequestBody {
  isDone: boolean;
  /** Data bytes so far, without framing. */
  bytes = 0;
  /** What the last `take` found, framed; may be empty. Copied unless its bytes were lasting. */
  piece: string | Buffer = '';
  #remaining: number;
  readonly #bytesMax: number;
  readonly #decoder: ChunkedDecoder | undefined;

  /** `length` in bytes or CHUNKED; `bytesMax` 0: no limit. */
  constructor(length: number, bytesMax: number) {
    this.isDone = length === 0;
    this.#remaining = Math.max(0, length);
    this.#bytesMax = bytesMax === 0 ? Infinity : bytesMax;
    this.#decoder = length === CHUNKED ? new ChunkedDecoder() : undefined;
  }

  /** Its declared length is over the limit (RFC 9110 §15.5.14): known before any byte came. */
  get isTooLarge(): boolean {
    return this.#remaining > this.#bytesMax;
  }

  /** So much is still to come that it is worth a read buffer of its own. */
  get isLarge(): boolean {
    return this.#remaining > CLIENT_READ_BYTES;
  }

  /** Bytes that are still to come; undefined: only the end of the body tells. */
  get leftBytes(): number | undefined {
    return this.#decoder === undefined ? this.#remaining : undefined;
  }

  /**
   * Takes from `bytes[start, end)`; returns the offset after the body, TOO_LARGE, or a FAULT.
   * `isLasting`: the bytes stay as they are until the caller has written them.
   */
  take(bytes: Buffer, start: number, end: number, isLasting: boolean): number {
    const decoder = this.#decoder;
    if (decoder === undefined) return this.#takeLength(bytes, start, end, isLasting);
    const stop = decoder.push(bytes, start, end);
    if (stop < 0) return stop;
    this.bytes += rangesLength(decoder.ranges);
    if (this.bytes > this.#bytesMax) return TOO_LARGE;
    this.isDone = decoder.isDone;
    const last = decoder.isDone ? lastChunk(decoder.trailers) : '';
    this.piece = encodeChunk(bytes, decoder.ranges, '', last);
    return stop;
  }

  #takeLength(bytes: Buffer, start: number, end: number, isLasting: boolean): number {
    const stop = Math.min(end, start + this.#remaining);
    const length = stop - start;
    this.#remaining -= length;
    this.bytes += length;
    this.isDone = this.#remaining === 0;
    this.piece =
      isLasting && length > ONE_WRITE_BYTES_MAX
        ? bytes.subarray(start, stop)
        : gather(bytes, [start, stop], '', '');
    return stop;
  }
}

/** Shared by all requests without a body; it is done and never changes. */
export const NO_BODY = new RequestBody(0, 0);
