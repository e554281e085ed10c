// Reads one response that is too large to keep: what is data goes to a callback, the rest is framing.

/** Takes a response apart as it streams by: head, then plain body or chunks. */
export class BodyReader {
  length = 0;
  isWhole: boolean;
  readonly #isChunked: boolean;
  readonly #take: (part: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);
  #inBody = false;
  #chunkLeft = 0;

  constructor(isChunked: boolean, take: (part: Buffer) => void) {
    this.#isChunked = isChunked;
    this.isWhole = !isChunked;
    this.#take = take;
  }

  push(part: Buffer): void {
    let bytes = this.#rest.length === 0 ? part : Buffer.concat([this.#rest, part]);
    if (!this.#inBody) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) {
        this.#rest = bytes;
        return;
      }
      this.#inBody = true;
      bytes = bytes.subarray(end + 4);
    }
    this.#rest = this.#isChunked ? this.#chunks(bytes) : this.#data(bytes, bytes.length);
  }

  #chunks(from: Buffer): Buffer {
    let bytes = from;
    for (;;) {
      if (this.#chunkLeft > 0) {
        const count = Math.min(this.#chunkLeft, bytes.length);
        this.#chunkLeft -= count;
        bytes = this.#data(bytes, count);
        if (this.#chunkLeft > 0) return bytes;
        this.#chunkLeft = -1;
      }
      // After data comes a line end, then the next size.
      const skip = this.#chunkLeft === -1 ? 2 : 0;
      const end = bytes.indexOf('\r\n', skip);
      if (end < 0) return bytes;
      const size = Number.parseInt(bytes.toString('latin1', skip, end), 16);
      bytes = bytes.subarray(end + 2);
      this.#chunkLeft = size;
      if (size === 0) this.isWhole = true;
      if (size === 0) return Buffer.alloc(0);
    }
  }

  #data(bytes: Buffer, count: number): Buffer {
    this.length += count;
    this.#take(bytes.subarray(0, count));
    return bytes.subarray(count);
  }
}
