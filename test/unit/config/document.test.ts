// The form of the text: syntax, duplicate keys, and what could hurt, each with its place.

import t, { type Test } from 'tap';
import { ALIASES_MAX, DEPTH_MAX, readYaml } from '../../../src/config/document.ts';

function check(
  t: Test,
  text: string,
  faults: readonly (readonly [number, number, RegExp])[],
): void {
  const read = readYaml(text);
  const found = read.ok ? [] : read.faults;
  t.match(
    found.map(({ line, column, message }) => [line, column, message]),
    faults,
  );
  t.equal(found.length, faults.length);
}

await t.test('broken YAML is a fault with its line', async (t) => {
  check(t, 'a: "x\n', [[2, 1, /^not valid YAML/]]);
  check(t, 'a:\n\t- b', [[2, 1, /^not valid YAML \(Tabs/]]);
  check(t, 'a: !secret x', [[1, 4, /^not valid YAML \(Unresolved tag\)$/]]);
});

await t.test('a key stands once in its mapping', async (t) => {
  check(t, 'a: 1\nb: { c: 1, c: 2 }\na: 3\n1: x\n"1": y', [
    [2, 12, /"c" again/],
    [3, 1, /"a" again/],
    [5, 1, /"1" again/],
  ]);
});

await t.test('a key is a plain word', async (t) => {
  check(t, '? [a]\n: 1\n', [[1, 3, /^expected a plain word/]]);
});

await t.test('a file holds one document', async (t) => {
  check(t, 'a: 1\n---\nb: 2\n', [[2, 1, /^expected one document/]]);
});

await t.test('an alias of nothing is a fault', async (t) => {
  check(t, 'a: *b', [[1, 4, /^expected an alias of an anchor above it/]]);
});

await t.test('aliases that multiply are refused before they fill the memory', async (t) => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 9; level++) {
    const inner = Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ');
    lines.push(`a${level}: &a${level} [${inner}]`);
  }
  check(t, lines.join('\n'), [[1, 1, new RegExp(`^expected at most ${ALIASES_MAX} aliases`)]]);
});

await t.test(
  'what is nested too deep is refused in short time, whatever it is made of',
  async (t) => {
    for (const unit of ['[', '{a: ', '- ', '? ', '{[']) {
      const text = unit.repeat(5_000);
      const read = readYaml(text);
      t.match(read, { ok: false, faults: [{ message: /^nested deeper than 32 levels$/ }] }, unit);
    }
    const fits = '['.repeat(DEPTH_MAX) + ']'.repeat(DEPTH_MAX);
    t.match(readYaml(fits), { ok: true });
  },
);

await t.test('a place is that of the key or of the value, through aliases too', async (t) => {
  const read = readYaml('a: &x\n  b: 1\nc: *x\nd:\n  - e\n  -   f: 2\n');
  if (!read.ok) throw new Error('expected a document');
  const place = (path: readonly (string | number)[], at: 'key' | 'value'): string => {
    const { line, column } = read.placeOf(path, at);
    return `${line}:${column}`;
  };
  t.equal(place(['a'], 'key'), '1:1');
  t.equal(place(['a', 'b'], 'key'), '2:3');
  t.equal(place(['a', 'b'], 'value'), '2:6');
  t.equal(place(['c', 'b'], 'value'), '2:6', 'an alias points to what it stands for');
  t.equal(place(['d', 1, 'f'], 'value'), '6:10');
  t.equal(place(['d', 1, 'none'], 'value'), '6:7', 'what is missing points to its mapping');
});

await t.test('an empty text is a document without content', async (t) => {
  for (const text of ['', '\n', '# only a comment\n', '---\n']) {
    t.match(readYaml(text), { ok: true, raw: null });
  }
});
