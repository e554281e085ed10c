// Pure: what of a request body goes into the audit log: all but what may be a secret, and not more
// than a bound.

import { AUDIT_REQUEST_CHARS_MAX } from '../../base/control-limits.ts';

const SECRET_NAME = /token|secret|passw|credential|authorization|cookie|private|api-?key/i;
/** User and password of a URL. */
const USER_INFO = /\/\/[^/?#\s]*@/g;

/** Returns `body` as JSON without secrets; empty where there is none. */
export function auditText(body: unknown): string {
  if (body === undefined) return '';
  try {
    const text = JSON.stringify(body, (name, value: unknown) => {
      if (SECRET_NAME.test(name)) return '…';
      return typeof value === 'string' ? value.replaceAll(USER_INFO, '//…@') : value;
    });
    return cut(text, AUDIT_REQUEST_CHARS_MAX);
  } catch {
    return '"…"'; // Nested so deeply that it cannot be printed; no request of ours is.
  }
}

/** Returns `text`, cut to `charsMax` with a mark where something was left out. */
export function cut(text: string, charsMax: number): string {
  // Never through the middle of a surrogate pair.
  return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1).toWellFormed()}…`;
}
