// The point of no return of a rollout: no rollback and no failover goes behind it, also once the rollout
// has ended.

import t, { type Test } from 'tap';
import { openRollouts, type RolloutScene } from './rollout-scene.ts';

t.setTimeout(90_000);

const ON = { on: true, reason: 'the column is gone' };

async function refusesTheWayBack(t: Test, { admin }: RolloutScene): Promise<void> {
  t.match(await admin.post('/v1/rollback', {}), {
    status: 409,
    json: { code: 'point-of-no-return' },
  });
}

await t.test('declared while it bakes, it outlasts the rollout', async (t) => {
  const scene = await openRollouts(t, { rollout: { bake: '1h' } });
  const id = await scene.start(t);
  await scene.stage(id, 'baking');
  t.equal((await scene.act(id, 'point-of-no-return', ON)).status, 200);
  t.match(await scene.act(id, 'abort'), { json: { code: 'point-of-no-return' } });
  await scene.act(id, 'skip');
  await scene.stage(id, 'done');
  await refusesTheWayBack(t, scene);
  t.equal(await scene.ask(), 'v2');
});

await t.test('declared before all traffic has moved, it comes with the rest of it', async (t) => {
  const scene = await openRollouts(t);
  const id = await scene.start(t, { plan: '50%:pause' });
  await scene.status(id, 'waiting');
  t.equal((await scene.act(id, 'point-of-no-return', ON)).status, 200);
  t.equal((await scene.act(id, 'promote')).status, 200);
  await scene.stage(id, 'done');
  await refusesTheWayBack(t, scene);
});

await t.test('taken back, the way back is open', async (t) => {
  const scene = await openRollouts(t, { rollout: { bake: '1h' } });
  const id = await scene.start(t);
  await scene.stage(id, 'baking');
  await scene.act(id, 'point-of-no-return', ON);
  t.equal((await scene.act(id, 'point-of-no-return', { on: false })).status, 200);
  await scene.act(id, 'skip');
  await scene.stage(id, 'done');
  t.equal((await scene.admin.post('/v1/rollback', {})).status, 200);
  t.equal(await scene.ask(), 'v1');
});

await t.test('by the command line it is said and taken back when no rollout goes on', async (t) => {
  const scene = await openRollouts(t);
  const verb = ['rollout', 'point-of-no-return'];
  t.match(await scene.cli(...verb, 'on'), { code: 64, err: /say why with --reason/ });
  const id = await scene.start(t);
  await scene.stage(id, 'done');
  t.match(await scene.cli(...verb, 'on', '--reason', 'mails are out'), {
    code: 0,
    out: /nothing goes back behind the active release/,
  });
  await refusesTheWayBack(t, scene);
  t.match(await scene.cli('rollback'), { code: 2, err: /point-of-no-return off/ });
  t.match(await scene.cli(...verb, 'off', '--reason', 'restored'), {
    code: 0,
    out: /there is a way back again/,
  });
  t.match(await scene.cli(...verb, 'off', '--reason', 'restored'), {
    code: 0,
    out: /there was a way back already/,
  });
  t.equal((await scene.admin.post('/v1/rollback', {})).status, 200);
});
