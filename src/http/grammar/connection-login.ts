// Authentication schemes that log in a connection and not a request: NTLM and Negotiate (RFC 4559).

import { COMMA, SP, TAB } from './chars.ts';

/** Beginnings of their names, which also stand for variants as `Nego2`. */
const SCHEMES: readonly Uint8Array[] = ['ntlm', 'nego'].map((name) => Buffer.from(name, 'latin1'));

/**
 * Tells whether the challenges or credentials in `bytes[start, end)` name such a scheme (RFC 9110
 * §11.3, §11.4). Looks at the beginning and behind each comma. A quoted text may look like a scheme,
 * too; then a connection is kept for one client without need, which does no harm.
 */
export function namesConnectionLogin(bytes: Uint8Array, start: number, end: number): boolean {
  for (let p = start; p < end; p++) {
    while (p < end && (bytes[p] === SP || bytes[p] === TAB || bytes[p] === COMMA)) p++;
    for (const scheme of SCHEMES) if (startsWith(bytes, p, end, scheme)) return true;
    while (p < end && bytes[p] !== COMMA) p++;
  }
  return false;
}

/** Compares without case. */
function startsWith(bytes: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  if (end - start < name.length) return false;
  for (let i = 0; i < name.length; i++) if ((bytes[start + i]! | 0x20) !== name[i]) return false;
  return true;
}
