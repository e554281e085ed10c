// What ARCHITECTURE.md claims and can be checked: the ways out of a request are those of
// failures.ts, the directions of imports are those of walls.ts, and each invariant names tests that
// exist. map.test.ts checks the code map.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FAILURES } from '../../src/base/failures.ts';
import { tableRows } from './documents.ts';
import { codeOf, documentText, ROOT, sourceFiles } from './source-files.ts';
import { PARTS, WALLS } from './walls.ts';

const TEXT = documentText('ARCHITECTURE.md') ?? '';

/** Returns what stands under the heading `title`, up to the next one. */
function section(title: string): string {
  const [, text = ''] = TEXT.split(`\n## ${title}\n`);
  return text.split('\n## ', 1)[0]!;
}

/** Returns the rows of the first table in `text`, its head left out. */
function rowsOf(text: string): string[][] {
  return tableRows(text).slice(2);
}

await t.test('the chart has each failure at an exit, with its status, and no other', async (t) => {
  const [, chart = ''] = section('The phases of a request').split('```');
  const drawn = [...chart.matchAll(/\b([A-Z][A-Z_]{3,})(?: (\d{3}))?/g)].map(
    ([, code, status]) => `${code} ${status}`,
  );
  const coded = Object.entries(FAILURES).map(([code, { status }]) => `${code} ${status}`);
  t.strictSame([...new Set(drawn)].toSorted(), coded.toSorted());
});

await t.test('every file that the chart names is there, under the folder it names', async (t) => {
  const [, chart = ''] = section('The phases of a request').split('```');
  const named = [...chart.matchAll(/(?:[\w-]+\/)+[\w-]+\.ts/g)].map(([path]) => path);
  t.ok(named.length > 10, `${named.length} files`);
  const missing = named.filter(
    (path) =>
      !existsSync(join(ROOT, 'src/data-plane', path)) && !existsSync(join(ROOT, 'src', path)),
  );
  t.strictSame(missing, []);
});

await t.test('each invariant has a number and names tests that exist', async (t) => {
  const rows = rowsOf(section('Invariants'));
  t.strictSame(
    rows.map(([number]) => number),
    rows.map((_, index) => `${index + 1}`),
  );
  for (const [number, , shown = ''] of rows) {
    const tests = [...shown.matchAll(/`([^`]+)`/g)].map(([, path]) => path!);
    t.ok(tests.length > 0, `invariant ${number} names a test`);
    const missing = tests.filter(
      (path) => !/^test\/.*\.test\.ts$/.test(path) || !existsSync(join(ROOT, path)),
    );
    t.strictSame(missing, [], `the tests of invariant ${number} exist`);
  }
});

await t.test('the pointer is stored where invariant 3 says, and nowhere else', async (t) => {
  const storing = sourceFiles('src')
    .filter(({ text }) =>
      /Atomics\.(?:store|add|exchange|compareExchange)\(\s*[\w.]*pointer\b/.test(codeOf(text)),
    )
    .map(({ path }) => path);
  t.strictSame(storing, [
    'src/control-plane/daemon.ts',
    'src/control-plane/publishing/publisher.ts',
    'src/control-plane/upgrade/process-upgrade.ts',
  ]);
});

await t.test('the table of parts is that of walls.ts', async (t) => {
  const written = rowsOf(section('Who may import whom')).map(([part = '', may = '']) => [
    part.replaceAll('`', ''),
    [...may.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  ]);
  t.strictSame(written, Object.entries(PARTS));
});

await t.test('the folders inside of each part stand in the order of walls.ts', async (t) => {
  const written = [...section('Who may import whom').matchAll(/^- `([\w-]+)`: (.+)$/gm)].map(
    ([, part, folders = '']) => [part, folders.replace('the rest', '.').split(' → ')] as const,
  );
  t.strictSame(
    Object.fromEntries(written),
    Object.fromEntries(Object.entries(WALLS).map(([part, walls]) => [part, Object.keys(walls)])),
  );
});
