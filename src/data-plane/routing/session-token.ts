// The text by which a client proves its session: which generation it belongs to, who it is, when
// it began and when it was last seen. It needs no table anywhere.
//
//   GENERATION.ID.ISSUED.SEEN.SIGNATURE     numbers in base 36, times in seconds since the epoch
//
// The signature covers the name of the service too, so a token of one is nothing to another.

import { randomFillSync } from 'node:crypto';
import { SIGNATURE_CHARS, type Signer } from '../../contract/signing.ts';
import { text } from '../../http/text.ts';
import type { ProvenTokens } from './proven-tokens.ts';

const ID_BYTES = 9;
export const ID_CHARS = 12;
const TOKEN_CHARS_MAX = 11 + ID_CHARS + 11 + 11 + SIGNATURE_CHARS + 4;
const DOT = 0x2e;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A token as it was read. One object serves all reads; valid until the next. */
export class SessionToken {
  generation = 0;
  issuedS = 0;
  seenS = 0;
  /** 32 bits of the id, for counting. */
  idHash = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  #idStart = 0;

  /**
   * Reads the token that `bytes[start, end)` are; false when they are none. What is claimed is
   * not proven: see `isSigned`. Allocates nothing.
   */
  read(bytes: Buffer, start: number, end: number): boolean {
    if (end - start > TOKEN_CHARS_MAX) return false;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    const idStart = readNumber(bytes, start, end) + 1;
    if (idStart === 0) return false;
    this.generation = found;
    this.#idStart = idStart;
    const idEnd = idStart + ID_CHARS;
    if (idEnd >= end || bytes[idEnd] !== DOT) return false;
    let hash = FNV_OFFSET;
    for (let p = idStart; p < idEnd; p++) {
      if (bytes[p] === DOT) return false;
      hash = Math.imul(hash ^ bytes[p]!, FNV_PRIME);
    }
    this.idHash = hash >>> 0;
    const seenStart = readNumber(bytes, idEnd + 1, end) + 1;
    if (seenStart === 0) return false;
    this.issuedS = found;
    const signatureStart = readNumber(bytes, seenStart, end) + 1;
    if (signatureStart === 0) return false;
    this.seenS = found;
    return end - signatureStart === SIGNATURE_CHARS && this.issuedS <= this.seenS;
  }

  get id(): string {
    return text(this.#bytes, this.#idStart, this.#idStart + ID_CHARS);
  }

  /** Tells whether we made it, for `service`; `proven` remembers that. */
  isSigned(signer: Signer, service: string, proven: ProvenTokens): boolean {
    const token = text(this.#bytes, this.#start, this.#end);
    if (proven.has(token, service)) return true;
    const claim = token.slice(0, -SIGNATURE_CHARS - 1);
    const isTrue = signer.isSigned(signed(service, claim), token.slice(-SIGNATURE_CHARS));
    if (isTrue) proven.add(token, service);
    return isTrue;
  }
}

/** Returns the token of a session. */
export function sessionToken(
  signer: Signer,
  service: string,
  session: {
    readonly generation: number;
    readonly id: string;
    readonly issuedS: number;
    readonly seenS: number;
  },
): string {
  const { generation, id, issuedS, seenS } = session;
  const claim = `${generation.toString(36)}.${id}.${issuedS.toString(36)}.${seenS.toString(36)}`;
  return `${claim}.${signer.sign(signed(service, claim))}`;
}

const random = Buffer.alloc(ID_BYTES * 256);
let randomAt = random.length;

/** Returns a new id: 72 random bits in ID_CHARS characters. */
export function newSessionId(): string {
  if (randomAt === random.length) {
    randomFillSync(random);
    randomAt = 0;
  }
  const id = random.toString('base64url', randomAt, randomAt + ID_BYTES);
  randomAt += ID_BYTES;
  return id;
}

/** Returns the same hash that a token with this id would be read with. */
export function hashOfId(id: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), FNV_PRIME);
  return hash >>> 0;
}

function signed(service: string, claim: string): string {
  return `session\n${service}\n${claim}`;
}

/** What `readNumber` read. */
let found = 0;

/**
 * Reads a number in base 36 that ends at a dot, in the one spelling that `toString` gives it.
 * Returns the offset of the dot, or -1.
 */
function readNumber(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  let p = start;
  for (; p < end; p++) {
    const byte = bytes[p]!;
    let digit: number;
    if (byte >= 0x30 && byte <= 0x39) digit = byte - 0x30;
    else if (byte >= 0x61 && byte <= 0x7a) digit = byte - 0x61 + 10;
    else break;
    value = value * 36 + digit;
  }
  const isSpelled = p > start && (bytes[start] !== 0x30 || p === start + 1);
  if (!isSpelled || p >= end || bytes[p] !== DOT || value > Number.MAX_SAFE_INTEGER) return -1;
  found = value;
  return p;
}
