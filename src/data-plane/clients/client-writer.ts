// The way out to one client: writes pieces of responses, says when the client should be given time
// to read, and ends the wait for one that does not.

import type { ByteStream } from '../transport/byte-stream.ts';
import type { ClientOutput } from '../transport/transport.ts';

/** Is told how the client reads. */
export interface ClientWriterOwner {
  /** There is room again; `wasLimited`: the owner was told to wait. */
  onWritable(wasLimited: boolean): void;
  /** A wait began: from now on only the client's reading puts off `onSendStalled`. */
  onSendLimited(): void;
  onSendStalled(): void;
}

export class ClientWriter implements ClientOutput {
  readonly #stream: ByteStream;
  readonly #owner: ClientWriterOwner;
  readonly #sendIdleTimeoutMs: number;
  #isLimited = false;

  constructor(stream: ByteStream, sendIdleTimeoutMs: number, owner: ClientWriterOwner) {
    this.#stream = stream;
    this.#sendIdleTimeoutMs = sendIdleTimeoutMs;
    this.#owner = owner;
  }

  get hasRoom(): boolean {
    return this.#stream.hasRoom;
  }

  get isLimited(): boolean {
    return this.#isLimited;
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  get isFlushed(): boolean {
    return this.#stream.isFlushed;
  }

  get hasPendingView(): boolean {
    return this.#stream.hasPendingView;
  }

  write(piece: string | Buffer): boolean {
    if (piece.length === 0) return this.hasRoom;
    if (this.#stream.write(piece)) return true;
    this.limit();
    return false;
  }

  writeView(view: Buffer): boolean {
    if (this.#stream.writeView(view)) return true;
    this.limit();
    return false;
  }

  /** Bounds the wait for the client to read. Reading from it counts as progress: the owner stops. */
  limit(): void {
    this.#owner.onSendLimited();
    if (this.#isLimited) return;
    this.#isLimited = true;
    this.#stream.limitSilence(this.#sendIdleTimeoutMs);
  }

  /** Ends writing; `done` is called when all of it has been taken. */
  end(done: () => void): void {
    if (!this.#stream.isFlushed) this.limit();
    this.#stream.end(() => {
      this.#stream.limitSilence(0);
      done();
    });
  }

  /** Calls `done` once all has been taken; nothing more is written meanwhile. */
  whenFlushed(done: () => void): void {
    if (!this.#stream.isFlushed) this.limit();
    this.#stream.whenFlushed(() => {
      this.#stream.limitSilence(0);
      done();
    });
  }

  /** The stream tells that there may be room. */
  onRoom(): void {
    if (!this.hasRoom || this.hasPendingView) return;
    const wasLimited = this.#isLimited;
    if (wasLimited) {
      this.#isLimited = false;
      this.#stream.limitSilence(0);
    }
    this.#owner.onWritable(wasLimited);
  }

  /** The stream tells that nothing moved. */
  onSilence(): void {
    if (!this.#stream.isFlushed) this.#owner.onSendStalled();
  }
}
