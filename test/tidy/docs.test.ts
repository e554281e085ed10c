// Tables in documents equal the tables in code, in both directions: a row that is missing and a
// row that is stale both fail.

import t from 'tap';
import { FAILURES } from '../../src/base/failures.ts';
import { documentText, sourceFiles } from './source-files.ts';

/** Returns the cells of each row of the tables in `text` whose first cell is code. */
function tableRows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

await t.test('docs/errors.md has a row for each failure, with its status and blame', async (t) => {
  const documented = tableRows(documentText('docs/errors.md') ?? '').map(
    ([code = '', status = '', blame = '']) => `${code.replaceAll('`', '')} ${status} ${blame}`,
  );
  const coded = Object.entries(FAILURES).map(
    ([code, { status, blame }]) => `${code} ${status} ${blame}`,
  );
  t.strictSame(documented, coded, 'same rows in the same order');
});

await t.test('docs/errors.md says of each failure what it means and what to do', async (t) => {
  const short = tableRows(documentText('docs/errors.md') ?? '').filter(
    ([, , , meaning = '', remedy = '']) => meaning.length < 20 || remedy.length < 10,
  );
  t.strictSame(short, []);
});

await t.test('docs/metrics.md has a row for each series, and no other', async (t) => {
  const sources = sourceFiles('src/control-plane').filter(({ path }) =>
    /\/(?:metrics|prometheus)[^/]*\.ts$|\/metrics\//.test(path),
  );
  const coded = new Set(
    sources.flatMap(({ text }) => [...text.matchAll(/'(turnout_\w+)'/g)].map(([, name]) => name!)),
  );
  const documented = tableRows(documentText('docs/metrics.md') ?? '').flatMap(([name = '']) =>
    [...name.matchAll(/turnout_\w+/g)].map(([found]) => found),
  );
  t.strictSame(documented.toSorted(), [...coded].toSorted());
});
