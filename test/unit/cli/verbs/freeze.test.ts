// Freezes, lock-outs and failover on the command line: what is asked, told, and refused before
// a person is asked to agree.

import t from 'tap';
import { statusText } from '../support/read.ts';
import { ago, fakeApi, ok, problem, statusAnswer, switchedAnswer } from '../support/fake-api.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

const AT = '2026-11-27T06:00:00.000Z';
const FREEZE = { actor: 'ann', at: AT, reason: 'black friday' };
const LOCKED = { actor: 'ann', at: AT, reason: 'it leaks', generation: 3 };

const TOLD: readonly (readonly [args: string[], answer: object, text: string])[] = [
  [
    ['freeze', '--reason', 'sale'],
    { freeze: FREEZE, changed: true },
    'all switching is frozen; let it go on with `turnout unfreeze`',
  ],
  [
    ['freeze', '--reason', 'sale'],
    { freeze: FREEZE, changed: false },
    'already: all switching is frozen since 2026-11-27T06:00:00Z by ann: black friday',
  ],
  [
    ['freeze', '--reason', 'sale', '--service', 'shop'],
    { service: 'shop', freeze: FREEZE, changed: true },
    'switching of shop is frozen; let it go on with `turnout unfreeze --service shop`',
  ],
  [
    ['freeze', '--reason', 'sale', '--service', 'shop'],
    { service: 'shop', freeze: FREEZE, changed: false },
    'already: switching of shop is frozen since 2026-11-27T06:00:00Z by ann: black friday',
  ],
  [
    ['unfreeze', '--service', 'shop'],
    { service: 'shop', freeze: null, changed: true },
    'switching of shop goes on',
  ],
  [['unfreeze'], { freeze: null, changed: true }, 'switching goes on'],
  [['unfreeze'], { freeze: null, changed: false }, 'nothing was frozen'],
  [['unlock', 'green'], { service: 'shop', changed: true }, 'shop: green may be switched to again'],
  [
    ['unlock'],
    { service: 'shop', changed: true },
    'shop: the other color may be switched to again',
  ],
  [['unlock'], { service: 'shop', changed: false }, 'shop: nothing was locked out there'],
];

await t.test('each says what came of it', async (t) => {
  for (const [args, answer, text] of TOLD) {
    const api = await fakeApi(t, () => ok(answer));
    const { code, out } = await turnout([...args, '--admin', api.admin]);
    t.same({ code, out }, { code: 0, out: text });
    const json = await turnout([...args, '--json', '--admin', api.admin]);
    t.same(JSON.parse(json.out), answer);
  }
});

await t.test('each sends what it was told', async (t) => {
  const api = await fakeApi(t, () => ok({ changed: true }));
  const admin = ['--admin', api.admin];
  await turnout(['freeze', '--reason', 'sale', ...admin]);
  await turnout(['freeze', '--reason', 'sale', '--service', 'shop', ...admin]);
  await turnout(['unfreeze', '--reason', 'over', ...admin]);
  await turnout(['unlock', 'green', '--reason', 'mended', '--service', 'shop', ...admin]);
  await turnout(['rollback', '--no-lock-out', ...admin]);
  await turnout(['rollback', ...admin]);
  t.strictSame(
    api.changes().map(({ method, path, query, body }) => [method, path, query.toString(), body]),
    [
      ['POST', '/v1/freeze', '', { reason: 'sale' }],
      ['POST', '/v1/freeze', '', { service: 'shop', reason: 'sale' }],
      ['POST', '/v1/unfreeze', '', { reason: 'over' }],
      ['POST', '/v1/unlock', 'service=shop', { color: 'green', reason: 'mended' }],
      ['POST', '/v1/rollback', '', { lockOut: false }],
      ['POST', '/v1/rollback', '', {}],
    ],
  );
});

await t.test('a freeze without a reason is wrong usage', async (t) => {
  for (const args of [['freeze'], ['unlock', 'red'], ['freeze', '--service', 'a']]) {
    t.equal((await turnout(args)).code, 64, args.join(' '));
  }
});

await t.test('a refusal says what to do next, and is 2', async (t) => {
  const refusals = [
    [423, 'switching-frozen', /turnout freezes.*turnout unfreeze.*roll back/],
    [409, 'release-locked-out', /turnout deploy.*turnout unlock/],
  ] as const;
  for (const [status, code, next] of refusals) {
    const api = await fakeApi(t, () => problem(status, code));
    const refused = await turnout(['switch', 'green', '--admin', api.admin]);
    t.match(refused, { code: 2, err: next });
  }
});

await t.test('nobody is asked to agree to what would be refused', async (t) => {
  const frozen = { ...statusAnswer(), freeze: FREEZE };
  const locked = statusAnswer({ green: { lockedOut: LOCKED } });
  const both: readonly (readonly [object, RegExp])[] = [
    [frozen, /frozen since .* by ann: black friday\n.*turnout unfreeze/],
    [locked, /shop: green: v2 is locked out since .* by ann: it leaks\n.*turnout unlock/],
  ];
  for (const [status, text] of both) {
    const api = await fakeApi(t, () => ok(status));
    const terminal = fakeTerminal({ answers: ['y'] });
    const { code, err } = await turnout(['switch', '--admin', api.admin], terminal);
    t.equal(code, 2);
    t.match(err, text);
    t.same(terminal.questions, []);
    t.equal(api.asked.filter(({ method }) => method === 'POST').length, 0);
  }
});

await t.test('a lock-out of the color that is left bars nothing', async (t) => {
  const status = statusAnswer({ blue: { lockedOut: LOCKED }, green: { lockedOut: null } });
  const api = await fakeApi(t, ({ method }) => ok(method === 'GET' ? status : switchedAnswer()));
  const terminal = fakeTerminal({ answers: ['y'] });
  t.match(await turnout(['switch', '--admin', api.admin], terminal), { code: 0 });
});

await t.test('the status shows all of it, the freeze at the top', async (t) => {
  const downSince = ago(90_000);
  const obstacle = 'shop: green is not healthy';
  const failover = { mode: 'auto', downSince, obstacle };
  const status = statusAnswer({ green: { lockedOut: LOCKED }, failover });
  const text = statusText(fakeTerminal(), { ...status, freeze: FREEZE });
  t.match(text.split('\n')[1], /^all switching is frozen since \S+ by ann: black friday$/);
  t.match(text, /^v2 on green is locked out since \S+ by ann: it leaks$/m);
  t.match(text, /^blue is down since .+ \(90 s ago\); failover does not act: shop: green is not/m);
  const waiting = statusAnswer({ failover: { ...failover, obstacle: null } });
  t.match(statusText(fakeTerminal(), waiting), /blue is down since .+; failover waits$/m);
});

await t.test('where there is nothing to tell, nothing is told', async (t) => {
  const failover = { mode: 'auto', downSince: null, obstacle: null };
  const calm = statusAnswer({ blue: { lockedOut: null }, green: { lockedOut: null }, failover });
  for (const status of [statusAnswer(), { ...calm, freeze: null }]) {
    t.notMatch(statusText(fakeTerminal(), status), /frozen|locked|failover|down since/);
  }
});
