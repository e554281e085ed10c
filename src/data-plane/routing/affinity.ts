// The affinity of one service: the names of its cookie, how long a session lasts, and the field
// that gives a client its session (RFC 6265 §4.1, RFC 6265bis §4.1.3 for the prefixes).

import { previewCookieName } from '../../contract/preview-token.ts';
import type { ServicePolicy } from '../../contract/service-policy.ts';
import { SLICES_PER_WINDOW } from '../../contract/session-sightings.ts';
import type { SessionToken } from './session-token.ts';

/** A session may be up to this part of its idle time older than its token says. */
const REFRESH_SHARE = 10;
const REFRESH_MAX_S = 60;
/** A clock that was set back leaves tokens of the future; further off than this none is believed. */
const FUTURE_MAX_S = 86_400;

/** Field with which a client without cookies sends its token, and gets it. */
export const SESSION_FIELD = 'x-turnout-session';

/** Places in `Affinity.cookieNames`. */
export const COOKIE = { session: 0, secureSession: 1, preview: 2, securePreview: 3 } as const;

export class Affinity {
  readonly isOn: boolean;
  readonly isStrict: boolean;
  /** By COOKIE: all are taken out of requests, those that fit the scheme are read. */
  readonly cookieNames: readonly Uint8Array[];
  /** One slice of time in the session counts. */
  readonly sliceS: number;
  /** A token that was seen longer ago is made anew. */
  readonly refreshS: number;
  readonly #idleS: number;
  readonly #lifeS: number;
  readonly #plain: readonly [string, string];
  readonly #secure: readonly [string, string];

  constructor(policy: ServicePolicy) {
    const { mode, cookieName, cookiePath, idleMs, lifeMs } = policy.affinity;
    this.isOn = mode !== 'off';
    this.isStrict = mode === 'strict';
    this.#idleS = Math.ceil(idleMs / 1_000);
    this.#lifeS = Math.ceil(lifeMs / 1_000);
    this.refreshS = Math.min(REFRESH_MAX_S, Math.floor(this.#idleS / REFRESH_SHARE));
    this.sliceS = Math.max(1, Math.ceil(this.#idleS / SLICES_PER_WINDOW));
    const secureName = `${cookiePath === '/' ? '__Host-' : '__Secure-'}${cookieName}`;
    const attributes = `; Path=${cookiePath}; HttpOnly; SameSite=Lax`;
    this.#plain = [`Set-Cookie: ${cookieName}=`, `${attributes}\r\n`];
    this.#secure = [`Set-Cookie: ${secureName}=`, `${attributes}; Secure\r\n`];
    const preview = previewCookieName(policy);
    const names = [cookieName, secureName, preview, `__Host-${preview}`];
    this.cookieNames = names.map((name) => Buffer.from(name, 'latin1'));
  }

  /** Tells whether the session of `token` is over at `nowS`. */
  hasEnded({ issuedS, seenS }: SessionToken, nowS: number): boolean {
    // The token is not made anew with every request, so the session may be that much younger.
    if (nowS - seenS > this.#idleS + this.refreshS) return true;
    return nowS - issuedS > this.#lifeS || seenS - nowS > FUTURE_MAX_S;
  }

  isStale({ seenS }: SessionToken, nowS: number): boolean {
    return nowS - seenS > this.refreshS;
  }

  /** Returns the line of an answer that gives a client `token`. */
  field(token: string, by: 'cookie' | 'secure-cookie' | 'field'): string {
    if (by === 'field') return `X-Turnout-Session: ${token}\r\n`;
    const [before, after] = by === 'secure-cookie' ? this.#secure : this.#plain;
    return before + token + after;
  }
}
