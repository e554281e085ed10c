// Where connections to targets read into: an area with room before and behind it, so that our
// framing can be written around the data where it lies. A large one belongs to its connection, which
// keeps it for as long as much comes; between bursts, tunnels and event streams share a small one.

import {
  ONE_WRITE_BYTES_MAX,
  QUIET_BUFFERS_KEPT,
  READ_MARGIN_BYTES,
  TARGET_READ_BYTES,
} from '../../base/limits.ts';

/** Offset of the area in `ReadBuffer.bytes`. */
export const READ_START = READ_MARGIN_BYTES;

class ReadBuffer {
  /** Margin, area, margin. Not zeroed: untouched pages cost no memory. */
  readonly bytes: Buffer;
  readonly area: Buffer;

  constructor(areaBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(READ_MARGIN_BYTES + areaBytes + READ_MARGIN_BYTES);
    this.area = this.bytes.subarray(READ_START, READ_START + areaBytes);
  }
}

function largeBuffer(): ReadBuffer {
  return new ReadBuffer(TARGET_READ_BYTES);
}

/** The read buffers of one worker that no connection has for itself. */
export class ReadBuffers {
  /**
   * Pieces up to this size are copied on their way, so nothing of them is left in here when the
   * next connection reads into it.
   */
  readonly #shared = new ReadBuffer(ONE_WRITE_BYTES_MAX);
  /** Large ones that the last bursts have used. */
  readonly #free: ReadBuffer[] = [];

  /**
   * Returns where a connection that may be quiet for long reads next, after `length` bytes have come
   * into `last`: a large buffer while more is there than the last one held.
   */
  after(last: ReadBuffer, length: number): ReadBuffer {
    if (length < last.area.length) return this.#shared;
    return last === this.#shared ? (this.#free.pop() ?? largeBuffer()) : last;
  }

  /** Takes back a large buffer. */
  free(buffer: ReadBuffer): void {
    if (this.#free.length < QUIET_BUFFERS_KEPT) this.#free.push(buffer);
  }

  isShared(buffer: ReadBuffer): boolean {
    return buffer === this.#shared;
  }
}

/** What one connection reads into. */
export class ReadArea {
  readonly #buffers: ReadBuffers;
  #next = largeBuffer();
  /** The next read, which may be under way, goes into this one. */
  #current = this.#next;
  /** Not needed any more, once what lies in it is written. */
  #left: ReadBuffer | undefined = undefined;

  constructor(buffers: ReadBuffers) {
    this.#buffers = buffers;
  }

  /** What was read last begins here at READ_START. */
  get bytes(): Buffer {
    return this.#current.bytes;
  }

  /** Asked once before the first read, and after each one for the next. */
  forNextRead(): Buffer {
    this.#current = this.#next;
    return this.#next.area;
  }

  /** What was read last stays as it is: later reads go elsewhere. */
  leave(): void {
    this.#next = largeBuffer();
  }

  /** `length` bytes were read and handed on, for `receiver` if that goes on. */
  wasRead(
    length: number,
    receiver: { readonly isLongLived: boolean; readonly hasPendingView: boolean } | undefined,
  ): void {
    const last = this.#next;
    if (receiver?.isLongLived !== true) {
      if (this.#buffers.isShared(last)) this.#next = largeBuffer();
      return;
    }
    this.#next = this.#buffers.after(last, length);
    if (this.#next === last || this.#buffers.isShared(last)) return;
    this.#left = last;
    if (!receiver.hasPendingView) this.wasWritten();
  }

  /** All that was read is written. */
  wasWritten(): void {
    if (this.#left === undefined) return;
    this.#buffers.free(this.#left);
    this.#left = undefined;
  }
}
