// The guard with the whole program: a release that fails goes back, is locked out, and it is told why; one
// that only watches, or must not act, tells; one that is asked too little is never judged.
//
// TURNOUT_TEST_GUARD=long takes one that fails 5 % of 100 requests a second where 0.1 % is normal, and bakes
// for minutes one that is asked 20 times a minute.

import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { askOnce, openApp, openRollouts, type RolloutScene } from './rollout-scene.ts';

const IS_LONG = process.env['TURNOUT_TEST_GUARD'] === 'long';

t.setTimeout(IS_LONG ? 1_800_000 : 120_000);

const GUARD = {
  bake: IS_LONG ? '5m' : '1m',
  guard: {
    mode: 'rollback',
    patience: IS_LONG ? 'normal' : 'quick',
    clients: 1,
    latency: { mode: 'off' },
  },
};

/** Each takes its time to look; they look at once. */
const tests: Promise<unknown>[] = [];
t.jobs = IS_LONG ? 2 : 6;
function atOnce(name: string, run: (t: Test) => Promise<void>): void {
  tests.push(t.test(name, { buffered: true }, run));
}

/** Asks on connections of their own until the test ends, some at a time. */
function load(t: Test, { running }: RolloutScene): void {
  const ending = new AbortController();
  const clients = Array.from({ length: 4 }, async () => {
    while (!ending.signal.aborted) {
      await askOnce(running.proxy).catch(() => {});
      await delay(20);
    }
  });
  t.teardown(async () => {
    ending.abort();
    await Promise.all(clients);
  });
}

atOnce('a release that fails after all at once goes back and is locked out', async (t) => {
  const scene = await openRollouts(t, { rollout: GUARD });
  load(t, scene);
  scene.blue.badOneIn = IS_LONG ? 1_000 : 0;
  // What is normal is learnt from a minute of requests.
  if (IS_LONG) await delay(60_000);
  const id = await scene.start(t, { plan: 'all-at-once' });
  await scene.stage(id, 'baking');
  scene.green.badOneIn = IS_LONG ? 20 : 1;
  const { end, events } = await scene.stage(id, 'rolled-back');
  t.match(end, { cause: 'guard', lockedOut: true, reason: /errors.*v2/ });
  t.comment(end?.reason);
  t.equal(await scene.ask(), 'v1');
  t.ok(events.some(({ kind }) => kind === 'rollout.rolled-back'));
  const { json } = await scene.admin.get('/v1/history?limit=1');
  t.match(json['switches'], [{ to: 'blue', outcome: 'rolled-back', reason: /errors/ }]);
  t.match(await scene.admin.post('/v1/rollouts', { reason: 'again' }), {
    status: 409,
    json: { code: 'release-locked-out' },
  });
});

atOnce('one that only watches tells and stays', async (t) => {
  const scene = await openRollouts(t, { rollout: GUARD });
  load(t, scene);
  const id = await scene.start(t, { plan: 'all-at-once', guard: 'watch' });
  await scene.stage(id, 'baking');
  scene.green.badOneIn = 1;
  const told = await scene.until(
    id,
    ({ events }) => events.some(({ kind }) => kind === 'guard.verdict'),
    'a verdict',
  );
  t.match(told, { stage: 'baking', end: null });
  t.equal(await scene.ask(), 'v2');
});

atOnce('a switch with force is told of and stays', async (t) => {
  const scene = await openRollouts(t, { rollout: GUARD });
  load(t, scene);
  const forced = { to: 'green', force: true, reason: 'no matter' };
  const answer = await scene.admin.post('/v1/switch', forced);
  t.equal(answer.status, 200, answer.text);
  scene.green.badOneIn = 1;
  const { rollout } = answer.json as { readonly rollout: { readonly id: string } };
  const again = await scene.until(
    rollout.id,
    ({ events }) => events.some(({ kind }) => kind === 'guard.verdict'),
    'a verdict',
  );
  t.match(again, { stage: 'baking', end: null });
  t.equal(await scene.ask(), 'v2');
});

atOnce('past the point of no return it tells and pauses', async (t) => {
  const scene = await openRollouts(t, { rollout: GUARD });
  load(t, scene);
  const id = await scene.start(t, { plan: 'all-at-once' });
  await scene.stage(id, 'baking');
  const said = await scene.act(id, 'point-of-no-return', { on: true, reason: 'data moved' });
  t.equal(said.status, 200, said.text);
  scene.green.badOneIn = 1;
  const paused = await scene.status(id, 'paused');
  t.match(paused, { stage: 'baking', status: { by: 'guard', reason: /errors/ } });
  t.ok(paused.events.some(({ kind }) => kind === 'guard.blocked'));
  t.equal(await scene.ask(), 'v2');
  t.match(await scene.act(id, 'abort'), { status: 409, json: { code: 'point-of-no-return' } });
  const forced = await scene.act(id, 'abort', { force: true, reason: 'it must be' });
  t.match(forced, { status: 200, json: { stage: 'rolled-back' } }, forced.text);
  t.equal(await scene.ask(), 'v1');
});

atOnce('a release that goes down wholly is left at once', async (t) => {
  const scene = await openRollouts(t, { rollout: GUARD });
  const id = await scene.start(t, { plan: '10%:pause' });
  await scene.stage(id, 'shifting');
  await scene.green.close();
  t.match(await scene.stage(id, 'rolled-back'), { end: { cause: 'down', reason: /0 of 1/ } });
  t.equal(await scene.ask(), 'v1');
});

atOnce('one that refuses connections is left by its guard where no check finds it', async (t) => {
  const service = { health: { kind: 'none' } };
  const scene = await openRollouts(t, { rollout: GUARD, service });
  const id = await scene.start(t, { plan: '50%:10m' });
  await scene.stage(id, 'shifting');
  await scene.green.close();
  load(t, scene);
  const { end } = await scene.stage(id, 'rolled-back');
  t.match(end, { cause: 'guard', reason: /errors: 100 %.*v2/ });
});

atOnce('a target that is ejected holds up the next share, and is told', async (t) => {
  const [sick, sound] = [await openApp(t, 'v2'), await openApp(t, 'v2')];
  const green = { release: 'v2', targets: [sick.url, sound.url] };
  const scene = await openRollouts(t, { service: { green, ejection: { time: '1s' } } });
  sick.status = 500;
  const ejected = scene.running.line((line) => line.includes('is ejected for'));
  const id = await scene.start(t, { plan: '50%:pause' });
  await scene.status(id, 'waiting');
  load(t, scene);
  await ejected;
  const reason = { status: 409, json: { code: 'target-unhealthy', detail: /is down \(ejected: / } };
  const held = await scene.act(id, 'resume');
  t.match(held, reason, held.text);
  const back = scene.running.line((line) => line.includes('gets requests again'));
  sick.status = 200;
  await back;
  t.match(await scene.act(id, 'resume'), { status: 200, json: { stage: 'draining' } });
});

atOnce('one that is asked too little is not judged', async (t) => {
  const scene = await openRollouts(t, { rollout: { ...GUARD, bake: IS_LONG ? '5m' : '3s' } });
  scene.green.badOneIn = 20;
  const id = await scene.start(t, { plan: 'all-at-once' });
  await scene.stage(id, 'baking');
  for (let asked = 0; asked < (IS_LONG ? 150 : 1); asked++) {
    t.equal(await scene.ask(), 'v2');
    if (IS_LONG) await delay(3_000);
  }
  const over = await scene.stage(id, 'draining', 'done');
  t.ok(
    over.events.some(({ kind, text }) => kind === 'guard.verdict' && text.includes('inconclusive')),
    JSON.stringify(over.events),
  );
  t.equal(await scene.ask(), 'v2');
});

await Promise.all(tests);
