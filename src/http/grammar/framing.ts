// Where a message body ends (RFC 9112 §6). A body is `none`, of known length, chunked, or it
// lasts until the sender closes (responses only). What has two readings is refused (§6.3, §11.2).

import { CHARS, NINE, TOKEN, ZERO } from './chars.ts';
import { FAULT } from './faults.ts';
import { text } from './text.ts';

/** Body lengths at or above 0 are bytes; these two are the other cases. */
export const CHUNKED = -1;
export const UNTIL_CLOSE = -2;

/**
 * Returns the number in `bytes[start, end)` or FAULT.LENGTH. Only plain decimal digits without
 * leading zeros and up to 2^53 − 1: any other spelling is read differently by some programs.
 */
export function parseContentLength(bytes: Uint8Array, start: number, end: number): number {
  if (start === end || end - start > 16) return FAULT.LENGTH;
  if (bytes[start] === ZERO && end - start > 1) return FAULT.LENGTH;
  let length = 0;
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (byte < ZERO || byte > NINE) return FAULT.LENGTH;
    length = length * 10 + byte - ZERO;
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : FAULT.LENGTH;
}

/** Returns CHUNKED when the value of Transfer-Encoding is a single `chunked`, else the FAULT (RFC 9112 §6.1). */
export function parseTransferEncoding(bytes: Buffer, start: number, end: number): number {
  const value = text(bytes, start, end).toLowerCase();
  if (value === 'chunked') return CHUNKED;
  const codings = value.split(',').map((coding) => coding.trim());
  const isList = codings.every(isToken);
  return isList && codings.some((coding) => coding !== 'chunked')
    ? FAULT.CODING_UNKNOWN
    : FAULT.CODING;
}

function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if ((CHARS[text.charCodeAt(i)]! & TOKEN) === 0) return false;
  }
  return text.length > 0;
}
