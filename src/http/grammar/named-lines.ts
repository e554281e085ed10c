// Which lines of a head the sender has named in Connection: they end at this hop (RFC 9110 §7.6.1).
// Lines are put in order once and each name is searched in them, so a client that names thousands of
// fields costs as many short searches, not thousands times the number of lines.

import { LOWER } from './field-kind.ts';
import type { FieldLines } from './fields.ts';

/** Returns 1 for each line that one of `names` names: start and end of each, in `bytes`. */
export function namedLines(
  bytes: Uint8Array,
  lines: FieldLines,
  names: readonly number[],
): Uint8Array {
  const marks = new Uint8Array(lines.count);
  const order = Array.from({ length: lines.count }, (_, line) => line).toSorted((a, b) =>
    compare(bytes, lines, a, lines.nameStart(b), lines.nameEnd(b)),
  );
  for (let i = 0; i < names.length; i += 2) {
    const start = names[i]!;
    const end = names[i + 1]!;
    let at = firstFrom(bytes, lines, order, start, end);
    for (; at < order.length; at++) {
      const line = order[at]!;
      // Lines of one name are marked together.
      if (marks[line] === 1 || compare(bytes, lines, line, start, end) !== 0) break;
      marks[line] = 1;
    }
  }
  return marks;
}

/** Returns the first place in `order` whose line is not before the name `bytes[start, end)`. */
function firstFrom(
  bytes: Uint8Array,
  lines: FieldLines,
  order: readonly number[],
  start: number,
  end: number,
): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(bytes, lines, order[middle]!, start, end) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Compares the name of a line with `bytes[start, end)`: by length, then by letters of any case. */
function compare(
  bytes: Uint8Array,
  lines: FieldLines,
  line: number,
  start: number,
  end: number,
): number {
  const from = lines.nameStart(line);
  const longer = lines.nameEnd(line) - from - (end - start);
  if (longer !== 0) return longer;
  for (let i = 0; i < end - start; i++) {
    const difference = LOWER[bytes[from + i]!]! - LOWER[bytes[start + i]!]!;
    if (difference !== 0) return difference;
  }
  return 0;
}
