// The Connection field: options for this hop, and fields that end here (RFC 9110 §7.6.1).

import { CHARS, COMMA, SP, TAB, TOKEN } from './chars.ts';
import { FAULT } from './faults.ts';
import { FIELD, USUAL_NAMES } from './field-kind.ts';
import { text } from './text.ts';

/** What all Connection fields of one head say together; made once and filled again. */
export class ConnectionOptions {
  close = false;
  keepAlive = false;
  upgrade = false;
  /** Named fields, lower case, that are not dropped anyway. Almost always empty. */
  names = new Set<string>();

  reset(): void {
    this.close = false;
    this.keepAlive = false;
    this.upgrade = false;
    if (this.names.size > 0) this.names = new Set();
  }
}

/**
 * Adds the options in `bytes[start, end)` to `options`. Returns 0 or FAULT.CONNECTION: the list
 * is malformed, or it names a field without which the message would be read differently.
 */
export function parseConnection(
  options: ConnectionOptions,
  bytes: Buffer,
  start: number,
  end: number,
): number {
  let p = start;
  while (p < end) {
    const byte = bytes[p]!;
    if (byte === SP || byte === TAB || byte === COMMA) {
      p++;
      continue;
    }
    const tokenStart = p;
    while (p < end && (CHARS[bytes[p]!]! & TOKEN) !== 0) p++;
    if (p === tokenStart) return FAULT.CONNECTION;
    let next = p;
    while (next < end && (bytes[next] === SP || bytes[next] === TAB)) next++;
    if (next < end && bytes[next] !== COMMA) return FAULT.CONNECTION;
    const fault = takeOption(options, bytes, tokenStart, p);
    if (fault !== 0) return fault;
    p = next;
  }
  return 0;
}

function takeOption(options: ConnectionOptions, bytes: Buffer, start: number, end: number): number {
  switch (USUAL_NAMES.kindOf(bytes, start, end)) {
    case FIELD.keepAlive:
      options.keepAlive = true;
      return 0;
    case FIELD.upgrade:
      options.upgrade = true;
      return 0;
    case FIELD.te:
    case FIELD.http2Settings:
    case FIELD.proxyConnection:
    case FIELD.connection:
      return 0; // Never forwarded, named or not.
    case FIELD.host:
    case FIELD.contentLength:
    case FIELD.transferEncoding:
      return FAULT.CONNECTION;
    default:
  }
  const name = text(bytes, start, end).toLowerCase();
  if (name === 'close') options.close = true;
  else options.names.add(name);
  return 0;
}
