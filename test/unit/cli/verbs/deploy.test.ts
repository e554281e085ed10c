// `turnout deploy`: register, get healthy, switch; and every way in which traffic stays where it was.

/* oxlint-disable no-control-regex -- a terminal is steered by them */

import t, { type Test } from 'tap';
import {
  drainOf,
  fakeApi,
  ok,
  problem,
  statusAnswer,
  switchedAnswer,
  type Request,
} from '../support/fake-api.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

const TARGET = { url: 'http://h:1', health: 'up', reason: '' };
const UP = { release: 'v9', health: 'up', targets: [TARGET] };
const UNKNOWN = { ...UP, health: 'unknown', targets: [{ ...TARGET, health: 'unknown' }] };
const DOWN = {
  ...UP,
  health: 'partly',
  targets: [TARGET, { url: 'http://h:2', health: 'down', reason: 'connection refused' }],
};

interface Script {
  readonly greens?: readonly object[];
  readonly register?: ReturnType<typeof ok>;
  readonly change?: ReturnType<typeof ok>;
  readonly drains?: object;
  readonly refusals?: readonly object[];
}

/** An API whose green looks like `greens`, one after the other, once a release is registered. */
async function deploying(
  t: Test,
  { greens = [UP], register, change, drains, refusals = [] }: Script = {},
) {
  const left = [...greens];
  let isRegistered = false;
  const answering = ({ method, path }: Request) => {
    if (method === 'PUT') {
      isRegistered = true;
      return register ?? ok({ generation: 6, service: 'shop', changed: true });
    }
    if (method === 'POST') return change ?? ok(switchedAnswer({ release: 'v9' }));
    if (path === '/v1/drain') return ok(drains);
    if (!isRegistered) return ok(statusAnswer());
    const green = left.length > 1 ? left.shift()! : left[0]!;
    return ok(statusAnswer({ generation: 6, green }));
  };
  return await fakeApi(t, answering, { dryRun: () => ok({ generation: 5, refusals }) });
}

const DEPLOY = ['deploy', 'v9', '--targets', 'http://h:1, http://h:2'];

await t.test('a release is registered on the idle color, gets healthy, gets traffic', async (t) => {
  const api = await deploying(t, { greens: [UNKNOWN, DOWN, UP] });
  const terminal = fakeTerminal({ isLive: true, window: { columns: 200, rows: 50 } });
  const args = [...DEPLOY, '--evict', '--reason', 'release day', '--service', 'shop'];
  const { code, out } = await turnout([...args, '--admin', api.admin], terminal);
  t.equal(code, 0);
  t.equal(out, 'shop: blue → green (release v9, deployment 12, generation 6, 3.2 ms)');
  const [registered, switched] = api.asked.filter(({ method }) => method !== 'GET');
  t.match(registered, {
    path: '/v1/releases/green',
    body: {
      release: 'v9',
      targets: ['http://h:1', 'http://h:2'],
      evict: true,
      reason: 'release day',
    },
  });
  t.match(switched, { path: '/v1/switch', body: { to: 'green', reason: 'release day' } });
  t.equal(switched!.headers['if-match'], '"6"', 'bound to what was seen healthy');
  t.ok(api.asked.every(({ query }) => query.get('service') === 'shop'));
  t.match(terminal.raws, [
    /shop: v9 on green: 0 of 1 up, \d+ s left: http:\/\/h:1 unknown/,
    /v9 on green: 1 of 2 up, \d+ s left: http:\/\/h:2 down, connection refused/,
    /^\r\u001b\[2K$/,
  ]);
});

await t.test('a release that does not get healthy gets no traffic: 1', async (t) => {
  const api = await deploying(t, { greens: [DOWN] });
  const args = [...DEPLOY, '--timeout', '300ms', '--admin', api.admin];
  const { code, out, err } = await turnout(args);
  t.same({ code, out }, { code: 1, out: '' });
  t.match(
    err,
    /v9 did not get healthy on green within 300ms, traffic stays where it was:\n {2}http:\/\/h:2: down, connection refused\nmend it/,
  );
  t.notMatch(err, /h:1: /);
  t.notOk(api.lines().includes('POST /v1/switch'));
  const json = await turnout([...args, '--json']);
  t.equal(json.code, 1);
  t.equal(json.err, '');
  t.match(JSON.parse(json.out), { code: 'not-healthy' });
});

await t.test('what the server refuses is 2, and nothing more is tried', async (t) => {
  const api = await deploying(t, { register: problem(409, 'address-in-use') });
  t.match(await turnout([...DEPLOY, '--admin', api.admin]), { code: 2, err: /address-in-use/ });
  t.same(api.lines(), ['GET /v1/status', 'PUT /v1/releases/green']);
  const late = await deploying(t, { change: problem(409, 'target-unhealthy') });
  t.match(await turnout([...DEPLOY, '--admin', late.admin]), {
    code: 2,
    err: /target-unhealthy[^]*\nv9 stays on green$/,
  });
  const locked = await deploying(t, { change: problem(409, 'release-locked-out') });
  const { err } = await turnout([...DEPLOY, '--admin', locked.admin]);
  t.match(err, /release-locked-out.*\n.*turnout unlock`\nv9 stays on green$/);
  t.notMatch(err, /turnout switch/, 'no next step leads into a refusal');
  const broken = await deploying(t, { change: problem(503, 'store-failed') });
  t.match(await turnout([...DEPLOY, '--admin', broken.admin]), { code: 1 });
});

await t.test('what would be refused at the end is refused before the first step', async (t) => {
  const api = await deploying(t, {
    refusals: [{ step: 1, code: 'switching-frozen', detail: 'ann has frozen all switching' }],
  });
  const args = [...DEPLOY, '--evict', '--admin', api.admin];
  t.match(await turnout(args), { code: 2, err: /ann has frozen all switching/ });
  t.match(await turnout([...args, '--dry-run']), { code: 2, out: '' });
  t.same(api.lines(), ['GET /v1/status', 'GET /v1/status']);
  t.match(api.dryRuns[0]!.body, {
    steps: [
      {
        kind: 'register',
        service: 'shop',
        color: 'green',
        release: 'v9',
        targets: ['http://h:1', 'http://h:2'],
        evict: true,
        unlock: false,
      },
      { kind: 'switch', service: 'shop', to: 'green' },
    ],
  });
});

await t.test('--dry-run tells what would be done, and does nothing', async (t) => {
  const api = await deploying(t);
  const args = [...DEPLOY, '--dry-run', '--admin', api.admin];
  t.match(await turnout(args, { answers: ['n'] }), {
    code: 0,
    out: 'shop: v9 would come to green at http://h:1, http://h:2, then blue → green; nothing has changed',
  });
  const { out } = await turnout([...args, '--json']);
  t.match(JSON.parse(out), { to: 'green', release: 'v9', changed: false, dryRun: true });
  t.same(api.lines(), ['GET /v1/status', 'GET /v1/status']);
});

await t.test('--unlock is said with the registration', async (t) => {
  const api = await deploying(t);
  t.match(await turnout([...DEPLOY, '--unlock', '--admin', api.admin]), { code: 0 });
  t.match(api.asked.find(({ method }) => method === 'PUT')!.body, { unlock: true });
});

await t.test('somebody else who takes the color over is told: 1', async (t) => {
  for (const greens of [[{ ...UP, release: 'other' }], [UNKNOWN, { ...UP, release: 'other' }]]) {
    const api = await deploying(t, { greens });
    const { code, err } = await turnout([...DEPLOY, '--admin', api.admin]);
    t.equal(code, 1);
    t.match(err, /another caller has changed green meanwhile, v9 got no traffic/);
    t.notOk(api.lines().includes('POST /v1/switch'));
  }
});

await t.test('a change between health and switch is refused, not overrun', async (t) => {
  const mismatch = problem(412, 'generation-mismatch');
  const greens = [UP, { ...UP, release: 'other' }];
  const api = await deploying(t, { greens, change: mismatch });
  const { code, err } = await turnout([...DEPLOY, '--admin', api.admin]);
  t.match({ code, err }, { code: 2, err: /generation-mismatch/ });
  t.equal(api.lines().filter((line) => line === 'POST /v1/switch').length, 1);
});

await t.test('a person is asked once the release is healthy', async (t) => {
  const api = await deploying(t);
  const no = fakeTerminal({ answers: ['n'] });
  const { code, err } = await turnout([...DEPLOY, '--admin', api.admin], no);
  t.equal(code, 1);
  t.match(err, /to {4}green {2}v9/);
  t.match(
    err,
    /\nturnout: traffic stays where it was\nv9 stays on green: `turnout switch green` brings it the traffic$/,
    'the release is there now, so something has changed',
  );
  t.same(no.questions, ['switch to green? [y/N] ']);
  t.notOk(api.lines().includes('POST /v1/switch'));
  const yes = await turnout([...DEPLOY, '--admin', api.admin], { answers: ['y'] });
  t.equal(yes.code, 0);
  const sure = fakeTerminal({ answers: ['n'] });
  t.equal((await turnout([...DEPLOY, '--yes', '--admin', api.admin], sure)).code, 0);
  t.same(sure.questions, []);
});

await t.test('--wait waits for the drain that the deploy began', async (t) => {
  const drains = { draining: [], ended: [drainOf({ how: 'drained' })] };
  const api = await deploying(t, { drains });
  const args = [...DEPLOY, '--wait', '--admin', api.admin];
  t.match(await turnout(args), { code: 0, out: /deployment 11 \(v1 on blue\) has drained/ });
  const { out } = await turnout([...args, '--json']);
  t.match(JSON.parse(out), { release: 'v9', drain: { how: 'drained' } });
});

await t.test('Ctrl-C before it is healthy leaves traffic where it was: 130', async (t) => {
  const api = await deploying(t, { greens: [UNKNOWN] });
  const terminal = fakeTerminal({ isLive: true });
  const run = turnout([...DEPLOY, '--admin', api.admin], terminal);
  while (terminal.raws.length === 0) await new Promise(setImmediate);
  terminal.signals.emit('SIGINT');
  const { code, err } = await run;
  t.match({ code, err }, { code: 130, err: /traffic stays where it was; v9 stays on green/ });
  t.notOk(api.lines().includes('POST /v1/switch'));
});

await t.test('a server that breaks off for a moment ends no deploy', async (t) => {
  let looks = 0;
  const api = await fakeApi(t, ({ method }) => {
    if (method === 'PUT') return ok({ changed: true });
    if (method === 'POST') return ok(switchedAnswer());
    if (++looks === 2) return problem(503, 'stopping');
    return ok(looks === 1 ? statusAnswer() : statusAnswer({ green: UP }));
  });
  t.match(await turnout([...DEPLOY, '--admin', api.admin]), { code: 0 });
});

await t.test('--no-switch registers, waits if asked, and says what comes next', async (t) => {
  const api = await deploying(t, { greens: [UNKNOWN, UP] });
  const args = [...DEPLOY, '--no-switch', '--admin', api.admin];
  const next =
    /traffic stays where it was; `turnout switch green --service shop` brings it the traffic$/;
  t.match(await turnout(args), { code: 0, out: /^shop: v9 is registered on green, / });
  const waited = await turnout([...args, '--wait']);
  t.match(waited, { code: 0, out: /v9 is registered and healthy on green/ });
  t.match(waited.out, next);
  t.match(
    waited.err,
    /^v9 has 30s to get healthy on green: this command waits until \S+Z at the latest$/,
  );
  const json = await turnout([...args, '--json']);
  t.match(JSON.parse(json.out), { release: 'v9', color: 'green', switched: false });
  t.notOk(api.lines().includes('POST /v1/switch'));
  const [put] = api.changes();
  t.equal(put!.headers['if-match'], '"5"', 'bound to what is idle now');
});

await t.test('a way back that would be shut is told before the first step', async (t) => {
  const blue = {
    health: 'down',
    targets: [{ url: 'http://a', health: 'down', reason: 'refused' }],
  };
  const api = await fakeApi(t, () => ok(statusAnswer({ blue })));
  const words = /^shop: the way back would be shut: blue is down \(refused\)/;
  const args = [...DEPLOY, '--dry-run', '--admin', api.admin];
  t.match(await turnout(args), { code: 0, err: words });
  t.equal((await turnout([...args, '--no-switch'])).err, '', 'no traffic moves');
});

await t.test('--no-switch goes on in a freeze, and leads into no refusal', async (t) => {
  const refusals = [{ step: 1, code: 'switching-frozen', detail: 'black friday' }];
  const api = await deploying(t, { refusals });
  const { code, out } = await turnout([...DEPLOY, '--no-switch', '--admin', api.admin]);
  t.match({ code, out }, { code: 0, out: /a switch to it would be refused: .*black friday$/ });
  const busy = await deploying(t, { refusals: [{ step: 0, code: 'address-in-use', detail: 'x' }] });
  t.match(await turnout([...DEPLOY, '--no-switch', '--admin', busy.admin]), { code: 2 });
});

await t.test('all that refuses a deploy is told at once', async (t) => {
  const refusals = [
    { step: 0, code: 'address-in-use', detail: 'http://h:1 is used by shop' },
    { step: 1, code: 'switching-frozen', detail: 'black friday' },
  ];
  const api = await deploying(t, { refusals });
  const { code, err } = await turnout([...DEPLOY, '--dry-run', '--admin', api.admin]);
  t.match({ code, err }, { code: 2, err: /http:\/\/h:1 is used by shop[^]*black friday/ });
});
