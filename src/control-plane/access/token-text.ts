// What a token looks like: `turnout_<id>_<secret>`. The prefix lets scanners of repositories find
// one that leaked; the id finds its row, so that one hash is enough to check it. Pure but for chance.

import { createHash, randomBytes } from 'node:crypto';

/** 60 bits: enough to be one of its kind; it is no secret. */
const ID_CHARS = 12;
/** 256 bits: it cannot be guessed, whatever the hash. */
const SECRET_BYTES = 32;

const FORM = /^turnout_([0-9a-v]{12})_([\w-]{43})$/;

export interface TokenText {
  readonly id: string;
  readonly secret: string;
}

/** Returns a new token. */
export function newToken(): TokenText {
  const letters = Array.from(randomBytes(ID_CHARS), (byte) => (byte & 31).toString(32));
  return { id: letters.join(''), secret: randomBytes(SECRET_BYTES).toString('base64url') };
}

/** Returns the token as its owner keeps it. */
export function printToken({ id, secret }: TokenText): string {
  return `turnout_${id}_${secret}`;
}

/** Returns id and secret of `text`; undefined when it is no token. */
export function parseToken(text: string): TokenText | undefined {
  const [, id, secret] = FORM.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Returns what stands for a token where the token itself must not be kept. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
