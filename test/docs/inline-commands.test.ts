// Commands that stand inside a sentence or a table of the documents: the command is there, and so is
// each of its options. Those in blocks are run; see walk.test.ts.

import t from 'tap';
import { allSettings } from '../../src/config/settings/table/settings-list.ts';
import { buildProgram } from '../../src/cli/program/commands.ts';
import { offersOf } from '../../src/cli/program/offers.ts';
import { fakeTerminal } from '../unit/cli/support/terminal.ts';
import { DOCUMENTS } from '../tidy/documents.ts';
import { documentText } from '../tidy/source-files.ts';

/** What was said before counts as it was then. */
const CHECKED = DOCUMENTS.filter(
  (path) => path !== 'CHANGELOG.md' && !path.startsWith('docs/decisions/'),
);
const OFFERS = offersOf(
  buildProgram(fakeTerminal(), { finish: () => {}, complain: () => {} }, allSettings()),
);
const PROGRAM = OFFERS[0]!;

/** Returns what is wrong with a command line that begins with `turnout`; undefined: nothing. */
function faultOf(line: string): string | undefined {
  const words = line.split(/\s+/);
  const named = words.slice(1).filter((word) => /^[a-z]/.test(word));
  if (named.length === 0) return undefined;
  const [first = '', second = ''] = named;
  const offer =
    OFFERS.find(({ path }) => path === `turnout ${first} ${second}`) ??
    OFFERS.find(({ path }) => path === `turnout ${first}`);
  if (offer === undefined) return `no command "${first}"`;
  const known = new Set(
    [...PROGRAM.options, ...offer.options].flatMap(({ long, short }) => [long, short]),
  );
  const unknown = words.find((word) => word.startsWith('-') && !known.has(word.split('=')[0]));
  return unknown === undefined ? undefined : `"${offer.path}" has no option ${unknown}`;
}

await t.test('a command that is not there, or has no such option, is found', async (t) => {
  t.equal(faultOf('turnout explode'), 'no command "explode"');
  t.equal(faultOf('turnout switch --sideways'), '"turnout switch" has no option --sideways');
  t.equal(faultOf('turnout token create ci --role switch'), undefined);
  t.equal(faultOf('turnout run --listen=:80 --workers 2'), undefined);
});

for (const path of CHECKED) {
  const text = documentText(path) ?? '';
  const lines = [...text.matchAll(/`(turnout [^`\n]+)`/g)].map(([, line]) => line!);
  if (lines.length === 0) continue;
  await t.test(path, async (t) => {
    const faults = lines.flatMap((line) => {
      const fault = faultOf(line);
      return fault === undefined ? [] : [`${line}: ${fault}`];
    });
    t.strictSame(faults, []);
  });
}
