// The fields a proxy must know by name; every other field passes through as it is. Names are compiled
// into a table, so that a look-up costs the same however many names there are.

import { CLAIM_NAMES, CLAIM_PREFIXES } from './client-claims.ts';

/** Numbers of the known fields; `other` is everything else. */
export const FIELD = {
  other: 0,
  host: 1,
  connection: 2,
  contentLength: 3,
  transferEncoding: 4,
  keepAlive: 5,
  proxyConnection: 6,
  te: 7,
  upgrade: 8,
  http2Settings: 9,
  xForwardedFor: 10,
  xForwardedProto: 11,
  xForwardedHost: 12,
  forwarded: 13,
  via: 14,
  /** Every name that begins with `x-turnout-`: never passed on, from neither side. */
  xTurnout: 15,
  trailer: 16,
  expect: 17,
  /** `X_Forwarded_For` and the like: many servers read such a name as the one with dashes. */
  lookalike: 18,
  cookie: 19,
  contentType: 20,
  contentEncoding: 21,
  cacheControl: 22,
  expires: 23,
  /** Caches in front of the origin obey it before Cache-Control (RFC 9213 §2). */
  cdnCacheControl: 24,
  surrogateControl: 25,
  deploymentId: 26,
  secFetchDest: 27,
  secFetchSite: 28,
  /** What only a trusted proxy may say of a client: client-claims.ts, and the names of a setting. */
  claim: 29,
  /** Through how many Turnouts a request has come. */
  turnoutHops: 30,
  authorization: 31,
  proxyAuthorization: 32,
  wwwAuthenticate: 33,
  proxyAuthenticate: 34,
  requestId: 35,
  traceparent: 36,
  tracestate: 37,
  /** Lines that a rule takes out of one message. */
  replaced: 38,
} as const;

const NAMES: Readonly<Record<string, number>> = {
  host: FIELD.host,
  connection: FIELD.connection,
  'content-length': FIELD.contentLength,
  'transfer-encoding': FIELD.transferEncoding,
  'keep-alive': FIELD.keepAlive,
  'proxy-connection': FIELD.proxyConnection,
  te: FIELD.te,
  upgrade: FIELD.upgrade,
  'http2-settings': FIELD.http2Settings,
  'x-forwarded-for': FIELD.xForwardedFor,
  'x-forwarded-proto': FIELD.xForwardedProto,
  'x-forwarded-host': FIELD.xForwardedHost,
  forwarded: FIELD.forwarded,
  via: FIELD.via,
  trailer: FIELD.trailer,
  expect: FIELD.expect,
  cookie: FIELD.cookie,
  'content-type': FIELD.contentType,
  'content-encoding': FIELD.contentEncoding,
  'cache-control': FIELD.cacheControl,
  expires: FIELD.expires,
  'cdn-cache-control': FIELD.cdnCacheControl,
  'surrogate-control': FIELD.surrogateControl,
  'x-deployment-id': FIELD.deploymentId,
  'sec-fetch-dest': FIELD.secFetchDest,
  'sec-fetch-site': FIELD.secFetchSite,
  authorization: FIELD.authorization,
  'proxy-authorization': FIELD.proxyAuthorization,
  'www-authenticate': FIELD.wwwAuthenticate,
  'proxy-authenticate': FIELD.proxyAuthenticate,
  'x-turnout-hops': FIELD.turnoutHops,
  traceparent: FIELD.traceparent,
  tracestate: FIELD.tracestate,
};

/** Known names that are claims of a client, too. */
const CLAIMED: ReadonlySet<string> = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
]);

/** Known because a login may bind a connection; an operator may strip them all the same. */
const LOGINS: ReadonlySet<number> = new Set([
  FIELD.authorization,
  FIELD.proxyAuthorization,
  FIELD.wwwAuthenticate,
  FIELD.proxyAuthenticate,
]);

const OWN_PREFIX = 'x-turnout-';

/** What stands for every byte of a name that is neither a letter nor a digit. */
const DASH = 0x2d;
/** Byte → itself, letters in lower case. */
export const LOWER: Uint8Array = buildTable(false);
/** The same, but whatever CGI makes an underscore of is a dash (RFC 3875 §4.1.18, and beyond). */
const FOLDED: Uint8Array = buildTable(true);

/** Longest name that is looked up; a power of two. */
export const KNOWN_NAME_BYTES_MAX = 63;
const FIRST_BYTES = 32;
/** All names that are longer share the last of them. */
const LENGTHS = KNOWN_NAME_BYTES_MAX + 2;

interface KnownName {
  /** In lower case. */
  readonly exact: Uint8Array;
  /** With dashes in place of all that is no letter and no digit. */
  readonly folded: Uint8Array;
  readonly kind: number;
  /** Kind of the same name with other signs in place of its dashes. */
  readonly alike: number;
}

/** A set of names that are told from all others. */
export class FieldNames {
  /** By length and first byte; whole names stand before what only begins so. */
  readonly #names: KnownName[][] = lists(FIRST_BYTES * LENGTHS);
  /** 1 where there are any. */
  readonly #isUsed = new Uint8Array(FIRST_BYTES * LENGTHS);

  /**
   * `claims`: what only a trusted proxy may say, beside what is usual; with `*` at the end: every name
   * that begins so. A name that is known for another reason keeps its kind. `idField`: names the
   * request; empty: none does.
   */
  constructor(claims: readonly string[], idField = 'x-request-id') {
    // What many servers read as the same name is never sent on beside it.
    if (idField !== '') this.#add(idField, FIELD.requestId, FIELD.replaced);
    this.#add(`${OWN_PREFIX}*`, FIELD.xTurnout, FIELD.xTurnout);
    for (const [name, kind] of Object.entries(NAMES)) {
      // A login that clients may not send is no login of theirs.
      if (LOGINS.has(kind) && claims.includes(name)) continue;
      this.#add(name, kind, CLAIMED.has(name) ? FIELD.lookalike : FIELD.other);
    }
    // How the operator's own proxies spell these is for the operator to say.
    for (const name of claims) this.#add(name, FIELD.claim, FIELD.claim);
    for (const name of CLAIM_NAMES) this.#add(name, FIELD.claim, FIELD.lookalike);
    for (const name of CLAIM_PREFIXES) this.#add(`${name}*`, FIELD.claim, FIELD.lookalike);
  }

  /** Returns the FIELD number of the name in `bytes[start, end)`, in any case. Allocates nothing. */
  kindOf(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    const first = FOLDED[bytes[start]!]! & (FIRST_BYTES - 1);
    const place = (length < LENGTHS ? length : LENGTHS - 1) * FIRST_BYTES + first;
    // Most names are none that is known, and end here.
    return this.#isUsed[place] === 0 ? FIELD.other : this.#kindAt(place, bytes, start, length);
  }

  #kindAt(place: number, bytes: Uint8Array, start: number, length: number): number {
    const names = this.#names[place]!;
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      if (name.exact.length > length) continue;
      const kind = kindAs(name, bytes, start);
      if (kind !== FIELD.other) return kind;
    }
    return FIELD.other;
  }

  #add(pattern: string, kind: number, alike: number): void {
    const isPrefix = pattern.endsWith('*');
    const text = (isPrefix ? pattern.slice(0, -1) : pattern).toLowerCase();
    const exact: Uint8Array = Buffer.from(text, 'latin1');
    const folded = exact.map((byte) => FOLDED[byte]!);
    const known = { exact, folded, kind, alike };
    const first = folded[0]! & (FIRST_BYTES - 1);
    const from = exact.length + (isPrefix ? 1 : 0);
    const to = isPrefix ? LENGTHS - 1 : exact.length;
    for (let length = from; length <= to; length++) {
      const place = length * FIRST_BYTES + first;
      this.#isUsed[place] = 1;
      const list = this.#names[place]!;
      const begins = list.findIndex((one) => one.exact.length < length);
      list.splice(isPrefix || begins === -1 ? list.length : begins, 0, known);
    }
  }
}

/** Tells whether fields of this kind mean something to this hop, so that no trailer may have them. */
export function isForThisHop(kind: number): boolean {
  return kind !== FIELD.other && (kind < FIELD.requestId || kind > FIELD.replaced);
}

/** The names that are known without any setting. */
export const USUAL_NAMES = new FieldNames([]);

/** Returns what the name at `start` is if it is `name`, or begins with it; else `other`. */
function kindAs(
  { exact, folded, kind, alike }: KnownName,
  bytes: Uint8Array,
  start: number,
): number {
  let result = kind;
  for (let i = 0; i < exact.length; i++) {
    const byte = bytes[start + i]!;
    if (LOWER[byte] === exact[i]) continue;
    if (FOLDED[byte] !== folded[i]) return FIELD.other;
    result = alike;
  }
  return result;
}

function buildTable(isFolded: boolean): Uint8Array {
  const table = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  for (let byte = 0x41; byte <= 0x5a; byte++) table[byte] = byte | 0x20;
  if (!isFolded) return table;
  return table.map((byte) => {
    const isDigit = byte >= 0x30 && byte <= 0x39;
    const isLetter = byte >= 0x61 && byte <= 0x7a;
    return isDigit || isLetter ? byte : DASH;
  });
}

function lists(count: number): KnownName[][] {
  return Array.from({ length: count }, () => []);
}
