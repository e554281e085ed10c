// The text by which a client proves its session: the generation it belongs to, its id, when it
// began and when it was last seen. No table of sessions is kept anywhere.
//
//   GENERATION.ID.ISSUED.SEEN.SIGNATURE     numbers in base 36, times in seconds since the epoch
//
// The signature covers the name of the service too, so a token of one is not valid for another.

import { randomFillSync } from 'node:crypto';
import { SIGNATURE_CHARS, type Signer } from '../../contract/signing.ts';
import { NINE, ZERO } from '../../http/chars.ts';
import { text } from '../../http/text.ts';
import type { ProvenTokens } from './proven-tokens.ts';

const ID_BYTES = 9;
export const ID_CHARS = 12;
const TOKEN_CHARS_MAX = 11 + ID_CHARS + 11 + 11 + SIGNATURE_CHARS + 4;
const DOT = 0x2e;
const LETTER_A = 0x61;
const LETTER_Z = 0x7a;
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
    const generationEnd = dotIn(bytes, start, end);
    this.generation = numberIn(bytes, start, generationEnd);
    const idStart = generationEnd + 1;
    this.#idStart = idStart;
    const idEnd = idStart + ID_CHARS;
    if (this.generation === -1 || idEnd >= end || bytes[idEnd] !== DOT) return false;
    let hash = FNV_OFFSET;
    for (let p = idStart; p < idEnd; p++) {
      if (bytes[p] === DOT) return false;
      hash = Math.imul(hash ^ bytes[p]!, FNV_PRIME);
    }
    this.idHash = hash >>> 0;
    const issuedEnd = dotIn(bytes, idEnd + 1, end);
    this.issuedS = numberIn(bytes, idEnd + 1, issuedEnd);
    const seenEnd = dotIn(bytes, issuedEnd + 1, end);
    this.seenS = numberIn(bytes, issuedEnd + 1, seenEnd);
    const isWhole = end - seenEnd === 1 + SIGNATURE_CHARS;
    return isWhole && this.issuedS !== -1 && this.issuedS <= this.seenS;
  }

  get id(): string {
    return text(this.#bytes, this.#idStart, this.#idStart + ID_CHARS);
  }

  /** Tells whether an accepted key signed it, for `service`; `proven` remembers that. */
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

/** Returns the `idHash` of a token with this id. */
export function hashOfId(id: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), FNV_PRIME);
  return hash >>> 0;
}

function signed(service: string, claim: string): string {
  return `session\n${service}\n${claim}`;
}

/** Returns the offset of the first dot in `bytes[start, end)`, or `end` when there is none. */
function dotIn(bytes: Buffer, start: number, end: number): number {
  let p = start;
  while (p < end && bytes[p] !== DOT) p++;
  return p;
}

/**
 * Returns the number in base 36 that `bytes[start, stop)` are, in the one spelling that `toString`
 * gives it; -1 when they are none.
 */
function numberIn(bytes: Buffer, start: number, stop: number): number {
  if (start >= stop || (bytes[start] === ZERO && stop - start > 1)) return -1;
  let value = 0;
  for (let p = start; p < stop; p++) {
    const byte = bytes[p]!;
    let digit: number;
    if (byte >= ZERO && byte <= NINE) digit = byte - ZERO;
    else if (byte >= LETTER_A && byte <= LETTER_Z) digit = byte - LETTER_A + 10;
    else return -1;
    value = value * 36 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}
