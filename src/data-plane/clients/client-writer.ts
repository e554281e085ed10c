// The way out to one client: writes pieces of answers, says when the client should be given time
// to read, and ends the wait for one that does not.

import type net from 'node:net';

/** Whoever is told how the client reads. */
export interface ClientWriterOwner {
  /** There is room again; `wasLimited`: somebody was told to wait. */
  onRoom(wasLimited: boolean): void;
  /** A wait began: from now on only the client's reading puts off `onSendStalled`. */
  onSendLimited(): void;
  onSendStalled(): void;
}

export class ClientWriter {
  readonly #socket: net.Socket;
  readonly #owner: ClientWriterOwner;
  readonly #sendIdleTimeoutMs: number;
  /** Writes of a target's read buffer whose end Node has not reported yet. */
  #pendingViews = 0;
  #isLimited = false;

  constructor(socket: net.Socket, sendIdleTimeoutMs: number, owner: ClientWriterOwner) {
    this.#socket = socket;
    this.#sendIdleTimeoutMs = sendIdleTimeoutMs;
    this.#owner = owner;
    socket.on('drain', () => this.#onRoom());
    socket.on('timeout', () => {
      if (socket.writableLength > 0) owner.onSendStalled();
    });
  }

  get hasRoom(): boolean {
    return this.#socket.writableLength < this.#socket.writableHighWaterMark;
  }

  get isFlushed(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** Some of a target's read buffer still waits in the socket. */
  get hasPendingView(): boolean {
    return this.#pendingViews > 0 && !this.isFlushed;
  }

  /** Writes; false when the client should be given time to read. */
  write(piece: string | Buffer): boolean {
    if (typeof piece === 'string') this.#socket.write(piece, 'latin1');
    else this.#socket.write(piece);
    if (this.hasRoom) return true;
    this.limit();
    return false;
  }

  /** Writes bytes of a read buffer: false until the system has taken all of them. */
  writeView(view: Buffer): boolean {
    this.#pendingViews++;
    this.#socket.write(view, this.#onViewFlushed);
    if (this.isFlushed) return true;
    this.limit();
    return false;
  }

  /**
   * Bounds the wait for the client to read. Uses Node's own timer, which alone sees that a large
   * write makes progress; it takes reading for progress too, so the owner stops reading.
   */
  limit(): void {
    this.#owner.onSendLimited();
    if (this.#isLimited) return;
    this.#isLimited = true;
    this.#socket.setTimeout(this.#sendIdleTimeoutMs);
  }

  /** Ends writing; `done` is called when all of it has been taken. */
  end(done: () => void): void {
    if (!this.isFlushed) this.limit();
    this.#socket.end(() => {
      this.#socket.setTimeout(0);
      done();
    });
  }

  readonly #onViewFlushed = (): void => {
    this.#pendingViews--;
    if (this.#pendingViews === 0) this.#onRoom();
  };

  #onRoom(): void {
    if (!this.hasRoom || this.hasPendingView) return;
    const wasLimited = this.#isLimited;
    if (wasLimited) {
      this.#isLimited = false;
      this.#socket.setTimeout(0);
    }
    this.#owner.onRoom(wasLimited);
  }
}
