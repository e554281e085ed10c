// Tables in documents equal the tables in code, in both directions: a row that is missing and a
// row that is stale both fail.

import t from 'tap';
import { PROBLEMS } from '../../src/api/problem-codes.ts';
import { FAILURES } from '../../src/base/failures.ts';
import { nextStep } from '../../src/cli/client/next-steps.ts';
import { CLAIM_NAMES, CLAIM_PREFIXES } from '../../src/http/grammar/client-claims.ts';
import { tableRows } from './documents.ts';
import { documentText, sourceFiles } from './source-files.ts';

/** Returns the rows whose first cell is code. */
function codeRows(path: string): string[][] {
  return tableRows(documentText(path) ?? '').filter(([first]) => first!.startsWith('`'));
}

await t.test('docs/errors.md has a row for each failure, with its status and blame', async (t) => {
  const documented = codeRows('docs/errors.md').map(
    ([code = '', status = '', blame = '']) => `${code.replaceAll('`', '')} ${status} ${blame}`,
  );
  const coded = Object.entries(FAILURES).map(
    ([code, { status, blame }]) => `${code} ${status} ${blame}`,
  );
  t.strictSame(documented, coded, 'same rows in the same order');
});

await t.test('docs/errors.md says of each failure what it means and what to do', async (t) => {
  const short = codeRows('docs/errors.md').filter(
    ([, , , meaning = '', remedy = '']) => meaning.length < 20 || remedy.length < 10,
  );
  t.strictSame(short, []);
});

await t.test(
  'docs/errors.md has a heading for each problem, to which its type leads',
  async (t) => {
    const text = documentText('docs/errors.md') ?? '';
    const documented = [...text.matchAll(/^### (.+)\n\n(.+)$/gm)].map(([, code, told]) => [
      code,
      told,
    ]);
    const coded = Object.entries(PROBLEMS).map(([code, { status, title }]) => {
      const next = nextStep(code);
      return [code, `${status}: ${title}.${next === undefined ? '' : ` Next: ${next}.`}`];
    });
    t.strictSame(documented, coded, 'same headings in the same order');
  },
);

await t.test('docs/metrics.md has a row for each series, and no other', async (t) => {
  const sources = sourceFiles('src/control-plane').filter(({ path }) =>
    /\/(?:metrics|prometheus)[^/]*\.ts$|\/metrics\//.test(path),
  );
  const coded = new Set(
    sources.flatMap(({ text }) => [...text.matchAll(/'(turnout_\w+)'/g)].map(([, name]) => name!)),
  );
  const documented = codeRows('docs/metrics.md').flatMap(([name = '']) =>
    [...name.matchAll(/turnout_\w+/g)].map(([found]) => found),
  );
  t.strictSame(documented.toSorted(), [...coded].toSorted());
});

await t.test('docs/security.md names each field that clients may not send', async (t) => {
  const text = (documentText('docs/security.md') ?? '').toLowerCase();
  const missing = [...CLAIM_NAMES, ...CLAIM_PREFIXES].filter(
    (name) => !text.includes(`\`${name}\``),
  );
  t.strictSame(missing, []);
});

await t.test(
  'docs/alerts.md has a row for each alert of the example, with its severity',
  async (t) => {
    const documented = codeRows('docs/alerts.md').map(
      ([name = '', severity = '']) => `${name.replaceAll('`', '')} ${severity}`,
    );
    const rules = documentText('examples/compose/alerts.yml') ?? '';
    const written = [...rules.matchAll(/- alert: (\w+)[^]*?severity: (\w+)/g)];
    t.strictSame(
      documented,
      written.map(([, name, severity]) => `${name} ${severity}`),
    );
  },
);
