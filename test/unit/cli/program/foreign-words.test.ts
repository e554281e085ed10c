// A word of another tool leads to ours, and to nothing that does not exist.

import t from 'tap';
import { NEXT_STEPS } from '../../../../src/cli/client/next-steps.ts';
import { buildProgram } from '../../../../src/cli/program/commands.ts';
import { FOREIGN_WORDS } from '../../../../src/cli/program/foreign-words.ts';
import { offersOf } from '../../../../src/cli/program/offers.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

const OFFERS = offersOf(buildProgram(fakeTerminal(), { finish: () => {}, complain: () => {} }, []));

await t.test('every word is told at 64, as one document for scripts', async (t) => {
  const known = OFFERS[0]!.commands.map(({ name }) => name);
  for (const word of Object.keys(FOREIGN_WORDS)) {
    t.notOk(known.includes(word), `${word} is none of ours`);
    const { code, out, err } = await turnout([word, 'x', '--force']);
    t.match({ code, out, err }, { code: 64, out: '', err: /^turnout: there is no command/ });
    const json = await turnout([word, '--json']);
    t.match(JSON.parse(json.out), { code: 'usage', message: /there is no command/ });
  }
});

await t.test('every command and option in a hint exists', (t) => {
  const hints = [...Object.values(FOREIGN_WORDS), ...Object.values(NEXT_STEPS)].join(' ');
  for (const [, line] of hints.matchAll(/`(turnout [^`]+)`/g)) {
    if (line === 'turnout --version') continue;
    const words = line!.split(' ').filter((word) => !word.startsWith('-'));
    const offer =
      OFFERS.find(({ path }) => path === words.slice(0, 3).join(' ')) ??
      OFFERS.find(({ path }) => path === words.slice(0, 2).join(' '));
    t.ok(offer, line!);
    const options = line!.match(/--[a-z-]+/g) ?? [];
    const has = new Set(offer?.options.map(({ long }) => long));
    for (const option of options) t.ok(has.has(option), `${line}: ${option}`);
  }
  t.end();
});

await t.test('an old name of a command works, and no help teaches it', async (t) => {
  const { out } = await turnout(['resume', '--help']);
  t.notMatch(out, /\brelease\b/);
  t.match(out, /turnout resume \[options\]/);
  t.match(await turnout(['release', '--help']), { code: 0, out });
});
