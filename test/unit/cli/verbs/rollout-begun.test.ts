// The rollouts that `turnout deploy` and `turnout switch` begin: what they ask the server for, and what they
// say of it.

import t from 'tap';
import { statusAnswer, switchedAnswer } from '../support/fake-api.ts';
import { DONE, rolloutServer } from '../support/rollout-server.ts';
import { fakeTerminal, turnout } from '../support/terminal.ts';

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
  const { admin, changes } = await rolloutServer(t, DONE, ({ method }) =>
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
  const { admin, asked } = await rolloutServer(t, [], ({ method }) =>
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
    const { admin, changes } = await rolloutServer(t, [], () => ({
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
  const { admin } = await rolloutServer(t, DONE, ({ method, path }) => {
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
