// The fields a proxy must know by name; every other field passes through as it is.

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
} as const;

interface KnownName {
  readonly name: Uint8Array;
  readonly kind: number;
}

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
};

const NAME_BYTES_MAX = 17;

/** Known names by their length: at most four share one, so a look-up is a few compares. */
const BY_LENGTH: readonly (readonly KnownName[])[] = Array.from(
  { length: NAME_BYTES_MAX + 1 },
  (_, length) =>
    Object.entries(NAMES)
      .filter(([name]) => name.length === length)
      .map(([name, kind]) => ({ name: Buffer.from(name, 'latin1'), kind })),
);

const LETTER_X = 0x78;
const DASH = 0x2d;
const UNDERSCORE = 0x5f;
const OWN_PREFIX: Uint8Array = Buffer.from('x-turnout-', 'latin1');
/** What a client may not claim about itself under any spelling. */
const CLAIMS: readonly Uint8Array[] = [
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
].map((name) => Buffer.from(name, 'latin1'));

/** Returns the FIELD number of the name in `bytes[start, end)`, in any case. Allocates nothing. */
export function fieldKind(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length <= NAME_BYTES_MAX) {
    const candidates = BY_LENGTH[length]!;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      if (startsWithName(bytes, start, candidate.name)) return candidate.kind;
    }
  }
  if ((bytes[start]! | 0x20) !== LETTER_X) return FIELD.other;
  if (length >= OWN_PREFIX.length && startsAlike(bytes, start, OWN_PREFIX)) return FIELD.xTurnout;
  for (let i = 0; i < CLAIMS.length; i++) {
    const claim = CLAIMS[i]!;
    if (claim.length === length && startsAlike(bytes, start, claim)) return FIELD.lookalike;
  }
  return FIELD.other;
}

/** Compares with `| 0x20`, which folds the case of letters; "-" has that bit set already. */
function startsWithName(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    if ((bytes[start + i]! | 0x20) !== name[i]) return false;
  }
  return true;
}

/** The same, with an underscore taken for a dash. */
function startsAlike(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[start + i]!;
    if ((byte | 0x20) !== name[i] && !(byte === UNDERSCORE && name[i] === DASH)) return false;
  }
  return true;
}
