// How wide text is in the cells of a window, and what is laid out by that: tables, and lines that are
// cut. A letter of Chinese and most emoji take two cells, a combining accent none.

import stringWidth from 'string-width';
import type { Terminal } from './print.ts';

/** Returns how many cells of a window `text` takes, its styles left out. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Returns the longest beginning of `text`, which has no styles, that takes at most `cells`. */
export function beginning(text: string, cells: number): string {
  let end = 0;
  let left = cells;
  for (const { segment, index } of GRAPHEMES.segment(text)) {
    left -= widthOf(segment);
    if (left < 0) break;
    end = index + segment.length;
  }
  return text.slice(0, end);
}

/** Returns `rows` with their columns aligned, two spaces apart; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(cell));
    }
  }
  const pad = (cell: string, column: number): string =>
    cell + ' '.repeat(widths[column]! - widthOf(cell));
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

/** Returns one line cut to `columns` cells, with a sign that something is missing; styles stay whole. */
export function fit({ signs }: Pick<Terminal, 'signs'>, line: string, columns: number): string {
  if (widthOf(line) <= columns) return line;
  const sign = signs.ellipsis.slice(0, columns);
  let room = columns - sign.length;
  let cut = '';
  let hasStyle = false;
  // Styles take no room; whatever else stands here does.
  for (const [part] of line.matchAll(STYLE_OR_TEXT)) {
    if (part.startsWith('\u001B')) {
      cut += part;
      hasStyle = true;
    } else if (room > 0) {
      const shown = beginning(part, room);
      cut += shown;
      // Where half of a wide letter would be left, nothing follows it.
      room = shown.length < part.length ? 0 : room - widthOf(shown);
    }
  }
  return `${cut}${hasStyle ? '\u001B[0m' : ''}${sign}`;
}

// oxlint-disable-next-line no-control-regex -- styles begin with one
const STYLE_OR_TEXT = /\u001B\[[\d;]*m|[^\u001B]+|\u001B/g;
