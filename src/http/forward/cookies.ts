// The Cookie field of a request (RFC 6265 §4.2.1, §5.4): finds the cookies of this proxy and cuts
// them out of what is sent on. All other cookies stay as they are, byte for byte.

import { lineEnd, type CopyableHead } from './copy-head.ts';
import { FIELD } from '../grammar/field-kind.ts';
import type { OwnCookies } from './own-cookies.ts';

const EQUALS = 0x3d;
const SEMICOLON = 0x3b;
const SP = 0x20;
const TAB = 0x09;

/** Is called with each cookie that is own. */
export interface CookieReader {
  /** The name is `bytes[start, end)`, the value `bytes[valueStart, stop)`. */
  onCookie(bytes: Buffer, start: number, end: number, valueStart: number, stop: number): void;
}

/**
 * Tells `reader` of every cookie of `head` that `own` has, and has those cookies left out when the
 * head is copied. Allocates nothing when there is none.
 */
export function takeCookies(head: CopyableHead, own: OwnCookies, reader: CookieReader): void {
  const { lines } = head;
  for (let i = lines.find(FIELD.cookie, 0); i !== -1; i = lines.find(FIELD.cookie, i + 1)) {
    takeFromLine(head, i, own, reader);
  }
}

function takeFromLine(
  head: CopyableHead,
  line: number,
  own: OwnCookies,
  reader: CookieReader,
): void {
  const { bytes, lines } = head;
  const { cuts } = lines;
  const stop = lines.valueEnd(line);
  const firstCut = cuts.length;
  /** Where the last cookie that stays ends. */
  let keptEnd = -1;
  let p = lines.valueStart(line);
  while (p < stop) {
    const nameStart = afterBlanks(bytes, p, stop);
    p = nameStart;
    while (p < stop && bytes[p] !== EQUALS && bytes[p] !== SEMICOLON) p++;
    const nameEnd = p;
    while (p < stop && bytes[p] !== SEMICOLON) p++;
    const pairEnd = p;
    // Servers read a name without the blanks behind it.
    const trimmedEnd = beforeBlanks(bytes, nameStart, nameEnd);
    const isNamed = nameEnd < pairEnd; // has an equals sign
    p = afterBlanks(bytes, pairEnd + 1, stop);
    if (isNamed && own.has(bytes, nameStart, trimmedEnd, nameEnd + 1, pairEnd)) {
      reader.onCookie(bytes, nameStart, trimmedEnd, nameEnd + 1, pairEnd);
      cuts.push(nameStart, Math.min(p, stop));
    } else {
      keptEnd = pairEnd;
    }
  }
  if (cuts.length === firstCut) return;
  if (keptEnd === -1) {
    // Nothing is left of the field.
    cuts.length = firstCut;
    cuts.push(lines.nameStart(line), lineEnd(head, line));
  } else if (cuts.at(-1) === stop) {
    // The last cookies go together with the separator before them.
    while (cuts.length > firstCut && cuts.at(-2)! > keptEnd) cuts.length -= 2;
    cuts.push(keptEnd, stop);
  }
}

function afterBlanks(bytes: Buffer, start: number, stop: number): number {
  let p = start;
  while (p < stop && (bytes[p] === SP || bytes[p] === TAB)) p++;
  return p;
}

function beforeBlanks(bytes: Buffer, start: number, end: number): number {
  let p = end;
  while (p > start && (bytes[p - 1] === SP || bytes[p - 1] === TAB)) p--;
  return p;
}
