// Reading from a TLS connection into buffers of its owner (`onread`). Node decrypts all that it has
// taken from the system, and hands it over piece by piece even where it was asked to stop at the first.
// What comes then is kept here, in order, until the owner goes on; it is no more than Node has read at
// once. Knows no sockets.

/** Node decrypts at most this much at a time. */
const PIECE_BYTES_MAX = 16_384;

/**
 * Filled and emptied within one turn, for whatever connection has nowhere else to read into. Never of
 * length 0: Node would try for ever to fill it.
 */
const SPARE = Buffer.allocUnsafeSlow(PIECE_BYTES_MAX);

/** How Node shall read: where to, and what it has read; false stops it. */
export interface OnRead {
  readonly buffer: () => Buffer;
  readonly callback: (length: number, bytes: Uint8Array) => boolean;
}

interface Parts {
  /** Where the owner wants the next bytes. */
  readonly nextBuffer: () => Buffer;
  /** `bytes[0, length)` have come; false stops reading. */
  readonly receive: (bytes: Buffer, length: number) => boolean;
  /** The peer has ended its side; `isByAlert`: it is known that it has said so itself. */
  readonly end: (isByAlert: boolean) => void;
  /** More may be read from the socket. */
  readonly goOn: () => void;
  /** Nothing more is wanted of the socket. */
  readonly halt: () => void;
}

export class SecureReading {
  readonly onread: OnRead;
  readonly #parts: Parts;
  #kept: Buffer[] = [];
  #isStopped = false;
  /** What was kept goes to the owner in this turn. */
  #isDelivering = false;
  /** The peer has ended behind what is kept. */
  #hasEnded = false;
  #isClosed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.onread = {
      buffer: () => (this.#mayReceive && !this.#isClosed ? this.#ownersBuffer() : SPARE),
      callback: (length, bytes) => this.#receive(bytes as Buffer, length),
    };
  }

  /**
   * The peer has ended its side. Where nothing is read, that can't be the end of the connection below,
   * which is not looked at: it is a closing alert behind what was decrypted already.
   */
  end(): void {
    if (this.#mayReceive) this.#parts.end(false);
    else this.#hasEnded = true;
  }

  /** Takes what was decrypted before; `resume` gives it to the owner. */
  keep(piece: Buffer): void {
    this.#kept.push(piece);
  }

  stop(): void {
    this.#isStopped = true;
    if (!this.#isClosed) this.#parts.halt();
  }

  /** The owner goes on, with what was kept first, and not within this call. */
  resume(): void {
    this.#isStopped = false;
    if (this.#isDelivering || this.#isClosed) return;
    if (this.#kept.length === 0 && !this.#hasEnded) {
      this.#parts.goOn();
      return;
    }
    this.#isDelivering = true;
    process.nextTick(() => this.#deliver());
  }

  /** The connection is gone, and with it what was kept. */
  close(): void {
    this.#isClosed = true;
    this.#kept = [];
  }

  get #mayReceive(): boolean {
    return !this.#isStopped && !this.#isDelivering;
  }

  /** Node has read `bytes[0, length)`; false asks it to stop. */
  #receive(bytes: Buffer, length: number): boolean {
    if (this.#isClosed) return true;
    if (!this.#mayReceive) this.#kept.push(Buffer.from(bytes.subarray(0, length)));
    else if (bytes === SPARE) this.#giveOn(bytes.subarray(0, length));
    else this.#hand(bytes, length);
    // What is closed must not be touched any more, not even to stop it.
    return this.#isClosed || !this.#isStopped;
  }

  #deliver(): void {
    while (!this.#isStopped && !this.#isClosed && this.#kept.length > 0) {
      this.#giveOn(this.#kept.shift()!);
    }
    this.#isDelivering = false;
    if (this.#isStopped || this.#isClosed) return;
    if (this.#hasEnded) this.#parts.end(true);
    else this.#parts.goOn();
  }

  /** Copies to where the owner reads; what that has no room for is next. */
  #giveOn(piece: Buffer): void {
    const room = this.#ownersBuffer();
    const length = piece.copy(room);
    this.#hand(room, length);
    if (length === piece.length) return;
    this.#kept.unshift(Buffer.from(piece.subarray(length)));
    if (!this.#isStopped && !this.#isDelivering) this.resume();
  }

  /** The owner may stop by its answer, or before it answers. */
  #hand(bytes: Buffer, length: number): void {
    if (!this.#parts.receive(bytes, length)) this.#isStopped = true;
  }

  #ownersBuffer(): Buffer {
    const buffer = this.#parts.nextBuffer();
    return buffer.length === 0 ? SPARE : buffer;
  }
}
