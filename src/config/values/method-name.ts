// Names of request methods in settings (RFC 9110 §9.1): what may be let through beside the registered ones.

import { accept, refuse, type Parsed } from '../../base/parsed.ts';
import {
  IDEMPOTENT_METHODS,
  METHOD_CHARS_MAX,
  OTHER_METHODS,
  SAFE_METHODS,
} from '../../base/method-names.ts';

const REGISTERED: ReadonlySet<string> = new Set([
  ...SAFE_METHODS,
  ...IDEMPOTENT_METHODS,
  ...OTHER_METHODS,
]);

/** They change what the connection speaks: a tunnel to any address, the preface of HTTP/2. */
const NEVER: ReadonlySet<string> = new Set(['CONNECT', 'PRI']);

/**
 * Returns a method as it is written: case counts. Another spelling of a known one (`get`) is refused,
 * since some targets would read it as that one.
 */
export function parseMethodName(raw: unknown): Parsed<string> {
  const expected = `a method such as LIST (a token of at most ${METHOD_CHARS_MAX} characters)`;
  if (typeof raw !== 'string' || raw.length > METHOD_CHARS_MAX) return refuse(expected, raw);
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(raw)) return refuse(expected, raw);
  const upper = raw.toUpperCase();
  if (NEVER.has(upper)) return refuse(expected, raw, 'it would change what the connection speaks');
  if (!REGISTERED.has(upper)) return accept(raw);
  const isSame = REGISTERED.has(raw);
  return refuse(expected, raw, isSame ? 'it passes already' : `${upper} is another method to some`);
}
