// The Connection field: options for this hop, and fields that end here (RFC 9110 §7.6.1).

import { CHARS, COMMA, SP, TAB, TOKEN } from './chars.ts';
import { FAULT } from './faults.ts';
import { FIELD, LOWER, USUAL_NAMES } from './field-kind.ts';

/** What all Connection fields of one head say together; made once and filled again. */
export class ConnectionOptions {
  close = false;
  keepAlive = false;
  upgrade = false;
  /**
   * Start and end of each name of a field that is not dropped anyway, in the bytes of the head. Almost
   * always empty; a client that names thousands must not cost as many strings.
   */
  names: number[] = [];
  /** 1 for each line that is named; undefined until it is asked for. */
  marks: Uint8Array | undefined = undefined;

  reset(): void {
    this.close = false;
    this.keepAlive = false;
    this.upgrade = false;
    if (this.names.length > 0) this.names = [];
    this.marks = undefined;
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
  if (isClose(bytes, start, end)) options.close = true;
  else options.names.push(start, end);
  return 0;
}

const CLOSE: Uint8Array = Buffer.from('close', 'latin1');

function isClose(bytes: Buffer, start: number, end: number): boolean {
  if (end - start !== CLOSE.length) return false;
  for (let i = 0; i < CLOSE.length; i++) if (LOWER[bytes[start + i]!] !== CLOSE[i]) return false;
  return true;
}
