// Cells of a window, for text that is not one cell a letter: names and reasons are of any language.

import t from 'tap';
import { foldText } from '../../../../src/cli/terminal/fold.ts';
import { fit, table, widthOf } from '../../../../src/cli/terminal/width.ts';
import { fakeTerminal } from '../support/terminal.ts';

const WIDE = '決済サービス';
const ACCENT = 'cafe\u0301';
const FLAG = '🇩🇪';

await t.test('a table is aligned by cells, not by letters', (t) => {
  const rows = [WIDE, ACCENT, FLAG, 'plain'].map((name) => [name, 'x']);
  const lines = table([['NAME', 'Y'], ...rows]).split('\n');
  for (const line of lines) t.equal(widthOf(line), widthOf(WIDE) + 3, line);
  t.end();
});

await t.test('a line is cut between letters, never in one', (t) => {
  const terminal = fakeTerminal();
  for (const text of [WIDE, ACCENT + ACCENT, FLAG + FLAG, `ab${WIDE}`]) {
    for (let columns = 1; columns <= widthOf(text); columns++) {
      const cut = fit(terminal, text, columns);
      t.ok(widthOf(cut) <= columns, `${cut} in ${columns}`);
      t.ok(cut === text || cut.endsWith('…'));
      t.ok(text.startsWith(cut.replace('…', '')));
      t.ok(cut.isWellFormed());
    }
  }
  t.end();
});

await t.test('folded text fits, and nothing of it is lost', (t) => {
  const text = `${WIDE}${WIDE}${WIDE} is down: ${FLAG} ${ACCENT}`;
  for (let columns = 2; columns <= 40; columns++) {
    const lines = foldText(text, columns, 0);
    t.ok(
      lines.every((line) => widthOf(line) <= columns),
      `${columns}`,
    );
    t.equal(lines.join('').replaceAll(' ', ''), text.replaceAll(' ', ''));
  }
  t.end();
});
