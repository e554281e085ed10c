// Where a head is put together before it leaves: pieces of what came in and fields of ours become one
// flat string. Joined strings would be copied once more when they are written.

/** More than a head that is read in one piece; a longer one gets a buffer of its own. */
const USUAL_BYTES = 32_768;

/** Filled and taken within one turn, so one serves every head of its kind. */
export class HeadBuffer {
  #bytes = Buffer.allocUnsafeSlow(USUAL_BYTES);
  #length = 0;

  /** Forgets what an error has left in it. */
  begin(): void {
    this.#length = 0;
  }

  /** Adds all of `bytes`, which are few. */
  add(bytes: Uint8Array): void {
    const end = this.#endOf(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length = end;
  }

  /** Adds `bytes[start, stop)`. */
  addRange(bytes: Buffer, start: number, stop: number): void {
    const end = this.#endOf(stop - start);
    bytes.copy(this.#bytes, this.#length, start, stop);
    this.#length = end;
  }

  /** Adds text with one byte in each character. */
  addText(text: string): void {
    if (text.length === 0) return;
    const end = this.#endOf(text.length);
    this.#bytes.write(text, this.#length, 'latin1');
    this.#length = end;
  }

  /** Returns what was added since `begin`, with one byte in each character. */
  take(): string {
    const taken = this.#bytes.toString('latin1', 0, this.#length);
    this.#length = 0;
    if (this.#bytes.length > USUAL_BYTES) this.#bytes = Buffer.allocUnsafeSlow(USUAL_BYTES);
    return taken;
  }

  /** Makes room for `count` bytes more; returns where they end. */
  #endOf(count: number): number {
    const end = this.#length + count;
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(2 * end);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    return end;
  }
}
