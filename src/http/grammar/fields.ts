// Field lines (RFC 9112 §5) as offsets into the bytes they came in. Nothing is copied: a field
// that is forwarded is later sliced out as it stands, so order, case, repeats and bytes survive.
//
//   at[4i]      at[4i+1]     at[4i+2]      at[4i+3]
//   name start  name end     value start   value end (blanks around the value are outside)

import { CHARS, COLON, CR, LF, SP, TAB, TOKEN, VALUE } from './chars.ts';
import { FAULT, INCOMPLETE } from './faults.ts';
import { FIELD, USUAL_NAMES, type FieldNames } from './field-kind.ts';

/** Parsed field lines; made once and filled again for each head. */
export class FieldLines {
  count = 0;
  readonly at: Int32Array;
  /** FIELD number of each line. */
  readonly kinds: Uint8Array;
  /** Start and end of byte runs that are not sent on, ascending; empty after each parse. */
  readonly cuts: number[] = [];

  readonly fieldsMax: number;
  /** What the lines are told apart by. */
  readonly names: FieldNames;

  constructor(fieldsMax: number, names: FieldNames = USUAL_NAMES) {
    this.fieldsMax = fieldsMax;
    this.names = names;
    this.at = new Int32Array(fieldsMax * 4);
    this.kinds = new Uint8Array(fieldsMax);
  }

  nameStart(i: number): number {
    return this.at[4 * i]!;
  }
  nameEnd(i: number): number {
    return this.at[4 * i + 1]!;
  }
  valueStart(i: number): number {
    return this.at[4 * i + 2]!;
  }
  valueEnd(i: number): number {
    return this.at[4 * i + 3]!;
  }

  /** Returns the first line of `kind` from line `from` on; -1: there is none. */
  find(kind: number, from: number): number {
    for (let i = from; i < this.count; i++) if (this.kinds[i] === kind) return i;
    return -1;
  }
}

/**
 * Reads field lines from `start` to the empty line that ends them. Returns the offset after that
 * line, INCOMPLETE when `end` comes first, or a FAULT. Allocates nothing.
 *
 * RFC 9112 §5, §5.1 (no blank before the colon), §5.2 (no obs-fold), §2.2 (no bare CR or LF).
 */
export function parseFieldLines(
  lines: FieldLines,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const { at, kinds, cuts, names } = lines;
  if (cuts.length > 0) cuts.length = 0;
  let count = 0;
  let p = start;
  for (;;) {
    if (p >= end) return INCOMPLETE;
    if (bytes[p] === CR) {
      if (p + 1 >= end) return INCOMPLETE;
      if (bytes[p + 1] !== LF) return FAULT.LINE_END;
      lines.count = count;
      return p + 2;
    }

    const nameStart = p;
    while (p < end && (CHARS[bytes[p]!]! & TOKEN) !== 0) p++;
    if (p >= end) return INCOMPLETE;
    if (bytes[p] !== COLON || p === nameStart) {
      return bytes[p] === LF ? FAULT.LINE_END : FAULT.FIELD_NAME;
    }
    const nameEnd = p;
    p++;

    while (p < end && (bytes[p] === SP || bytes[p] === TAB)) p++;
    const valueStart = p;
    while (p < end && (CHARS[bytes[p]!]! & VALUE) !== 0) p++;
    if (p + 1 >= end) {
      if (p < end && bytes[p] !== CR) return bytes[p] === LF ? FAULT.LINE_END : FAULT.FIELD_VALUE;
      return INCOMPLETE;
    }
    if (bytes[p] !== CR) return bytes[p] === LF ? FAULT.LINE_END : FAULT.FIELD_VALUE;
    if (bytes[p + 1] !== LF) return FAULT.LINE_END;
    let valueEnd = p;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === TAB)) {
      valueEnd--;
    }

    if (count === lines.fieldsMax) return FAULT.HEAD_FIELDS;
    const row = 4 * count;
    at[row] = nameStart;
    at[row + 1] = nameEnd;
    at[row + 2] = valueStart;
    at[row + 3] = valueEnd;
    kinds[count] = nameEnd - nameStart < 2 ? FIELD.other : names.kindOf(bytes, nameStart, nameEnd);
    count++;
    p += 2;
  }
}

/**
 * Looks for the empty line that ends a head, from `scanned` on, where earlier calls stopped.
 * Returns the offset after it, INCOMPLETE, or FAULT.LINE_END for a line feed without its
 * carriage return. For heads that come in pieces: each byte is looked at once, however small
 * the pieces are.
 */
export function findHeadEnd(bytes: Buffer, scanned: number, end: number): number {
  let lf = bytes.indexOf(LF, scanned);
  while (lf !== -1 && lf < end) {
    if (lf === 0 || bytes[lf - 1] !== CR) return FAULT.LINE_END;
    if (lf >= 3 && bytes[lf - 2] === LF) return lf + 1;
    lf = bytes.indexOf(LF, lf + 1);
  }
  return INCOMPLETE;
}

/**
 * The same for heads whose lines may all end in a line feed alone: returns the offset after the first
 * empty line of whatever kind, or INCOMPLETE.
 */
export function findLooseHeadEnd(bytes: Buffer, scanned: number, end: number): number {
  let lf = bytes.indexOf(LF, Math.max(0, scanned - 2));
  while (lf !== -1 && lf + 1 < end) {
    if (bytes[lf + 1] === LF) return lf + 2;
    if (bytes[lf + 1] === CR && lf + 2 < end && bytes[lf + 2] === LF) return lf + 3;
    lf = bytes.indexOf(LF, lf + 1);
  }
  return INCOMPLETE;
}
