// `turnout rollout` and the rollouts that `switch` and `deploy` begin, against a server that tells one
// view after the other.

import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { RolloutView } from '../../../../src/api/rollout-views.ts';
import { rolloutView } from '../../../support/rollout-view.ts';
import {
  fakeApi,
  problem,
  statusAnswer,
  switchedAnswer,
  type Request,
} from '../support/fake-api.ts';
import { fakeTerminal, turnout, type FakeTerminal } from '../support/terminal.ts';

const END = {
  outcome: 'done',
  cause: 'plan',
  reason: '',
  at: '2026-11-30T15:00:00.000Z',
  actor: '',
  restick: null,
  lockedOut: false,
} as const;

const BASE = rolloutView();

function event(seq: number, text: string): RolloutView['events'][number] {
  return { seq, at: '2026-11-30T14:01:00.000Z', kind: 'rollout.stage', actor: '', text };
}

/** One view after the other; each shows all events up to its own. */
function course(...last: readonly Partial<RolloutView>[]): readonly RolloutView[] {
  const events = BASE.events.concat(event(13, 'baking'), event(14, 'draining'), event(15, 'done'));
  return last.map((changes, index) => {
    const seen = events.slice(0, BASE.events.length + index);
    return rolloutView({ event: 12 + index, events: seen, ...changes });
  });
}

const DONE = course({}, { stage: 'baking' }, { stage: 'draining' }, { stage: 'done', end: END });

interface Server {
  readonly admin: string;
  readonly asked: readonly Request[];
  /** Calls that would change something: path and body. */
  readonly changes: () => string[];
}

/** Tells the next of `views` with each look; the last one again and again. */
async function server(
  t: Test,
  views: readonly RolloutView[],
  more: (request: Request) => unknown = () => undefined,
): Promise<Server> {
  let at = 0;
  const { admin, asked, changes } = await fakeApi(t, (request) => {
    const special = more(request);
    if (special !== undefined) return special as never;
    if (request.path === '/v1/rollouts') return { status: 200, body: { rollouts: views } };
    const body = views[Math.min(at, views.length - 1)];
    if (request.method === 'GET') at++;
    return { status: 200, body };
  });
  const told = () => changes().map(({ path, body }) => `${path} ${JSON.stringify(body)}`);
  return { admin, asked, changes: told };
}

await t.test('the one that goes on is shown, or else the last one', async (t) => {
  const { admin } = await server(t, [BASE]);
  t.match(await turnout(['rollout', '--admin', admin]), { code: 0, out: /^shop · r-118/ });
  const over = await server(t, [rolloutView({ id: 'r-7', end: END })], ({ path }) =>
    path.endsWith('/current') ? problem(404, 'rollout-unknown') : undefined,
  );
  t.match(await turnout(['rollout', '--admin', over.admin]), { code: 0, out: /^shop · r-7/ });
  const none = await server(t, [], ({ path }) =>
    path === '/v1/rollouts' ? undefined : problem(404, 'rollout-unknown'),
  );
  t.match(await turnout(['rollout', '--admin', none.admin]), { code: 2, err: /rollout list/ });
  const { out } = await turnout(['rollout', 'r-118', '--json', '--admin', admin]);
  t.match(JSON.parse(out), { id: 'r-118', share: { wanted: 10 } });
});

await t.test('a series is a line for each point; nothing measured is said', async (t) => {
  const counts = { requests: 100, judged: 90, bad: 9, slower: [90, 40] };
  const point = {
    at: '2026-11-30T14:01:00.000Z',
    seconds: 10,
    stage: 'shifting',
    share: { wanted: 10, measured: 9.6 },
    evidence: 3.14,
    old: { ...counts, bad: 0 },
    new: counts,
  };
  const [move] = BASE.services;
  const series = {
    id: 'r-118',
    everySeconds: 10,
    edgesMs: [100, 250],
    services: [
      { ...move, limit: 1_000, points: [point, { ...point, evidence: null }] },
      { ...move, service: 'api', limit: null, points: [] },
    ],
  };
  const { admin, asked } = await server(t, [BASE], ({ path }) =>
    path.endsWith('/series') ? { status: 200, body: series } : undefined,
  );
  const { code, out } = await turnout(['rollout', '--series', '--admin', admin]);
  t.equal(code, 0);
  t.match(out, /shifting +10\.0% +9\.6% +0% of 90 +10\.0% of 90 +3\.1 : 1/);
  t.match(out, /10\.0% of 90 +-\n/);
  t.match(out, 'the guard fails it at 1,000 : 1');
  t.match(out, /api .*\n +nothing was measured, or it is not kept any more/);
  t.equal(asked.at(-1)!.path, '/v1/rollouts/r-118/series', 'of the one that goes on');
  const asJson = await turnout(['rollout', 'r-118', '--series', '--json', '--admin', admin]);
  t.same(JSON.parse(asJson.out), series);
});

await t.test(
  'a watch without a terminal tells each event once, and ends as it ended',
  async (t) => {
    const { admin, asked } = await server(t, DONE);
    const { code, out } = await turnout(['rollout', 'watch', '--admin', admin]);
    t.equal(code, 0);
    t.same(
      out.split('\n').map((line) => line.replace(/^\S+ r-118 /, '')),
      [
        'stage: gated: approved by mia: looks good',
        'step: 10 % of new sessions',
        'stage: baking',
        'stage: draining',
        'stage: done',
      ],
    );
    const [first, second] = asked;
    t.equal(first!.path, '/v1/rollouts/current');
    t.equal(second!.path, '/v1/rollouts/r-118', 'it stays with the one that it has seen');
    t.equal(second!.query.get('after'), '12');
  },
);

await t.test('a watch for scripts is one document on each line', async (t) => {
  const { admin } = await server(t, DONE);
  const { code, out } = await turnout(['rollout', 'watch', 'r-118', '--json', '--admin', admin]);
  t.equal(code, 0);
  const events = out.split('\n').map((line) => JSON.parse(line) as { seq: number });
  t.same(
    events.map(({ seq }) => seq),
    [11, 12, 13, 14, 15],
  );
  t.match(events[0], { rollout: 'r-118', kind: 'rollout.stage', actor: 'mia' });
});

await t.test('the exit code says how it ended', async (t) => {
  for (const outcome of ['rolled-back', 'failed', 'superseded'] as const) {
    const end = { ...END, outcome, reason: 'why' };
    const { admin } = await server(t, course({}, { stage: outcome, end }));
    t.match(await turnout(['rollout', 'watch', '--admin', admin]), { code: 1 }, outcome);
  }
});

await t.test('a watch can end before the end', async (t) => {
  const waiting = { kind: 'waiting', for: 'approval' } as const;
  const views = course({}, { status: waiting }, { stage: 'baking' }, { stage: 'draining' });
  for (const [until, looks] of [
    ['waiting', 2],
    ['shifted', 3],
    ['baked', 4],
  ] as const) {
    const { admin, asked } = await server(t, views);
    t.match(await turnout(['rollout', 'watch', '--until', until, '--admin', admin]), { code: 0 });
    t.equal(asked.length, looks, until);
  }
  const { admin } = await server(t, [BASE]);
  const late = await turnout(['rollout', 'watch', '--timeout', '1ms', '--admin', admin]);
  t.match(late, { code: 1, err: /not done within .*it goes on in the server: .*watch r-118/ });
});

await t.test('Ctrl-C leaves it running and says so', async (t) => {
  const waits = Promise.withResolvers<void>();
  const { admin } = await server(t, [BASE], async ({ query }) => {
    if (!query.has('wait')) return { status: 200, body: BASE };
    waits.resolve();
    return new Promise<never>(() => {});
  });
  const terminal = fakeTerminal();
  const watched = turnout(['rollout', 'watch', '--admin', admin], terminal);
  await waits.promise;
  terminal.signals.emit('SIGINT');
  t.match(await watched, { code: 130, err: /left; it goes on in the server: .*watch r-118/ });
});

await t.test('a server that is started anew is asked again', async (t) => {
  let cuts = 4;
  const { admin } = await server(t, DONE, ({ query }) =>
    query.get('after') === '12' && cuts-- > 0 ? 'cut' : undefined,
  );
  const { code, err } = await turnout(['rollout', 'watch', '--admin', admin]);
  t.equal(code, 0);
  t.match(err, /^asking again: no answer/);
  t.equal(err.split('\n').length, 1, 'told once');
});

await t.test('what a person decides is bound to what was seen; the way out is not', async (t) => {
  for (const verb of ['approve', 'reject', 'skip', 'promote']) {
    const { admin, asked, changes } = await server(t, [BASE]);
    const args = ['rollout', verb, '--reason', 'why', '--admin', admin];
    t.match(await turnout(args), { code: 0, out: /^r-118: shifting, 10 % of new sessions/ }, verb);
    t.same(changes(), [`/v1/rollouts/r-118/${verb} {"reason":"why"}`]);
    t.equal(asked.at(-1)!.headers['if-match'], '"12"', verb);
  }
  const { admin, asked, changes } = await server(t, [BASE]);
  const back = ['--restick', 'new', '--ramp', '30s', '--no-lock-out'];
  await turnout(['rollout', 'abort', 'r-9', ...back, '--admin', admin]);
  await turnout(['rollout', 'pause', '--admin', admin]);
  await turnout(['rollout', 'point-of-no-return', 'on', 'r-9', '--admin', admin]);
  t.same(changes(), [
    '/v1/rollouts/r-9/abort {"restick":"new","ramp":"30s","lockOut":false}',
    '/v1/rollouts/r-118/pause {}',
    '/v1/rollouts/r-9/point-of-no-return {"on":true}',
  ]);
  t.ok(asked.every(({ headers }) => headers['if-match'] === undefined));
});

await t.test('no way back, and one again: of the rollout, or else of the service', async (t) => {
  const bar = { actor: 'ops', at: '2026-11-30T14:00:00.000Z', reason: 'mails are out' };
  const none = ({ path }: Request): unknown => {
    if (path === '/v1/rollouts/current') return problem(404, 'rollout-unknown');
    if (path === '/v1/status') {
      const status = statusAnswer() as { services: readonly object[] };
      const [service] = status.services;
      return {
        status: 200,
        body: { ...status, services: [{ ...service, pointOfNoReturn: bar }] },
      };
    }
    return path === '/v1/point-of-no-return'
      ? { status: 200, body: { generation: 9, service: 'shop', changed: true } }
      : undefined;
  };
  const over = await server(t, [], none);
  const say = async (state: string, ...more: string[]) =>
    turnout(['rollout', 'point-of-no-return', state, '--admin', over.admin, ...more]);
  t.match(await say('off'), { code: 64, err: /about the service: say why with --reason/ });
  t.match(await say('off', '--reason', 'restored'), {
    code: 0,
    out: 'shop: there is a way back again',
  });
  t.match(await say('on', '--reason', 'gone'), { code: 0, out: /nothing goes back behind/ });
  t.same(over.changes(), [
    '/v1/point-of-no-return {"on":false,"reason":"restored"}',
    '/v1/point-of-no-return {"on":true,"reason":"gone"}',
  ]);
  const off = ['rollout', 'point-of-no-return', 'off', '--reason', 'x', '--admin', over.admin];
  const no = fakeTerminal({ answers: ['n'] });
  t.match(await turnout(off, no), {
    code: 1,
    err: /says ops: mails are out.*nothing has changed/s,
  });
  t.match(no.questions, [/allow the way back again/]);
  t.equal(over.changes().length, 2);
  t.equal((await turnout(off, fakeTerminal({ answers: ['y'] }))).code, 0);
  t.equal((await turnout([...off, '--yes'], fakeTerminal({ answers: [] }))).code, 0);
  t.equal(over.changes().length, 4);
  const running = await server(t, [rolloutView({ pointOfNoReturn: bar })]);
  const there = ['rollout', 'point-of-no-return', 'off', '--admin', running.admin];
  t.match(await turnout(there, fakeTerminal({ answers: [''] })), { code: 1 });
  t.match(await turnout(there, fakeTerminal({ answers: ['yes'] })), { code: 0, out: /^r-118/ });
  t.same(running.changes(), ['/v1/rollouts/r-118/point-of-no-return {"on":false}']);
});

await t.test('the schema of the data is stated; a lower one is asked about', async (t) => {
  const { admin, changes } = await server(t, [], ({ path }) => {
    const status = statusAnswer() as { services: readonly object[] };
    if (path === '/v1/status') {
      const services = [{ ...status.services[0], schema: 12 }];
      return { status: 200, body: { ...status, services } };
    }
    return path === '/v1/schema'
      ? { status: 200, body: { generation: 9, service: 'shop', changed: true } }
      : undefined;
  });
  const say = async (level: string, answers?: readonly string[]) => {
    const args = ['rollout', 'schema', level, '--reason', 'backup', '--admin', admin];
    return turnout(args, answers && fakeTerminal({ answers: [...answers] }));
  };
  t.match(await say('10', ['n']), { code: 1, err: /have schema 12.*nothing has changed/s });
  t.same(changes(), []);
  t.match(await say('10', ['y']), { code: 0, out: 'shop: the data have schema 10' });
  t.match(await say('13', []), { code: 0 }, 'what only bars more is not asked about');
  t.match(await say('unknown'), { code: 0, out: /is unknown; every release fits/ });
  t.same(changes(), [
    '/v1/schema {"schema":10,"reason":"backup"}',
    '/v1/schema {"schema":13,"reason":"backup"}',
    '/v1/schema {"schema":null,"reason":"backup"}',
  ]);
});

await t.test('a refusal says what to do next', async (t) => {
  const { admin } = await server(t, [BASE], ({ method }) =>
    method === 'POST' ? problem(409, 'not-waiting') : undefined,
  );
  const refused = await turnout(['rollout', 'approve', '--admin', admin]);
  t.match(refused, { code: 2, err: /`turnout rollout` shows what it waits for/ });
});

await t.test('flags before and behind the verb count alike', async (t) => {
  const { admin, asked } = await server(t, [BASE]);
  await turnout(['rollout', '--service', 'shop', 'list', '--active', '--admin', admin]);
  t.equal(asked[0]!.query.toString(), 'active=true&service=shop');
  const { out } = await turnout(['rollout', '--admin', admin, 'list', '--json']);
  t.match(JSON.parse(out), { rollouts: [{ id: 'r-118' }] });
});

await t.test('a plan is shown without a server', async (t) => {
  const { code, out } = await turnout(['rollout', 'plan', '10%:5m, 25%:10m:approve, 50%:pause']);
  t.equal(code, 0);
  t.match(
    out,
    /: 4 steps, at least 15m\n +10% +for 5m\n +25% +for 10m +then waits until it is app/,
  );
  const json = await turnout(['rollout', 'plan', 'canary-10-5m+ramp-30s', '--json']);
  t.match(JSON.parse(json.out), { steps: [{ share: 10, for: '5m' }, { share: 100 }], ramp: '30s' });
});

/** A watch on a screen, whose server holds each look that waits. */
async function onScreen(t: Test, view = BASE) {
  const looks: ((view: RolloutView) => void)[] = [];
  const terminal = fakeTerminal({
    window: { columns: 100, rows: 40 },
    hasKeys: true,
    isLive: true,
  });
  const { admin, changes, asked } = await server(t, [view], async ({ query, method }) => {
    if (method === 'POST') return { status: 200, body: view };
    if (!query.has('wait')) return { status: 200, body: view };
    const { promise, resolve } = Promise.withResolvers<RolloutView>();
    looks.push(resolve);
    terminal.signals.emit('look');
    return { status: 200, body: await promise };
  });
  const looked = once(terminal.signals, 'look');
  const ended = turnout(['rollout', 'watch', '--admin', admin], terminal);
  await looked;
  return { terminal, changes, asked, ended, show: (next: RolloutView) => looks.shift()!(next) };
}

function foot({ draws }: FakeTerminal): string {
  return draws.at(-1)!.split('\n').at(-1)!;
}

/** Resolves once something was drawn whose last line matches. */
async function drawn(terminal: FakeTerminal, pattern: RegExp): Promise<void> {
  while (!pattern.test(foot(terminal))) await new Promise((resolve) => void setImmediate(resolve));
}

await t.test(
  'a screen offers the keys that do something now, and q leaves it running',
  async (t) => {
    const { terminal, ended, changes } = await onScreen(t);
    t.match(foot(terminal), /p pause {3}s skip {3}x abort {3}q leave it running/);
    terminal.press('z');
    terminal.press('a');
    terminal.press('q');
    const { code, out, err } = await ended;
    t.equal(code, 130);
    t.match(out, /^shop · r-118/, 'what was last seen stays');
    t.match(err, /it goes on in the server/);
    t.same(changes(), []);
    t.equal(terminal.signals.listenerCount('key'), 0);
    t.match(terminal.draws.at(-1), /\[\?1049l/, 'the terminal is given back');
  },
);

await t.test('a key that moves traffic asks once more', async (t) => {
  const { terminal, changes, ended } = await onScreen(t);
  for (const other of ['n', 'x', 'q', '\r']) {
    terminal.press('x');
    t.match(foot(terminal), /take the traffic back\? \[y\/N\]/);
    terminal.press(other);
    t.notMatch(foot(terminal), /\[y\/N\]/);
  }
  t.same(changes(), []);
  terminal.press('x');
  terminal.press('y');
  await drawn(terminal, /abort: done/);
  t.same(changes(), ['/v1/rollouts/r-118/abort {}']);
  terminal.press('\u0003');
  t.match(await ended, { code: 130 });
});

await t.test('an approval by key is bound to what is shown', async (t) => {
  const status = { kind: 'waiting', for: 'approval', gate: 'qa' } as const;
  const { terminal, asked, ended, show } = await onScreen(t, rolloutView({ status }));
  t.match(foot(terminal), /a approve/);
  terminal.press('a');
  await drawn(terminal, /approve: done/);
  t.match(asked.at(-1), { path: '/v1/rollouts/r-118/approve', headers: { 'if-match': '"12"' } });
  show(rolloutView({ stage: 'done', end: END, event: 13 }));
  t.match(await ended, { code: 0, out: /✔ registered/ });
});

await t.test('Ctrl-Z gives the terminal back, and fg draws it again', async (t) => {
  const { terminal, ended } = await onScreen(t);
  terminal.press('\u001A');
  t.equal(terminal.suspended, 1);
  t.equal(terminal.signals.listenerCount('key'), 0);
  terminal.signals.emit('SIGCONT');
  t.equal(terminal.signals.listenerCount('key'), 1);
  t.match(foot(terminal), /q leave it running/);
  terminal.press('q');
  await ended;
});

const STARTED = {
  id: 'r-119',
  stage: 'registered',
  generation: 4,
  plan: {
    text: 'canary-10-5m',
    steps: [
      { share: 10, for: '5m', pause: false, approve: false },
      { share: 100, for: null, pause: false, approve: false },
    ],
    ramp: null,
  },
  bake: '5m',
  guard: 'rollback',
  gates: [{ name: 'smoke', at: 'before', isSkipped: false }],
  refusals: [],
};

const DEPLOY = ['deploy', 'v42', '--targets', 'http://a:1', '--plan', 'canary-10-5m'];

await t.test('a deploy with a plan is one call; the server does the rest', async (t) => {
  const { admin, changes } = await server(t, DONE, ({ method }) =>
    method === 'POST' ? { status: 202, body: STARTED } : undefined,
  );
  const { code, out } = await turnout([...DEPLOY, '--bake', '10m', '--admin', admin]);
  t.equal(code, 0);
  t.match(out, /^rollout r-119 has begun: `turnout rollout watch r-119` shows it$/);
  const body = { release: 'v42', targets: ['http://a:1'], plan: 'canary-10-5m', bake: '10m' };
  t.same(changes(), [`/v1/rollouts ${JSON.stringify(body)}`]);
  const waited = await turnout([...DEPLOY, '--wait', '--admin', admin]);
  t.match(waited, { code: 0, out: /stage: baking\n.*stage: draining\n.*stage: done$/ });
});

await t.test('a deploy shows its steps and asks; another decision refuses it', async (t) => {
  const { admin, asked } = await server(t, [], ({ method }) =>
    method === 'POST' ? { status: 202, body: STARTED } : undefined,
  );
  const no = await turnout([...DEPLOY, '--admin', admin], { answers: ['n'], isLive: true });
  t.match(no, {
    code: 1,
    err: /plan canary-10-5m:\n +10 % +for 5m\n +100 %\n +bake 5m, guard roll/,
  });
  t.match(no.err, /gates smoke \(before\)\nnothing would refuse it/);
  t.same(
    asked.map(({ body }) => (body as { dryRun?: boolean }).dryRun),
    [true],
  );
  const yes = await turnout([...DEPLOY, '--admin', admin], { answers: ['y'], isLive: true });
  t.equal(yes.code, 0);
  t.equal(asked.at(-1)!.headers['if-match'], '"4"');
});

await t.test('a dry run names all that would refuse it, with 2', async (t) => {
  const refusals = [
    { code: 'switching-frozen', detail: 'it is frozen' },
    { code: 'address-in-use', detail: 'a:1 is in use', service: 'shop' },
  ];
  for (const flag of ['--dry-run', '--plan-only']) {
    const { admin, changes } = await server(t, [], () => ({
      status: 200,
      body: { ...STARTED, id: null, refusals },
    }));
    const { code, out } = await turnout([...DEPLOY, flag, '--admin', admin]);
    t.equal(code, 2);
    t.match(out, /refused: it is frozen \(switching-frozen\)\nrefused: shop: a:1 is in use/);
    t.match(changes(), [/"dryRun":true/]);
  }
});

await t.test('a switch that makes a rollout says so, and can follow it', async (t) => {
  const rollout = { id: 'r-118', stage: 'shifting', share: 10 };
  const answer = { status: 200, body: { ...Object(switchedAnswer()), rollout } };
  const { admin } = await server(t, DONE, ({ method, path }) => {
    if (method === 'POST') return answer;
    return path === '/v1/status' ? { status: 200, body: statusAnswer() } : undefined;
  });
  const switching = ['switch', 'green', '--plan', 'canary-10-5m', '--admin', admin];
  const { code, out } = await turnout(switching);
  t.equal(code, 0);
  t.match(out, /blue → green.*\nrollout r-118 has begun: `turnout rollout watch r-118`/);
  const waited = await turnout([...switching, '--wait', '--json']);
  t.match(JSON.parse(waited.out), { to: 'green', rollout: { id: 'r-118', stage: 'done' } });
  const asks = fakeTerminal({ answers: ['n'], isLive: true });
  await turnout(switching, asks);
  t.match(asks.errs.join('\n'), /New sessions go to .* in steps: 10%:5m, 100%/);
});
