// Which signs a locale gets, and that commands print no others.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import t from 'tap';
import { ASCII_SIGNS, signsOf, UNICODE_SIGNS } from '../../../../src/cli/terminal/signs.ts';
import { ago, drainOf, fakeApi, ok, statusAnswer, switchedAnswer } from '../support/fake-api.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

await t.test('the first variable that is set and not empty names the locale', (t) => {
  const cases: readonly (readonly [Readonly<Record<string, string>>, boolean])[] = [
    [{}, true],
    [{ LANG: '' }, true],
    [{ LANG: 'C.UTF-8' }, true],
    [{ LANG: 'de_DE.utf8' }, true],
    [{ LANG: 'en_US.UTF-8@calendar' }, true],
    [{ LANG: 'C' }, false],
    [{ LANG: 'POSIX' }, false],
    [{ LANG: 'de_DE' }, false],
    [{ LANG: 'de_DE.ISO-8859-15' }, false],
    [{ LANG: 'C', LC_CTYPE: 'C.UTF-8' }, true],
    [{ LANG: 'C.UTF-8', LC_CTYPE: 'C' }, false],
    [{ LANG: 'C.UTF-8', LC_CTYPE: '', LC_ALL: '' }, true],
    [{ LANG: 'C.UTF-8', LC_CTYPE: 'C.UTF-8', LC_ALL: 'C' }, false],
  ];
  for (const [environment, isUnicode] of cases) {
    const expected = isUnicode ? UNICODE_SIGNS : ASCII_SIGNS;
    t.equal(signsOf(environment), expected, JSON.stringify(environment));
  }
  t.equal(ASCII_SIGNS.bars.length, UNICODE_SIGNS.bars.length, 'as many heights');
  t.end();
});

await t.test('without signs, commands print ASCII alone, and data as it is', async (t) => {
  const at = ago(0);
  const made = { from: 'blue', to: 'green', release: 'für alle', at, outcome: 'switched' };
  const status = statusAnswer({
    green: { release: 'v9', targets: [{ url: 'http://h:1', health: 'up', reason: '' }] },
    draining: [drainOf()],
    switches: [made],
  });
  const differences = [{ setting: 'exposeColor', from: 'true', to: 'false' }];
  const api = await fakeApi(t, ({ path }) => {
    if (path === '/v1/reload') return ok({ differences, warnings: [], changed: true });
    return ok(path === '/v1/switch' ? switchedAnswer() : status);
  });
  const file = join(t.testdir(), 'shop.yaml');
  writeFileSync(file, 'active: green\n');
  const beyond = /[^\s -~ü]/;
  for (const args of [['status'], ['switch'], ['apply', '-f', file, '--dry-run'], ['reload']]) {
    for (const columns of [20, 100, 200]) {
      const window = { columns, rows: 5 };
      const terminal = fakeTerminal({ signs: ASCII_SIGNS, isLive: true, window });
      const { out, err } = await turnout([...args, '--admin', api.admin], terminal);
      const all = stripVTControlCharacters(`${out}${err}${terminal.raws.join('')}`);
      t.notMatch(all, beyond, args.join(' '));
    }
  }
  const wide = fakeTerminal({ signs: ASCII_SIGNS, window: { columns: 200, rows: 50 } });
  const { out } = await turnout(['status', '--admin', api.admin], wide);
  t.match(out, /^turnout 1\.2\.3 \| ready \| generation 5 \|/);
  t.match(out, /__.*##$/m);
  t.match(out, /blue -> green {2}für alle /);
});
