// The Cookie field of a request (RFC 6265 §4.2.1, §5.4): finds cookies by name and cuts them
// out of what is sent on. All other cookies stay as they are, byte for byte.

import { lineEnd, type CopyableHead } from './copy-head.ts';
import { FIELD } from './field-kind.ts';

const EQUALS = 0x3d;
const SEMICOLON = 0x3b;
const SP = 0x20;
const TAB = 0x09;

/** Is called with each cookie that has one of the wanted names. */
export interface CookieReader {
  /** `index`: place of the name in the list; the value is `bytes[start, end)`. */
  onCookie(index: number, bytes: Buffer, start: number, end: number): void;
}

/**
 * Tells `reader` of every cookie of `head` with one of `names`, and has those cookies left out
 * when the head is copied. Allocates nothing when there is none.
 */
export function takeCookies(
  head: CopyableHead,
  names: readonly Uint8Array[],
  reader: CookieReader,
): void {
  const { lines } = head;
  for (let i = lines.find(FIELD.cookie, 0); i !== -1; i = lines.find(FIELD.cookie, i + 1)) {
    takeFromLine(head, i, names, reader);
  }
}

function takeFromLine(
  head: CopyableHead,
  line: number,
  names: readonly Uint8Array[],
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
    const isNamed = nameEnd < pairEnd; // has an equals sign
    const index = isNamed ? indexOfName(names, bytes, nameStart, nameEnd) : -1;
    p = afterBlanks(bytes, pairEnd + 1, stop);
    if (index === -1) {
      keptEnd = pairEnd;
    } else {
      reader.onCookie(index, bytes, nameEnd + 1, pairEnd);
      cuts.push(nameStart, Math.min(p, stop));
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

function indexOfName(
  names: readonly Uint8Array[],
  bytes: Buffer,
  start: number,
  end: number,
): number {
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    if (name.length === end - start && isSame(name, bytes, start)) return i;
  }
  return -1;
}

function isSame(name: Uint8Array, bytes: Buffer, start: number): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
  return true;
}

function afterBlanks(bytes: Buffer, start: number, stop: number): number {
  let p = start;
  while (p < stop && (bytes[p] === SP || bytes[p] === TAB)) p++;
  return p;
}
