// The affinity of one service: the cookies that count for it, how long a session lasts, and the
// field that gives a client its session (RFC 6265 §4.1, RFC 6265bis §4.1.3 for the prefixes).

import {
  formerCookieNames,
  previewCookieName,
  sessionCookieName,
  type NamedService,
} from '../../../contract/cookie-names.ts';
import type { SameSite } from '../../../contract/service-policy.ts';
import { SLICES_PER_WINDOW } from '../../../contract/session-sightings.ts';
import { isAt } from '../../../http/forward/own-cookies.ts';
import type { SessionToken } from './session-token.ts';

/** A token is made anew once it is older than this part of the idle time of the session. */
const REFRESH_SHARE = 10;
const REFRESH_MAX_S = 60;
/** A clock that was set back leaves tokens from the future; from further ahead they are invalid. */
const FUTURE_MAX_S = 86_400;

/** Field in which a client without cookies sends its token, and gets a new one. */
export const SESSION_FIELD = 'x-turnout-session';

/** As the attribute is written in the field. */
const SAME_SITE = { lax: 'Lax', strict: 'Strict', none: 'None' } as const;

/** What a cookie may carry for a service. */
export const COOKIE = { other: 0, session: 1, preview: 2 } as const;

/** How a client is told its session. */
export type SessionCarrier = 'cookie' | 'secure-cookie' | 'field';

interface CookieName {
  readonly bytes: Uint8Array;
  /** Of COOKIE. */
  readonly kind: number;
}

export class Affinity {
  readonly isOn: boolean;
  readonly isStrict: boolean;
  readonly cookiePath: string;
  readonly sameSite: SameSite;
  /** Length of a slice of time in the session counts. */
  readonly sliceS: number;
  /** A token that says it was seen longer ago than this is made anew. */
  readonly refreshS: number;
  readonly #idleS: number;
  readonly #lifeS: number;
  readonly #plain: readonly [string, string];
  readonly #secure: readonly [string, string];
  readonly #plainNames: readonly CookieName[];
  readonly #secureNames: readonly CookieName[];

  /** `instance` stands in the names of cookies. */
  constructor(service: NamedService, instance: string) {
    const { mode, cookiePath, sameSite, idleMs, lifeMs } = service.policy.affinity;
    this.isOn = mode !== 'off';
    this.isStrict = mode === 'strict';
    this.cookiePath = cookiePath;
    this.sameSite = sameSite;
    this.#idleS = Math.ceil(idleMs / 1_000);
    this.#lifeS = Math.ceil(lifeMs / 1_000);
    this.refreshS = Math.min(REFRESH_MAX_S, Math.floor(this.#idleS / REFRESH_SHARE));
    this.sliceS = Math.max(1, Math.ceil(this.#idleS / SLICES_PER_WINDOW));
    const name = sessionCookieName(instance, service);
    const securePrefix = cookiePath === '/' ? '__Host-' : '__Secure-';
    const attributes = `; Path=${cookiePath}; HttpOnly; SameSite=${SAME_SITE[sameSite]}`;
    this.#plain = [`Set-Cookie: ${name}=`, `${attributes}\r\n`];
    this.#secure = [`Set-Cookie: ${securePrefix}${name}=`, `${attributes}; Secure\r\n`];
    const names = [name, ...formerCookieNames(service)];
    const preview = previewCookieName(name);
    const sessions = (prefix: string) => names.map((one) => named(prefix + one, COOKIE.session));
    this.#plainNames = [...sessions(''), named(preview, COOKIE.preview)];
    this.#secureNames = [...sessions(securePrefix), named(`__Host-${preview}`, COOKIE.preview)];
  }

  /**
   * Tells what the cookie with the name `bytes[start, end)` carries. Over TLS only a name with the
   * prefix counts: the other may have been planted on the way.
   */
  cookieKind(bytes: Buffer, start: number, end: number, isSecure: boolean): number {
    const names = isSecure ? this.#secureNames : this.#plainNames;
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      if (name.bytes.length === end - start && isAt(name.bytes, bytes, start)) return name.kind;
    }
    return COOKIE.other;
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
  field(token: string, by: SessionCarrier): string {
    if (by === 'field') return `X-Turnout-Session: ${token}\r\n`;
    const [before, after] = by === 'secure-cookie' ? this.#secure : this.#plain;
    return before + token + after;
  }
}

function named(name: string, kind: number): CookieName {
  return { bytes: Buffer.from(name, 'latin1'), kind };
}
