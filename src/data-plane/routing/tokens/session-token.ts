// The text by which a client proves its session: the deployment it belongs to, the epoch since which
// that was active, its id, when it began and when it was last seen. No table of sessions is kept.
//
//   DEPLOYMENT.EPOCH.ID.ISSUED.SEEN.SIGNATURE     numbers in base 36, times in seconds since 1970
//   GENERATION.ID.ISSUED.SEEN.SIGNATURE           of versions before deployments: read, not made
//
// The signature covers the name of the service too, so a token of one is not valid for another.

import { randomFillSync } from 'node:crypto';
import { FNV_OFFSET, FNV_PRIME } from '../../../base/hashes.ts';
import { SIGNATURE_CHARS, type Signer } from '../../../contract/signing.ts';
import { NINE, ZERO } from '../../../http/grammar/chars.ts';
import { text } from '../../../http/grammar/text.ts';
import type { ProvenTokens } from './proven-tokens.ts';

const ID_BYTES = 9;
export const ID_CHARS = 12;
/** Of `Number.MAX_SAFE_INTEGER` in base 36; fewer than ID_CHARS, which tells the two forms apart. */
const NUMBER_CHARS_MAX = 11;
const TOKEN_CHARS_MAX = 4 * NUMBER_CHARS_MAX + ID_CHARS + SIGNATURE_CHARS + 5;
const DOT = 0x2e;
const LETTER_A = 0x61;
const LETTER_Z = 0x7a;

/** A token as it was read. One object serves all reads; valid until the next. */
export class SessionToken {
  /** -1 in the form of earlier versions. */
  deployment = 0;
  epoch = 0;
  /** What the form of earlier versions holds instead of both; -1 in the one of today. */
  legacyGeneration = -1;
  issuedS = 0;
  seenS = 0;
  /** 32 bits of the id, for counting and placing. */
  idHash = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  #idStart = 0;

  /** The form is that of earlier versions. */
  get isLegacy(): boolean {
    return this.legacyGeneration !== -1;
  }

  /**
   * Reads the token that `bytes[start, end)` are; false when they are none. What is claimed is
   * not proven: see `isSigned`. Allocates nothing.
   */
  read(bytes: Buffer, start: number, end: number): boolean {
    if (end - start > TOKEN_CHARS_MAX) return false;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    const idStart = this.#readBelonging(bytes, start, end);
    if (idStart === -1) return false;
    this.#idStart = idStart;
    const idEnd = idStart + ID_CHARS;
    if (idEnd >= end || bytes[idEnd] !== DOT) return false;
    let hash = FNV_OFFSET;
    // As `textHash` of the id, without making a text of it.
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

  /** Reads what stands before the id and returns where that begins; -1: it is not as it must be. */
  #readBelonging(bytes: Buffer, start: number, end: number): number {
    const firstEnd = dotIn(bytes, start, end);
    const first = numberIn(bytes, start, firstEnd);
    const secondEnd = dotIn(bytes, firstEnd + 1, end);
    if (first === -1) return -1;
    if (secondEnd - firstEnd - 1 === ID_CHARS) {
      this.deployment = -1;
      this.epoch = -1;
      this.legacyGeneration = first;
      return firstEnd + 1;
    }
    this.deployment = first;
    this.epoch = numberIn(bytes, firstEnd + 1, secondEnd);
    this.legacyGeneration = -1;
    return first === 0 || this.epoch === -1 ? -1 : secondEnd + 1;
  }

  get id(): string {
    return text(this.#bytes, this.#idStart, this.#idStart + ID_CHARS);
  }

  /** Tells whether an accepted key signed it, for `service`; `proven` remembers that. */
  isSigned(signer: Signer, service: string, proven: ProvenTokens): boolean {
    const token = text(this.#bytes, this.#start, this.#end);
    if (proven.has(token, service)) return true;
    const claim = token.slice(0, -SIGNATURE_CHARS - 1);
    const whole = this.isLegacy ? legacySigned(service, claim) : signed(service, claim);
    const isTrue = signer.isSigned(whole, token.slice(-SIGNATURE_CHARS));
    if (isTrue) proven.add(token, service);
    return isTrue;
  }
}

/** Returns the token of a session. */
export function sessionToken(
  signer: Signer,
  service: string,
  session: {
    readonly deployment: number;
    readonly epoch: number;
    readonly id: string;
    readonly issuedS: number;
    readonly seenS: number;
  },
): string {
  const { deployment, epoch, id, issuedS, seenS } = session;
  const belongsTo = `${deployment.toString(36)}.${epoch.toString(36)}`;
  const claim = `${belongsTo}.${id}.${issuedS.toString(36)}.${seenS.toString(36)}`;
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

/** What is signed says what it is for, and in which form: no signature is good for another text. */
function signed(service: string, claim: string): string {
  return `session of a deployment\n${service}\n${claim}`;
}

function legacySigned(service: string, claim: string): string {
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
