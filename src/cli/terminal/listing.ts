// Rows with a head, in a window of any width: a table where that has room, else a few lines for
// each row in which every cell has its name.

import { fold } from './fold.ts';
import { table, widthOf } from './width.ts';

/** Returns `rows` under `head`, if that has words, for a window of `columns`; Infinity: any. */
export function listing(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
): string {
  const hasHead = head.some((name) => name !== '');
  const whole = table(hasHead ? [head, ...rows] : rows);
  if (whole.split('\n').every((line) => widthOf(line) <= columns)) return whole;
  return rows.flatMap((row) => record(head, row, columns)).join('\n');
}

/** The first cell needs no name; what a row does not have is left out. */
function record(head: readonly string[], row: readonly string[], columns: number): string[] {
  const [first = '', ...cells] = row;
  const facts = cells.flatMap((cell, index) => {
    const name = head[index + 1]!.toLowerCase();
    return cell === '-' || cell === '' ? [] : [name === '' ? cell : `${name} ${cell}`];
  });
  return fold([first, ...facts], { columns, indent: 4, gap: '  ' });
}
