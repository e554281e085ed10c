// A person agrees to a plan: it is shown, asked about, and made only as shown.

import t from 'tap';
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

const MISMATCH = problem(412, 'generation-mismatch');

/** An API that has `statuses` one after the other, the last one for ever, and `switches` likewise. */
function scripted(
  statuses: readonly object[],
  switches: readonly ReturnType<typeof ok>[] = [ok(switchedAnswer())],
) {
  const left = { statuses: [...statuses], switches: [...switches] };
  return ({ method }: Request) => {
    if (method === 'GET') {
      return ok(left.statuses.length > 1 ? left.statuses.shift() : left.statuses[0]);
    }
    return left.switches.length > 1 ? left.switches.shift()! : left.switches[0]!;
  };
}

await t.test('a plan is shown before somebody is asked, and bound to what it says', async (t) => {
  const api = await fakeApi(t, scripted([statusAnswer()]));
  for (const yes of ['y', 'Y', 'yes', ' YES ']) {
    const terminal = fakeTerminal({ answers: [yes] });
    const { code, out, err } = await turnout(['switch', '--admin', api.admin], terminal);
    t.equal(code, 0);
    t.equal(out, 'shop: blue → green (release v2, deployment 12, generation 6, 3.2 ms)');
    t.same(terminal.questions, ['switch to green? [y/N] ']);
    for (const expected of [
      /^service shop:$/m,
      /^ {2}from {2}blue {3}v1 {7}1 of 1 up {2}50\.0%/m,
      /^ {2}to {4}green {2}v2 {7}1 of 1 up/m,
      /^ {6}http:\/\/127\.0\.0\.1:3002 {2}up$/m,
      /New requests go to v2 on green at once\. What is on v1 on blue drains: 3\srequests, 2 tunnels, 1 event stream, about 40 sessions\./,
    ]) {
      t.match(err, expected);
    }
    t.notMatch(err, /refused/);
  }
  const changed = api.asked.find(({ method }) => method === 'POST')!;
  t.equal(changed.headers['if-match'], '"5"');
  t.same(changed.body, {}, 'what was typed, and nothing more');
});

await t.test('a plan fits a narrow window, with all that it says', async (t) => {
  const api = await fakeApi(t, scripted([statusAnswer({ green: { health: 'down' } })]));
  for (const columns of [30, 40, 60, 80]) {
    const terminal = fakeTerminal({ answers: ['n'], window: { columns, rows: 24 } });
    const { err } = await turnout(['switch', '--admin', api.admin], terminal);
    const plan = err.replace(/\nturnout: nothing has changed$/, '');
    t.same(
      plan.split('\n').filter((line) => line.length > columns),
      [],
      `${columns} columns`,
    );
    const words = plan.replaceAll(/\s+/g, ' ');
    for (const fact of ['of 1 up', '50.0%', '120 ms', 'about 40 sessions', '--reason']) {
      t.match(words, fact, `${columns} columns`);
    }
  }
});

await t.test('anything but yes changes nothing and is 1', async (t) => {
  const api = await fakeApi(t, scripted([statusAnswer()]));
  for (const no of ['n', 'no', '', 'yessir', 'green']) {
    const { code, out, err } = await turnout(['switch', '--admin', api.admin], { answers: [no] });
    t.same({ code, out }, { code: 1, out: '' });
    t.match(err, /turnout: nothing has changed$/);
  }
  t.equal(api.asked.filter(({ method }) => method === 'POST').length, 0);
});

await t.test('nobody is asked with --yes, with --json, or where there is nobody', async (t) => {
  const api = await fakeApi(t, scripted([statusAnswer()]));
  const environment = { TURNOUT_YES: 'true' };
  const runs = [
    { args: ['--yes'], scene: { answers: ['n'] } },
    { args: ['-y'], scene: { answers: ['n'] } },
    { args: ['--json'], scene: { answers: ['n'] } },
    { args: [], scene: { answers: ['n'], environment } },
    { args: ['green'], scene: {} },
  ];
  for (const { args, scene } of runs) {
    const terminal = fakeTerminal(scene);
    t.match(await turnout(['switch', ...args, '--admin', api.admin], terminal), { code: 0 });
    t.same(terminal.questions, []);
  }
  t.same(
    api.changes().map(({ headers }) => headers['if-match']),
    runs.map(() => '"5"'),
    'each is bound to what was so',
  );
});

await t.test('rollback never asks: it is the way out', async (t) => {
  const api = await fakeApi(t, scripted([statusAnswer()]));
  const terminal = fakeTerminal({ answers: ['n'] });
  t.match(await turnout(['rollback', '--admin', api.admin], terminal), { code: 0 });
  t.same(terminal.questions, []);
});

await t.test('what is active already is no question', async (t) => {
  const api = await fakeApi(
    t,
    scripted([statusAnswer()], [ok(switchedAnswer({ changed: false }))]),
  );
  const terminal = fakeTerminal({ answers: ['n'] });
  const { code, out } = await turnout(['switch', 'blue', '--admin', api.admin], terminal);
  t.match({ code, out }, { code: 0, out: /active already/ });
  t.same(terminal.questions, []);
});

await t.test('a plan that is not true any more is shown and asked about again', async (t) => {
  const before = statusAnswer();
  const after = statusAnswer({ generation: 6, green: { release: 'v3' } });
  const api = await fakeApi(t, scripted([before, after]));
  const yes = fakeTerminal({ answers: ['y', 'y'] });
  const { code, err } = await turnout(['switch', '--admin', api.admin], yes);
  t.equal(code, 0);
  t.equal(yes.questions.length, 2);
  t.match(err, /v2 on green at once.*meanwhile this has changed:.*v3 on green at once/s);
  t.equal(api.asked.at(-1)!.headers['if-match'], '"6"');
  const second = await fakeApi(t, scripted([before, after]));
  const no = await turnout(['switch', '--admin', second.admin], { answers: ['y', 'n'] });
  t.equal(no.code, 1);
  t.notOk(second.lines().includes('POST /v1/switch'));
});

await t.test('each part of a plan counts: colors, deployment, targets, health', async (t) => {
  const target = { url: 'http://127.0.0.1:3002', health: 'up', reason: '', changedAt: '' };
  const others = [
    statusAnswer({ active: 'green' }),
    statusAnswer({ since: 3 }),
    statusAnswer({ green: { release: 'v9' } }),
    statusAnswer({ green: { deployment: 13 } }),
    statusAnswer({ green: { targets: [{ ...target, url: 'http://127.0.0.1:9' }] } }),
    statusAnswer({ green: { targets: [{ ...target, health: 'down' }] } }),
  ];
  for (const other of others) {
    const api = await fakeApi(t, scripted([statusAnswer(), other]));
    const terminal = fakeTerminal({ answers: ['y'] });
    t.match(await turnout(['switch', '--admin', api.admin], terminal), { code: 1 });
    t.equal(terminal.questions.length, 2);
  }
});

await t.test('a generation of somebody else does not matter while the plan stays', async (t) => {
  const statuses = [5, 5, 6, 7].map((generation) => statusAnswer({ generation }));
  const api = await fakeApi(t, scripted(statuses, [MISMATCH, MISMATCH, ok(switchedAnswer())]));
  const terminal = fakeTerminal({ answers: ['y'] });
  t.match(await turnout(['switch', '--admin', api.admin], terminal), { code: 0 });
  t.equal(terminal.questions.length, 1);
  const changes = api.asked.filter(({ method }) => method === 'POST');
  t.same(
    changes.map(({ headers }) => headers['if-match']),
    ['"5"', '"6"', '"7"'],
  );
  t.equal(new Set(changes.map(({ headers }) => headers['idempotency-key'])).size, 3);
});

await t.test('somebody who changes all the time is reported, not fought', async (t) => {
  const api = await fakeApi(t, scripted([statusAnswer()], [MISMATCH]));
  const { code, err } = await turnout(['switch', '--admin', api.admin], { answers: ['y'] });
  t.equal(code, 2);
  t.match(err, /title of generation-mismatch/);
  t.equal(api.lines().filter((line) => line === 'POST /v1/switch').length, 5);
});

await t.test('a sick color is marked before the question', async (t) => {
  const targets = [{ url: 'http://127.0.0.1:3002', health: 'down', reason: 'refused' }];
  const api = await fakeApi(
    t,
    scripted(
      [statusAnswer({ green: { health: 'down', targets } })],
      [problem(409, 'target-unhealthy')],
    ),
  );
  const { code, err } = await turnout(['switch', '--admin', api.admin], { answers: ['y'] });
  t.equal(code, 2);
  t.match(err, /http:\/\/127\.0\.0\.1:3002 {2}down {2}refused/);
  t.match(err, /green is not healthy: this is refused unless --force and --reason are given/);
});

await t.test('a release or a deployment that a color has is shown as that', async (t) => {
  const api = await fakeApi(t, scripted([statusAnswer()]));
  for (const to of ['v2', '12']) {
    const terminal = fakeTerminal({ answers: ['y'] });
    const { code, err } = await turnout(['switch', to, '--admin', api.admin], terminal);
    t.equal(code, 0);
    t.match(err, /^ {2}to {4}green {2}v2 {7}1 of 1 up/m);
    t.notMatch(err, /on no color now/);
    t.same(terminal.questions, [`switch to ${to}? [y/N] `]);
    t.same(api.asked.at(-1)!.body, { to });
  }
});

await t.test('of a deployment that no color has it is told what is known', async (t) => {
  const draining = [drainOf({ release: 'v0', deployment: 9, targets: ['http://h:9'] })];
  const api = await fakeApi(t, scripted([statusAnswer({ draining })]));
  for (const [to, facts] of [
    ['v0', [/New requests go to v0 on green at once/, /^ {6}http:\/\/h:9/m]],
    ['9', [/New requests go to v0 on green at once/, /^ {6}http:\/\/h:9/m]],
    ['v-before', [/New requests go to v-before on green at once/]],
    ['7', [/New requests go to deployment 7 on green at once/]],
  ] as const) {
    const terminal = fakeTerminal({ answers: ['y'] });
    const { code, err } = await turnout(['switch', to, '--admin', api.admin], terminal);
    t.equal(code, 0);
    for (const fact of facts) t.match(err, fact);
    t.match(err, /It is on no color now: its targets are asked before it gets traffic\./);
    t.notMatch(err, /is not healthy/, 'nothing is known of its health');
    t.same(api.asked.at(-1)!.body, { to });
  }
});

await t.test('a hold is told as what it is', async (t) => {
  const api = await fakeApi(t, scripted([statusAnswer()]));
  const args = ['switch', '--hold', '10s', '--admin', api.admin];
  const { err } = await turnout(args, { answers: ['y'] });
  t.match(err, /New requests wait for up to 10s until those on v1 on blue have ended/);
});

await t.test('one of several services must be named, as the server would say', async (t) => {
  const services = [{ name: 'shop' }, { name: 'blog' }];
  const api = await fakeApi(t, scripted([statusAnswer({ services })]));
  const { code, err } = await turnout(['switch', '--admin', api.admin], { answers: ['y'] });
  t.equal(code, 2);
  t.match(err, /A service must be named: expected one of: shop, blog\nname one with --service$/);
});

await t.test('an answer that is no status is a failure', async (t) => {
  const api = await fakeApi(t, scripted([{ services: [{ name: 'x' }] }]));
  const { code, err } = await turnout(['switch', '--admin', api.admin], { answers: ['y'] });
  t.equal(code, 1);
  t.match(err, /expected the status of a Turnout/);
});
