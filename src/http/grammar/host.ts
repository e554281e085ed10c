// The value of Host and the authority of a request target (RFC 9110 §7.2, RFC 3986 §3.2).

import { CHARS, COLON, HEX, HOST, NINE, ZERO } from './chars.ts';

const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;
const DOT = 0x2e;
const PORT_MAX = 65_535;

/**
 * Returns where the host of `host [":" port]` in `bytes[start, end)` ends, or -1 when the bytes
 * are no such thing. User information is refused. The port may be empty (RFC 3986 §3.2.3), and an
 * empty value is a valid Host (RFC 9110 §7.2).
 */
export function hostEnd(bytes: Uint8Array, start: number, end: number): number {
  let p = start;
  if (bytes[p] === BRACKET_OPEN && p < end) {
    p++;
    while (p < end && ((CHARS[bytes[p]!]! & HEX) !== 0 || bytes[p] === COLON || bytes[p] === DOT))
      p++;
    if (p - start < 3 || p >= end || bytes[p] !== BRACKET_CLOSE) return -1;
    p++;
  } else {
    while (p < end && (CHARS[bytes[p]!]! & HOST) !== 0) p++;
  }
  const hostStop = p;
  if (p === end) return hostStop;
  if (bytes[p] !== COLON || p === start) return -1;
  return isPort(bytes, p + 1, end) ? hostStop : -1;
}

/**
 * Returns where the authority `bytes[start, end)`, which is a valid one, ends without a port that says
 * nothing: an empty one, or `usual`, that of its scheme (RFC 3986 §6.2.3).
 */
export function authorityEnd(bytes: Uint8Array, start: number, end: number, usual: number): number {
  const host = hostEnd(bytes, start, end);
  let port = 0;
  for (let p = host + 1; p < end; p++) port = port * 10 + bytes[p]! - ZERO;
  return end - host <= 1 || port === usual ? host : end;
}

function isPort(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > 5) return false;
  let port = 0;
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (byte < ZERO || byte > NINE) return false;
    port = port * 10 + byte - ZERO;
  }
  return port <= PORT_MAX;
}
