// `turnout rollout`, against a server that tells one view after the other.

import t from 'tap';
import { problem, statusAnswer, type Request } from '../support/fake-api.ts';
import { BASE, course, DONE, END, rolloutServer } from '../support/rollout-server.ts';
import { rolloutView } from '../../../support/rollout-view.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

await t.test('the one that goes on is shown, or else the last one', async (t) => {
  const { admin } = await rolloutServer(t, [BASE]);
  t.match(await turnout(['rollout', '--admin', admin]), { code: 0, out: /^shop · r-118/ });
  const over = await rolloutServer(t, [rolloutView({ id: 'r-7', end: END })], ({ path }) =>
    path.endsWith('/current') ? problem(404, 'rollout-unknown') : undefined,
  );
  t.match(await turnout(['rollout', '--admin', over.admin]), { code: 0, out: /^shop · r-7/ });
  const none = await rolloutServer(t, [], ({ path }) =>
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
  const { admin, asked } = await rolloutServer(t, [BASE], ({ path }) =>
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
    const { admin, asked } = await rolloutServer(t, DONE);
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
  const { admin } = await rolloutServer(t, DONE);
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
    const { admin } = await rolloutServer(t, course({}, { stage: outcome, end }));
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
    const { admin, asked } = await rolloutServer(t, views);
    t.match(await turnout(['rollout', 'watch', '--until', until, '--admin', admin]), { code: 0 });
    t.equal(asked.length, looks, until);
  }
  const { admin } = await rolloutServer(t, [BASE]);
  const late = await turnout(['rollout', 'watch', '--timeout', '1ms', '--admin', admin]);
  t.match(late, { code: 1, err: /not done within .*it goes on in the server: .*watch r-118/ });
});

await t.test('Ctrl-C leaves it running and says so', async (t) => {
  const waits = Promise.withResolvers<void>();
  const { admin } = await rolloutServer(t, [BASE], async ({ query }) => {
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
  const { admin } = await rolloutServer(t, DONE, ({ query }) =>
    query.get('after') === '12' && cuts-- > 0 ? 'cut' : undefined,
  );
  const { code, err } = await turnout(['rollout', 'watch', '--admin', admin]);
  t.equal(code, 0);
  t.match(err, /^asking again: no answer/);
  t.equal(err.split('\n').length, 1, 'told once');
});

await t.test('what a person decides is bound to what was seen; the way out is not', async (t) => {
  for (const verb of ['approve', 'reject', 'skip', 'promote']) {
    const { admin, asked, changes } = await rolloutServer(t, [BASE]);
    const args = ['rollout', verb, '--reason', 'why', '--admin', admin];
    t.match(await turnout(args), { code: 0, out: /^r-118: shifting, 10 % of new sessions/ }, verb);
    t.same(changes(), [`/v1/rollouts/r-118/${verb} {"reason":"why"}`]);
    t.equal(asked.at(-1)!.headers['if-match'], '"12"', verb);
  }
  const { admin, asked, changes } = await rolloutServer(t, [BASE]);
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
  const over = await rolloutServer(t, [], none);
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
  const running = await rolloutServer(t, [rolloutView({ pointOfNoReturn: bar })]);
  const there = ['rollout', 'point-of-no-return', 'off', '--admin', running.admin];
  t.match(await turnout(there, fakeTerminal({ answers: [''] })), { code: 1 });
  t.match(await turnout(there, fakeTerminal({ answers: ['yes'] })), { code: 0, out: /^r-118/ });
  t.same(running.changes(), ['/v1/rollouts/r-118/point-of-no-return {"on":false}']);
});

await t.test('the schema of the data is stated; a lower one is asked about', async (t) => {
  const { admin, changes } = await rolloutServer(t, [], ({ path }) => {
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
  const { admin } = await rolloutServer(t, [BASE], ({ method }) =>
    method === 'POST' ? problem(409, 'not-waiting') : undefined,
  );
  const refused = await turnout(['rollout', 'approve', '--admin', admin]);
  t.match(refused, { code: 2, err: /`turnout rollout` shows what it waits for/ });
});

await t.test('flags before and behind the verb count alike', async (t) => {
  const { admin, asked } = await rolloutServer(t, [BASE]);
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
