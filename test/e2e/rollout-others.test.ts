// A rollout and what else is done to its service meanwhile: switches with force, failover, freezes,
// reloads, other rollouts.

import { readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { askOnce, openHook, openRollouts, RolloutCaller } from './rollout-scene.ts';
import { startAsGiven } from './turnout-process.ts';

t.setTimeout(120_000);
// They mostly wait for clocks of Turnout, so they do that at the same time.
t.jobs = 3;
const tests: Promise<unknown>[] = [];
function test(name: string, run: (t: Test) => Promise<void>): void {
  tests.push(t.test(name, { buffered: true }, run));
}

test('a switch with force and a failover supersede it', async (t) => {
  const scene = await openRollouts(t, {
    service: { failover: { mode: 'auto', after: '1s' } },
  });
  const { admin, blue } = scene;
  const forced = await scene.start(t, { plan: '10%:pause' });
  await scene.status(forced, 'waiting');
  t.match(await admin.post('/v1/switch', { to: 'green' }), { status: 409 });
  const force = { to: 'green', force: true, reason: 'now' };
  const answer = await admin.post('/v1/switch', force);
  t.equal(answer.status, 200, answer.text);
  t.equal(await scene.ask(), 'v2');
  t.match(await scene.stage(forced, 'superseded'), { end: { cause: 'changed' } });
  t.equal((await admin.post('/v1/switch', { to: 'blue', force: true, reason: 'b' })).status, 200);
  const failing = await scene.start(t, { to: 'green', plan: '10%:pause' });
  await scene.status(failing, 'waiting');
  blue.health = 503;
  t.match(await scene.stage(failing, 'superseded'), { end: { cause: 'changed' } });
  t.equal(await scene.ask(), 'v2');
});

test('a service stays while a rollout has it; without one it is over', async (t) => {
  const hook = await openHook(t);
  hook.answer = { verdict: 'later', retryAfter: 1 };
  const gates = [{ name: 'ask', kind: 'webhook', url: hook.url }];
  const scene = await openRollouts(t, { rollout: { gates } });
  const file = readFileSync(scene.file, 'utf8');
  const renamed = JSON.parse(file) as { readonly services: { name?: string }[] };
  renamed.services[0]!.name = 'other';
  const id = await scene.start(t, { plan: '10%:1h' });
  for (const stage of ['testing', 'shifting']) {
    await scene.stage(id, stage);
    writeFileSync(scene.file, JSON.stringify(renamed));
    const refused = await scene.admin.post('/v1/reload', {});
    t.match(refused, { status: 409, json: { code: 'rollout-running' } }, refused.text);
    writeFileSync(scene.file, file);
    hook.answer = 200;
  }
  scene.running.process.kill('SIGKILL');
  await scene.running.ended;
  writeFileSync(scene.file, JSON.stringify(renamed));
  const again = await startAsGiven(t, scene.args);
  const admin = new AdminClient(again.admin);
  t.teardown(() => admin.close());
  const caller = new RolloutCaller(admin);
  const { end } = await caller.stage(id, 'superseded');
  t.match(end, { cause: 'changed', reason: /default is configured no more/ });
  t.match(await caller.act(id, 'abort'), { status: 409, json: { code: 'rollout-over' } });
  t.equal(await askOnce(again.proxy), 'v1');
  const errors = again.lines.filter((line) => line.includes('"level":"error"'));
  t.strictSame(errors, []);
});

test('a freeze blocks its next step, and the end of the freeze lets it go on', async (t) => {
  const scene = await openRollouts(t);
  const { admin } = scene;
  const id = await scene.start(t, { plan: '10%:pause, 50%:pause' });
  await scene.status(id, 'waiting');
  t.equal((await admin.post('/v1/freeze', { reason: 'sale' })).status, 200);
  const resumed = await scene.act(id, 'resume');
  t.match(resumed, { status: 423, json: { code: 'switching-frozen' } }, resumed.text);
  t.match(await scene.view(id), { step: 0, status: { kind: 'waiting' } });
  t.equal((await admin.post('/v1/unfreeze', { reason: 'over' })).status, 200);
  t.match(await scene.act(id, 'resume'), { status: 200, json: { step: 1 } });
  await scene.status(id, 'waiting');
  t.equal((await admin.post('/v1/freeze', { reason: 'sale' })).status, 200);
  t.match(await scene.act(id, 'abort'), { status: 200, json: { stage: 'rolled-back' } });
  t.equal(await scene.ask(), 'v1', 'the way back is open in a freeze');
});

test('what it does by itself waits for the end of a freeze', async (t) => {
  const hook = await openHook(t);
  hook.answer = { verdict: 'later', retryAfter: 1 };
  const gates = [{ name: 'ask', kind: 'webhook', url: hook.url }];
  const scene = await openRollouts(t, { rollout: { gates } });
  const { admin } = scene;
  const id = await scene.start(t, { plan: '10%:pause' });
  await scene.stage(id, 'testing');
  t.equal((await admin.post('/v1/freeze', { reason: 'sale' })).status, 200);
  hook.answer = 200;
  t.match(await scene.status(id, 'blocked'), { stage: 'gated', status: { why: 'frozen' } });
  t.equal(await scene.ask(), 'v1');
  t.equal((await admin.post('/v1/unfreeze', { reason: 'over' })).status, 200);
  t.match(await scene.status(id, 'waiting'), { stage: 'shifting', share: { wanted: 10 } });
});

test('a reload leaves its terms as they were, and can not take its service away', async (t) => {
  const scene = await openRollouts(t, { rollout: { bake: '1h' } });
  const { admin, file } = scene;
  const id = await scene.start(t, { plan: '10%:pause' });
  await scene.status(id, 'waiting');
  const written = readFileSync(file, 'utf8');
  writeFileSync(file, written.replace('"bake":"1h"', '"bake":"0s"'));
  t.equal((await admin.post('/v1/reload', {})).status, 200);
  t.match(await scene.view(id), { stage: 'shifting', bake: { for: '1h' } });
  writeFileSync(file, written.replace('"green":{"release":"v2"', '"green":{"release":"v9"'));
  const other = await admin.post('/v1/reload', {});
  t.match(other, { status: 409, json: { code: 'rollout-running' } }, other.text);
  t.match(await scene.view(id), { stage: 'shifting' }, 'its release is still there');
  const { blue } = scene;
  const another = { name: 'other', blue: { release: 'v1', targets: [blue.url] } };
  writeFileSync(file, JSON.stringify({ services: [another] }));
  const removed = await admin.post('/v1/reload', {});
  t.match(removed, { status: 409, json: { code: 'rollout-running' } }, removed.text);
  t.match(await scene.view(id), { stage: 'shifting' });
});

test('of fifty rollouts that begin at once, one does', async (t) => {
  const scene = await openRollouts(t);
  const { admin } = scene;
  const all = await Promise.all(
    Array.from({ length: 50 }, async (_, at) =>
      admin.post('/v1/rollouts', { plan: '10%:pause', reason: `number ${at}` }),
    ),
  );
  const begun = all.filter(({ status }) => status === 202);
  t.equal(begun.length, 1, String(all.map(({ status }) => status)));
  for (const { json } of all.filter(({ status }) => status !== 202)) {
    // What came when too many had waited was turned away before.
    t.match(json, { code: /^(?:rollout-running|busy)$/ });
  }
  const id = String(begun[0]!.json['id']);
  await scene.status(id, 'waiting');
  const ends = await Promise.all([
    scene.act(id, 'abort', { lockOut: false }),
    scene.act(id, 'abort', { lockOut: false }),
    admin.post('/v1/rollouts', { plan: '10%:pause', reason: 'next' }),
  ]);
  const aborts = ends.slice(0, 2).map(({ status }) => status);
  t.ok(aborts.includes(200) && aborts.includes(409), String(aborts));
  const third = ends[2];
  t.ok(third.status === 202 || third.json['code'] === 'rollout-running', third.text);
});

await Promise.all(tests);
