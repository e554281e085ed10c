// The affinity of one service: the names of its cookie, how long a session lasts, and the field
// that gives a client its session (RFC 6265 §4.1, RFC 6265bis §4.1.3 for the prefixes).

import { previewCookieName } from '../../contract/preview-token.ts';
import type { ServicePolicy } from '../../contract/service-policy.ts';
import { SLICES_PER_WINDOW } from '../../contract/session-sightings.ts';
import type { SessionToken } from './session-token.ts';

/** A token is made anew once it is older than this part of the idle time of the session. */
const REFRESH_SHARE = 10;
const REFRESH_MAX_S = 60;
/** A clock that was set back leaves tokens from the future; from further ahead they are invalid. */
const FUTURE_MAX_S = 86_400;

/** Field in which a client without cookies sends its token, and gets a new one. */
export const SESSION_FIELD = 'x-turnout-session';

/** Places in `Affinity.cookieNames`. */
export const COOKIE = { session: 0, secureSession: 1, preview: 2, securePreview: 3 } as const;

export class Affinity {
  readonly isOn: boolean;
  readonly isStrict: boolean;
  /** By COOKIE: all are taken out of requests, those that fit the scheme are read. */
  readonly cookieNames: readonly Uint8Array[];
  /** Length of a slice of time in the session counts. */
  readonly sliceS: number;
  /** A token that says it was seen longer ago than this is made anew. */
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
    // The token is not made anew with every request: it may have been seen that much later.
    if (nowS - seenS > this.#idleS + this.refreshS) return true;
    return nowS - issuedS > this.#lifeS || seenS - nowS > FUTURE_MAX_S;
  }

  isStale({ seenS }: SessionToken, nowS: number): boolean {
    return nowS - seenS > this.refreshS;
  }

  /** Returns the line of a response that gives a client `token`. */
  field(token: string, by: 'cookie' | 'secure-cookie' | 'field'): string {
    if (by === 'field') return `X-Turnout-Session: ${token}\r\n`;
    const [before, after] = by === 'secure-cookie' ? this.#secure : this.#plain;
    return before + token + after;
  }
}
