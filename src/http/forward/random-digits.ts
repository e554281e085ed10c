// Random numbers in hexadecimal digits for the ids of requests. The bytes come in batches, because
// asking the system for a few costs as much as asking for many.

import { randomFillSync } from 'node:crypto';

/** Enough for some hundred requests. */
const BATCH_BYTES = 8_192;
const DIGITS: Uint8Array = Buffer.from('0123456789abcdef', 'latin1');

export class RandomDigits {
  readonly #bytes = new Uint8Array(BATCH_BYTES);
  #used = BATCH_BYTES;

  /** Writes `count` digits, an even number, to `to` from `at` on. */
  write(to: Uint8Array, at: number, count: number): void {
    const bytes = count / 2;
    if (this.#used + bytes > BATCH_BYTES) {
      randomFillSync(this.#bytes);
      this.#used = 0;
    }
    for (let i = 0; i < bytes; i++) {
      const byte = this.#bytes[this.#used + i]!;
      to[at + 2 * i] = DIGITS[byte >> 4]!;
      to[at + 2 * i + 1] = DIGITS[byte & 15]!;
    }
    this.#used += bytes;
  }
}
