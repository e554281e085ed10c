// Rows under a head: a table where there is room, records where there is none.

import t from 'tap';
import { listing } from '../../../../src/cli/terminal/listing.ts';
import { widthOf } from '../../../../src/cli/terminal/width.ts';
import { drainOf, fakeApi, ok } from '../support/fake-api.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

await t.test('a table as wide as the window is one, a wider one is records', (t) => {
  const head = ['ID', '', 'ROLE', 'NOTE'];
  const rows = [
    ['a1', 'bot', 'read', '-'],
    ['a2', 'eve', 'admin', 'on call'],
  ];
  const whole = 'ID       ROLE   NOTE\na1  bot  read   -\na2  eve  admin  on call';
  t.equal(listing(head, rows, Infinity), whole);
  t.equal(listing(head, rows, 23), whole);
  t.equal(
    listing(head, rows, 22),
    'a1  bot  role read\na2  eve  role admin\n    note on call',
    'names stand before cells; a dash is left out',
  );
  t.equal(listing(['', ''], [['x', 'up']], 80), 'x  up', 'no head, no line for it');
  t.end();
});

const AT = '2026-11-24T13:46:11.250Z';
const SWITCH = {
  at: AT,
  generation: 13,
  service: 'shop',
  from: 'blue',
  to: 'green',
  release: 'v9',
  deployment: 31,
  outcome: 'rolled-back',
  forced: true,
  actor: 'loopback',
  reason: 'errors at checkout',
};
const ENTRY = {
  seq: 57,
  at: AT,
  actor: 'bot',
  address: '127.0.0.1',
  action: 'POST /v1/switch',
  service: 'shop',
  outcome: 'refused',
  code: 'target-unhealthy',
  generation: 20,
  count: 1,
  reason: '',
};
const TOKEN = {
  id: '4001ncfgkoga',
  name: 'bot',
  role: 'read',
  services: ['shop'],
  createdAt: AT,
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: null,
};

await t.test('no list of a command is cut or wider than a narrow window', async (t) => {
  const api = await fakeApi(t, ({ path }) =>
    ok(
      {
        '/v1/history': { switches: [SWITCH] },
        '/v1/audit': { entries: [ENTRY], chain: null },
        '/v1/tokens': { tokens: [TOKEN] },
        '/v1/drain': { safeToStop: false, draining: [drainOf()] },
      }[path] ?? {},
    ),
  );
  const lists: readonly (readonly [args: readonly string[], facts: readonly string[]])[] = [
    [
      ['history'],
      [
        'generation 13',
        'deployment 31',
        'outcome rolled-back, forced',
        'by loopback',
        'reason errors at checkout',
      ],
    ],
    [['audit'], ['57', 'action POST /v1/switch', 'outcome refused: target-unhealthy']],
    [
      ['token', 'list'],
      ['4001ncfgkoga', 'read', 'shop', 'good'],
    ],
    [['drain'], ['shop', 'requests 1', 'sessions ~7', 'deployment 11: 1 request runs', 'not safe']],
  ];
  for (const [args, facts] of lists) {
    for (const columns of [30, 40, 80]) {
      const terminal = fakeTerminal({ window: { columns, rows: 24 } });
      const { code, out } = await turnout([...args, '--admin', api.admin], terminal);
      t.equal(code, 0);
      t.same(
        out.split('\n').filter((line) => widthOf(line) > columns),
        [],
        `${args.join(' ')} in ${columns} columns`,
      );
      const joined = out.replaceAll(/\s+/g, ' ');
      const lost = facts.filter((fact) => !joined.includes(fact));
      t.same(lost, [], `${args.join(' ')} in ${columns} columns`);
    }
    const { out } = await turnout([...args, '--admin', api.admin]);
    t.match(out, /^[A-Z ]+$/m, 'a pipe gets a table');
  }
});
