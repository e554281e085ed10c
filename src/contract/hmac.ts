// HMAC-SHA256 of short texts (RFC 2104 §2), by two hashes in one call each. Node's `createHmac`
// makes an object that lives outside the heap for every text, which costs two to three times as
// much, and the first response on a client connection pays for one.

import { hash } from 'node:crypto';

/** Bytes that SHA-256 takes at once. */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER = 0x36;
const OUTER = 0x5c;
/** Texts up to this length are hashed where they are written; longer ones cost a buffer more. */
const TEXT_BYTES = 512;

/** A key that is ready to sign with. */
export class HmacKey {
  /** Key and text. */
  readonly #inner: Buffer;
  /** Key and digest of the inner. */
  readonly #outer: Buffer;

  constructor(key: Uint8Array) {
    const block = key.length > BLOCK_BYTES ? hash('sha256', key, 'buffer') : key;
    this.#inner = padded(block, INNER, TEXT_BYTES);
    this.#outer = padded(block, OUTER, DIGEST_BYTES);
  }

  /** Returns the digest of `text`, which has one byte per character, as base64url. */
  sign(text: string): string {
    const inner = this.#innerOf(text);
    this.#outer.write(hash('sha256', inner, 'binary'), BLOCK_BYTES, 'latin1');
    return hash('sha256', this.#outer, 'base64url');
  }

  #innerOf(text: string): Buffer {
    if (text.length > TEXT_BYTES) {
      return Buffer.concat([this.#inner.subarray(0, BLOCK_BYTES), Buffer.from(text, 'latin1')]);
    }
    this.#inner.write(text, BLOCK_BYTES, 'latin1');
    return this.#inner.subarray(0, BLOCK_BYTES + text.length);
  }
}

function padded(key: Uint8Array, pad: number, restBytes: number): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES + restBytes);
  for (let at = 0; at < BLOCK_BYTES; at++) bytes[at] = (key[at] ?? 0) ^ pad;
  return bytes;
}
