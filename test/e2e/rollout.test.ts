// A rollout from its start to each of its ends, against a real process and real apps.

import t from 'tap';
import { openHook, openRollouts } from './rollout-scene.ts';

t.setTimeout(90_000);

const GATES = [
  { name: 'smoke', kind: 'requests', requests: [{ path: '/', match: 'v2' }] },
  { name: 'mia', kind: 'approve' },
];

await t.test('gates, warm-up, approval, steps and bake lead to the end', async (t) => {
  const rollout = { gates: GATES, warmup: { requests: ['/warm'], repeat: 2 }, bake: '1h' };
  const scene = await openRollouts(t, { rollout });
  const { admin, green } = scene;
  const id = await scene.start(t, { plan: '10%:1h, 50%:pause, 90%:approve' });
  await scene.status(id, 'waiting');
  t.ok(green.count >= 3, 'it was warmed up and tried');
  t.equal(await scene.ask(), 'v1', 'nothing has moved yet');
  t.match(await admin.post('/v1/switch', { to: 'green' }), {
    status: 409,
    json: { code: 'rollout-running', rollout: id },
  });
  const other = { release: 'v3', targets: ['http://127.0.0.1:9'] };
  t.match(await admin.put('/v1/releases/green', other), {
    status: 409,
    json: { code: 'rollout-running' },
  });
  t.match(await scene.act(id, 'approve', { gate: 'smoke' }), { status: 409 });
  t.match(await scene.act(id, 'approve', { gate: 'nope' }), {
    status: 404,
    json: { code: 'gate-unknown' },
  });
  t.match(await scene.act(id, 'approve'), { status: 200, json: { stage: 'shifting', step: 0 } });
  t.equal((await scene.view(id)).share.wanted, 10);
  t.match(await scene.act(id, 'pause'), { json: { status: { kind: 'paused' } } });
  t.match(await scene.act(id, 'resume'), { json: { status: { kind: 'running' } } });
  t.match(await scene.act(id, 'skip'), { json: { share: { wanted: 50 } } });
  await scene.status(id, 'waiting');
  t.match(await scene.act(id, 'resume'), { json: { step: 2, share: { wanted: 90 } } });
  await scene.status(id, 'waiting');
  t.match(await scene.act(id, 'approve'), { json: { stage: 'baking' } });
  t.equal(await scene.ask(), 'v2');
  t.match(await scene.act(id, 'skip'), { json: { stage: 'draining' } });
  const next = await scene.act(id, 'abort');
  t.match(next, { status: 409, json: { code: 'rollout-over' } });
  const { json: history } = await admin.get('/v1/history');
  t.match(history['switches'], [{ to: 'green', reason: 'test' }]);
  const kinds = (await scene.view(id)).events.map(({ kind }) => kind);
  t.equal(kinds.filter((kind) => kind === 'rollout.step').length, 3);
  t.equal(kinds.filter((kind) => kind === 'rollout.promoted').length, 1);
  const order = ['rollout.promoted', 'switch', 'drain.started'];
  const told = kinds.filter((kind) => order.includes(kind ?? ''));
  t.strictSame(told, order, 'what was decided is told before what comes of it');
});

/** Where each way back meets a rollout. */
const STAGES = ['registered', 'testing', 'gated', 'shifting', 'baking'] as const;

await t.test('abort and rollback take every stage back to the old release', async (t) => {
  const slow = await openHook(t);
  const gates = [
    { name: 'slow', kind: 'webhook', url: slow.url },
    { name: 'mia', kind: 'approve' },
  ];
  const rollout = { bake: '1h', gates, rollback: { lockOut: false } };
  const scene = await openRollouts(t, { rollout });
  const { admin, green } = scene;
  const reach = async (to: (typeof STAGES)[number]): Promise<string> => {
    slow.answer = to === 'testing' ? undefined : 200;
    green.health = to === 'registered' ? 503 : 200;
    const id = await scene.start(t, { plan: '50%:pause' });
    if (to === 'registered' || to === 'testing') {
      await scene.stage(id, to);
      return id;
    }
    await scene.status(id, 'waiting');
    if (to === 'gated') return id;
    await scene.act(id, 'approve');
    if (to === 'shifting') return id;
    await scene.status(id, 'waiting');
    await scene.act(id, 'resume');
    return id;
  };
  for (const stage of STAGES) {
    for (const verb of ['abort', 'rollback'] as const) {
      const id = await reach(stage);
      const about = `${verb} in ${stage}`;
      t.equal((await scene.view(id)).stage, stage, about);
      const reason = `${stage} is bad`;
      const answer =
        verb === 'abort'
          ? await scene.act(id, 'abort', { reason })
          : await admin.post('/v1/rollback', { reason, lockOut: false });
      t.equal(answer.status, 200, `${about}: ${answer.text}`);
      green.health = 200;
      const { end, gates: runs } = await scene.view(id);
      const outcome = stage === 'shifting' || stage === 'baking' ? 'rolled-back' : 'failed';
      t.match(end, { outcome, cause: 'operator', reason }, about);
      if (stage === 'testing') t.match(runs[0], { name: 'slow', verdict: 'cancelled' });
      for (let asked = 0; asked < 3; asked++) t.equal(await scene.ask(), 'v1', about);
      t.match(await scene.act(id, 'abort'), { status: 409, json: { code: 'rollout-over' } });
      t.match(await scene.act(id, 'approve'), { status: 409, json: { code: 'rollout-over' } });
      const { json } = await admin.get('/v1/status');
      t.match(json['services'], [{ active: 'blue', rollout: null }], about);
    }
  }
});

await t.test('reject, a gate that says no, and health that never comes end it', async (t) => {
  const hook = await openHook(t);
  const gates = [
    { name: 'ask', kind: 'webhook', url: hook.url },
    { name: 'mia', kind: 'approve', by: 'others' },
  ];
  const scene = await openRollouts(t, { rollout: { gates, health: '1s' } });
  const rejected = await scene.start(t);
  await scene.status(rejected, 'waiting');
  t.match(await scene.act(rejected, 'approve'), {
    status: 403,
    json: { code: 'approval-by-same-actor' },
  });
  t.match(await scene.act(rejected, 'reject', { reason: 'not on Fridays' }), {
    status: 200,
    json: { stage: 'failed', end: { cause: 'approval', reason: /not on Fridays/ } },
  });
  hook.answer = { verdict: 'fail', detail: '3 of 9 tests red' };
  const failed = await scene.start(t);
  t.match(await scene.stage(failed, 'failed'), {
    end: { cause: 'gate', reason: /3 of 9 tests red/ },
  });
  scene.green.health = 503;
  await scene.green.checked();
  const never = await scene.start(t);
  t.match(await scene.stage(never, 'failed'), {
    end: { cause: 'health', reason: /0 of 1 targets up.*gave 503/ },
  });
  t.equal(await scene.ask(), 'v1');
});

await t.test(
  'the number of its last event and the key of a call keep orders from doing harm',
  async (t) => {
    const scene = await openRollouts(t);
    const body = { plan: '10%:pause, 20%:pause, 30%:pause', reason: 'once' };
    const key = { 'idempotency-key': 'start-1' };
    const first = await scene.admin.post('/v1/rollouts', body, key);
    const again = await scene.admin.post('/v1/rollouts', body, key);
    t.equal(first.status, 202, first.text);
    t.equal(again.status, 202, again.text);
    t.equal(again.text, first.text);
    const id = String(first.json['id']);
    const { event } = await scene.status(id, 'waiting');
    const stale = { 'if-match': `"${event - 1}"` };
    t.match(await scene.act(id, 'resume', {}, stale), { status: 412 });
    t.equal((await scene.view(id)).step, 0);
    const keyed = { 'if-match': `"${event}"`, 'idempotency-key': 'resume-1' };
    const resumed = await scene.act(id, 'resume', {}, keyed);
    t.match(resumed, { status: 200, json: { step: 1 } }, resumed.text);
    await scene.status(id, 'waiting');
    const repeated = await scene.act(id, 'resume', {}, keyed);
    t.equal(repeated.text, resumed.text, 'a repeated call is answered, not done');
    t.equal((await scene.view(id)).step, 1);
    t.match(await scene.act(id, 'promote', { reason: '' }), { status: 400 });
    const promote = { 'idempotency-key': 'promote-1' };
    const promoted = await scene.act(id, 'promote', { reason: 'sure' }, promote);
    t.match(promoted, { status: 200, json: { stage: 'draining' } });
    t.equal((await scene.act(id, 'promote', { reason: 'sure' }, promote)).text, promoted.text);
    t.equal(await scene.ask(), 'v2');
  },
);
