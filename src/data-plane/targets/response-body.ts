// The body of one response: where it ends in what the target sends (RFC 9112 §6.3). One object per
// connection, begun again with each response; finds data without copying it.

import { ChunkedDecoder } from '../../http/bodies/chunked.ts';
import { CHUNKED, UNTIL_CLOSE } from '../../http/grammar/framing.ts';
import type { ResponseHead } from '../../http/heads/response-head.ts';

export class ResponseBody {
  #length = 0;
  /** Left of a body of known length. */
  #remaining = 0;
  #decoder: ChunkedDecoder | undefined = undefined;

  begin(head: ResponseHead): void {
    this.#length = head.bodyLength;
    this.#remaining = Math.max(0, head.bodyLength);
    this.#decoder = head.bodyLength === CHUNKED ? new ChunkedDecoder(true) : undefined;
  }

  /** Only the close of the connection ends it. */
  get endsWithClose(): boolean {
    return this.#length === UNTIL_CLOSE;
  }

  get isDone(): boolean {
    if (this.#decoder !== undefined) return this.#decoder.isDone;
    return this.#length !== UNTIL_CLOSE && this.#remaining === 0;
  }

  /** Trailer lines of a complete body, empty for most; undefined while it is not complete. */
  get trailers(): string | undefined {
    if (!this.isDone) return undefined;
    return this.#decoder === undefined ? '' : this.#decoder.trailers;
  }

  /** Returns how far `bytes[start, end)` belongs to the body, or a FAULT. */
  take(bytes: Buffer, start: number, end: number): number {
    if (this.#decoder !== undefined) return this.#decoder.push(bytes, start, end);
    if (this.#length === UNTIL_CLOSE) return end;
    const taken = Math.min(this.#remaining, end - start);
    this.#remaining -= taken;
    return start + taken;
  }

  /** Data runs `[start, end, …]` of what `take` has just found between `start` and `stop`. */
  part(start: number, stop: number): readonly number[] {
    return this.#decoder === undefined ? [start, stop] : this.#decoder.ranges;
  }
}
