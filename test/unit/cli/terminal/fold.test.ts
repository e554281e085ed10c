// Lines that fit a window: where they break, and that nothing is lost.

import t from 'tap';
import { fold, foldText } from '../../../../src/cli/terminal/fold.ts';

await t.test('facts stand side by side while there is room, then below each other', (t) => {
  const layout = { columns: 10, indent: 2, gap: ' · ' };
  t.same(fold(['one', 'two', 'three'], layout), ['one · two', '  three']);
  t.same(fold(['one', 'two', 'three'], { ...layout, columns: Infinity }), ['one · two · three']);
  t.same(fold([], layout), ['']);
  t.end();
});

await t.test('a fact with more words than a line breaks between them, not before a unit', (t) => {
  t.same(foldText('who waits goes on in 30 s', 12, 2), ['who waits', '  goes on in', '  30 s']);
  t.same(fold(['a', 'bb cc dd ee'], { columns: 10, indent: 4, gap: ', ' }), [
    'a, bb cc',
    '  dd ee',
  ]);
  t.same(foldText('two\nlines', 80, 2), ['two lines']);
  t.end();
});

await t.test('a word longer than a line goes on in the next, unless it has styles', (t) => {
  t.same(foldText('at http://10.0.0.1:3000/', 10, 2), [
    'at',
    '  http://1',
    '  0.0.0.1:',
    '  3000/',
  ]);
  const red = '\u001B[31m0123456789abcdef\u001B[39m';
  t.same(foldText(`x ${red}`, 10, 2), ['x', `  ${red}`]);
  for (const columns of [0, 1, 2, 3]) {
    t.equal(foldText('abc def', columns, 4).join(''), 'abcdef', `${columns} columns`);
  }
  t.end();
});
