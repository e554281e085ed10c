// What people get to read: aligned, colored where colors are wanted, and harmless.

/* oxlint-disable no-control-regex -- a terminal is steered by them */

import t from 'tap';
import {
  colorName,
  jsonText,
  styled,
  styledError,
  type Terminal,
} from '../../../../src/cli/terminal/print.ts';
import { fit, table, widthOf } from '../../../../src/cli/terminal/width.ts';
import { ASCII_SIGNS } from '../../../../src/cli/terminal/signs.ts';
import { fakeTerminal } from '../support/terminal.ts';

function terminal(hasColors: boolean): Terminal {
  return fakeTerminal({ hasColors });
}

await t.test('a table aligns its columns, whatever the style of a cell', async (t) => {
  const blue = styled(terminal(true), 'blue', 'b');
  t.equal(
    table([
      ['A', 'LONG', 'C'],
      [blue, 'x', 'y'],
      ['aaa', '', ''],
    ]),
    ['A    LONG  C', `${blue}    x     y`, 'aaa'].join('\n'),
  );
});

await t.test('a style is nothing where there are no colors', async (t) => {
  t.equal(styled(terminal(false), 'red', 'x'), 'x');
  t.equal(styled(terminal(true), 'red', 'x'), '\u001b[31mx\u001b[39m');
});

await t.test('each stream has styles of its own', async (t) => {
  const onlyErrors = { ...terminal(false), hasErrorColors: true };
  t.equal(styled(onlyErrors, 'red', 'x'), 'x');
  t.equal(styledError(onlyErrors, 'red', 'x'), '\u001b[31mx\u001b[39m');
  t.equal(styledError({ ...terminal(true), hasErrorColors: false }, 'red', 'x'), 'x');
});

await t.test('a line is cut to a width, its styles whole', async (t) => {
  const red = styled(terminal(true), 'red', 'abcdef');
  const cutTo = (line: string, columns: number): string => fit(terminal(true), line, columns);
  t.equal(cutTo('abc', 3), 'abc');
  t.equal(cutTo('abcd', 3), 'ab…');
  t.equal(cutTo('abcd', 1), '…');
  t.equal(cutTo('abcd', 0), '');
  t.equal(cutTo(red, 6), red);
  for (let columns = 0; columns < 12; columns++) {
    const cut = cutTo(`12${red}34`, columns);
    t.equal(widthOf(cut), Math.min(columns, 10));
    t.equal(cut.match(/\u001b\[(?:0|39)m/) !== null, cut.includes('\u001b[31m'), 'and closed');
    const ascii = fit(fakeTerminal({ signs: ASCII_SIGNS }), `12${red}34`, columns);
    t.equal(widthOf(ascii), Math.min(columns, 10), 'a longer sign is no wider line');
  }
});

await t.test('a color is printed in itself, any other word as it is', async (t) => {
  t.equal(colorName(terminal(true), 'green'), '\u001b[32mgreen\u001b[39m');
  t.equal(colorName(terminal(true), 'mauve'), 'mauve');
});

await t.test('JSON reads as the same values, and steers no terminal', async (t) => {
  t.equal(jsonText({ reason: 'a\u009b\u202eb\nc' }), String.raw`{"reason":"a\u009b\u202eb\nc"}`);
});
