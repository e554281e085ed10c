// A rollout goes on whatever becomes of the processes around it: of Turnout, which is upgraded or stopped
// and started again, and of the client that waits for it.

import { once } from 'node:events';
import t from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openHook, openRollouts, RolloutCaller } from './rollout-scene.ts';
import { launch, startAsGiven } from './turnout-process.ts';
import { kill } from './upgrade-scene.ts';

t.setTimeout(120_000);

await t.test('an upgrade takes it over, and nothing is done twice', async (t) => {
  const hook = await openHook(t);
  hook.answer = { verdict: 'later', retryAfter: 1 };
  const gates = [{ name: 'ask', kind: 'webhook', url: hook.url }];
  const scene = await openRollouts(t, { rollout: { gates } });
  const { admin } = scene;
  const id = await scene.start(t, { plan: '10%:pause, 50%:pause' });
  await scene.stage(id, 'testing');
  await hook.asked();
  const upgraded = await admin.post('/v1/upgrade', {});
  t.equal(upgraded.status, 200, upgraded.text);
  const { pid } = upgraded.json;
  t.teardown(() => kill(Number(pid)));
  const taken = new AdminClient(scene.running.admin);
  t.teardown(() => taken.close());
  const caller = new RolloutCaller(taken);
  hook.answer = 200;
  t.match(await caller.status(id, 'waiting'), { stage: 'shifting', step: 0 });
  t.equal(new Set(hook.attempts).size, 1, 'the same question');
  t.match(await caller.act(id, 'resume'), { status: 200, json: { step: 1 } });
  await caller.status(id, 'waiting');
  t.match(await caller.act(id, 'resume'), { status: 200, json: { stage: 'draining' } });
  t.equal(await scene.ask(), 'v2');
  const { events } = await caller.view(id);
  const steps = events.filter(({ kind }) => kind === 'rollout.step' || kind === 'rollout.promoted');
  t.equal(steps.length, 3, 'each step once');
  t.equal(((await taken.get('/v1/history')).json['switches'] as unknown[]).length, 1);
});

await t.test('a stop leaves it where it is, and the next start goes on', async (t) => {
  const scene = await openRollouts(t);
  const id = await scene.start(t, { plan: '10%:pause, 50%:pause' });
  await scene.status(id, 'waiting');
  await scene.act(id, 'pause', { reason: 'lunch' });
  scene.running.process.kill('SIGTERM');
  t.equal(await scene.running.ended, 0);
  const again = await startAsGiven(t, scene.args);
  const admin = new AdminClient(again.admin);
  t.teardown(() => admin.close());
  const caller = new RolloutCaller(admin);
  t.match(await caller.view(id), {
    stage: 'shifting',
    status: { kind: 'paused', reason: 'lunch' },
  });
  t.match(await caller.act(id, 'resume'), { status: 200 });
  await caller.status(id, 'waiting');
  t.match(await caller.act(id, 'resume'), { status: 200, json: { step: 1 } });
  await caller.status(id, 'waiting');
  const aborted = await caller.act(id, 'abort');
  t.match(aborted, { status: 200, json: { stage: 'rolled-back' } });
});

await t.test('the death of a client that waits changes nothing', async (t) => {
  const scene = await openRollouts(t);
  const words = ['deploy', 'v3', '--targets', scene.green.url, '--plan', '10%:pause', '--wait'];
  const client = launch([...words, '--evict', '--yes', '--admin', scene.running.admin]);
  const ended = once(client, 'close');
  const said = { out: '', err: '' };
  client.stderr?.on('data', (part: Buffer) => (said.err += part.toString()));
  // Its lines about the rollout begin with the id.
  for await (const part of client.stdout!) {
    said.out += String(part);
    if (said.out.includes('r-1 ')) break;
  }
  const id = 'r-1';
  t.match(said.out, id, said.err);
  client.kill('SIGKILL');
  await ended;
  t.match(await scene.status(id, 'waiting'), { stage: 'shifting', step: 0 });
  t.match(await scene.act(id, 'resume'), { status: 200, json: { stage: 'draining' } });
});
