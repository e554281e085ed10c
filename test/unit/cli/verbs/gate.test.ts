// Holds and maintenance on the command line: what is asked, how what still runs is told, and the exit
// code where it was waited for.

import t from 'tap';
import { fakeApi, ok } from '../support/fake-api.ts';
import { turnout } from '../support/terminal.ts';

const UPLOAD = {
  client: '192.0.2.7',
  ageMs: 1_500,
  method: 'POST',
  path: '/save',
  waitsFor: 'upload',
};
const NOTHING = { requests: 0, tunnels: 0, streams: 0, leftBehind: 0, oldest: [] };
const MUCH = { requests: 2, tunnels: 1, streams: 1, leftBehind: null, oldest: [UPLOAD] };

function answer(changes: object): object {
  const until = '2026-11-27T06:00:20.000Z';
  const made = { generation: 3, service: 'shop', changed: true, until, isOn: true };
  return { ...made, running: NOTHING, ...changes };
}

const HELD =
  'shop: requests wait for at most 20s (until 2026-11-27T06:00:20.000Z); `turnout resume` lets them go on';
const STILL = [
  'still runs, and may write: 2 requests, 1 tunnel, 1 event stream, connections of the process before the upgrade',
  '  POST /save of 192.0.2.7 for 1.5 s: its client has to send the rest',
].join('\n');
const QUIET = 'nothing that came before runs any more';

await t.test('what still runs is told, and decides where it was waited for', async (t) => {
  const hold = ['hold', '--for', '20s'];
  const cases: [args: string[], answer: object, code: number, out: string][] = [
    [hold, answer({}), 0, `${HELD}\n${QUIET}`],
    [hold, answer({ running: MUCH }), 0, `${HELD}\n${STILL}`],
    [[...hold, '--wait'], answer({}), 0, `${HELD}\n${QUIET}`],
    [[...hold, '--wait'], answer({ running: MUCH }), 1, `${HELD}\n${STILL}`],
    [
      [...hold, '--wait', '5s'],
      answer({ isOn: false }),
      1,
      `${HELD}\nit was ended meanwhile: requests go through again`,
    ],
    [
      ['maintenance', 'on', '--wait'],
      answer({ until: null, running: MUCH }),
      1,
      `shop: in maintenance: every request gets 503; \`turnout maintenance off\` ends it\n${STILL}`,
    ],
    [
      ['maintenance', 'off'],
      answer({ until: null, isOn: false, running: MUCH }),
      0,
      'shop: out of maintenance',
    ],
  ];
  for (const [args, said, code, out] of cases) {
    const api = await fakeApi(t, () => ok(said));
    const ran = await turnout([...args, '--admin', api.admin]);
    t.same({ code: ran.code, out: ran.out }, { code, out }, args.join(' '));
  }
});

await t.test('an earlier server, which tells nothing of it, is not made to say so', async (t) => {
  const api = await fakeApi(t, () => ok({ service: 'shop', changed: true }));
  const { code, out } = await turnout(['hold', '--admin', api.admin]);
  t.same([code, out.includes('runs')], [0, false]);
});

await t.test('each sends what it was told', async (t) => {
  const api = await fakeApi(t, () => ok(answer({})));
  const admin = ['--admin', api.admin];
  await turnout(['hold', '--wait', '--close', ...admin]);
  await turnout(['hold', '--for', '1s', '--wait', '2s', ...admin]);
  await turnout(['maintenance', 'on', '--wait', '1m', '--close', ...admin]);
  await turnout(['switch', 'green', '--services', 'shop, bank', '--hold', '5s', ...admin]);
  t.strictSame(
    api.changes().map(({ path, body }) => [path, body]),
    [
      ['/v1/hold', { wait: '30s', close: true }],
      ['/v1/hold', { for: '1s', wait: '2s' }],
      ['/v1/maintenance', { on: true, wait: '1m', close: true }],
      ['/v1/switch', { to: 'green', services: ['shop', 'bank'], hold: '5s' }],
    ],
  );
});

await t.test('what makes no sense is refused before the server is asked', async (t) => {
  const api = await fakeApi(t, () => ok({}));
  for (const args of [
    ['hold', '--wait', 'soon'],
    ['hold', '--methods', 'writes', '--wait'],
    ['maintenance', 'on', '--wait', '5'],
    ['switch', 'green', '--services', 'a,,b'],
    ['switch', 'green', '--services', 'a,b', '--wait'],
    ['switch', 'green', '--services', 'a,b', '--service', 'a'],
  ]) {
    const { code } = await turnout([...args, '--admin', api.admin]);
    t.equal(code, 64, args.join(' '));
  }
  t.strictSame(api.asked, []);
});

await t.test('a switch of several services tells of each', async (t) => {
  const one = { from: 'blue', to: 'green', release: 'v2', publishedAt: '', changed: true };
  const services = [
    { ...one, service: 'shop', deployment: 3 },
    { ...one, service: 'bank', deployment: 4, from: 'green', changed: false },
  ];
  const api = await fakeApi(t, () => ok({ generation: 7, tookMs: 4.5, services }));
  const args = ['switch', 'green', '--services', 'shop,bank', '--admin', api.admin];
  const { code, out } = await turnout(args);
  t.equal(code, 0);
  t.match(out, /^shop: blue .* green \(.*v2.*generation 7.*\)\nbank: green is active already/);
});

await t.test('a resume says what it has called off', async (t) => {
  const said = { service: 'shop', changed: true, calledOff: ['switch by ci'] };
  const api = await fakeApi(t, () => ok(said));
  const { out } = await turnout(['resume', '--admin', api.admin]);
  t.equal(out, 'shop: requests go on; called off: switch by ci');
});
