// Calls of operators about rollouts, answered by the real desk on a switchboard with fake workers.

import t from 'tap';
import type { ServiceConfig } from '../../../../../src/config/config.ts';
import type { RolloutSettings } from '../../../../../src/config/settings/rollout/rollout-settings.ts';
import { testRollout } from '../../../../support/rollout.ts';
import { back, change, only, to } from '../../support/board.ts';
import { deskScene, newRelease, wantedRollout } from '../../support/desk-scene.ts';
import { refusalOf } from '../../support/refused.ts';
import { serviceConfig, target } from '../../support/fixtures.ts';

/** Terms of a call, and as settings have them. */
const QUICK = { plan: '10%:10s, 100%', bakeMs: 0, guard: 'off' } as const;
const STEPS = { plan: QUICK.plan, bakeMs: 0 };

function shop(settings: Partial<RolloutSettings> = {}, isRolloutConfigured = true): ServiceConfig {
  return serviceConfig({ rollout: testRollout(settings), isRolloutConfigured });
}

function two(): ServiceConfig[] {
  return ['api', 'shop'].map((name, at) =>
    serviceConfig({
      name,
      hosts: [`${name}.example`],
      blue: { release: 'v1', targets: [target(3100 + at)] },
      green: { release: 'v2', targets: [target(3200 + at)] },
    }),
  );
}

await t.test('a switch is a rollout where the settings or the call say so', async (t) => {
  const plain = deskScene([shop({}, false)]);
  t.equal((await plain.desk.switchNow(to('green'))).rollout, undefined);
  const asked = deskScene([shop({}, false)]);
  t.match(await asked.desk.switchNow({ ...to('green'), ...QUICK }), { rollout: { share: 10 } });
  const configured = deskScene([shop({ plan: '25%:10s, 100%' })]);
  t.match(await configured.desk.switchNow(to('green')), { rollout: { share: 25 } });
});

await t.test('a switch to what is active already makes no rollout', async (t) => {
  const { desk, runner } = deskScene([shop()]);
  t.match(await desk.switchNow(to('blue')), { changed: false });
  t.same(runner.live.all(), []);
});

await t.test('requests wait for one switch, not for a plan', async (t) => {
  const { desk } = deskScene([shop()]);
  const held = { ...to('green', { holdMs: 1_000 }), plan: 'all-at-once' };
  t.equal(await refusalOf(desk.switchNow(held)), 'plan-invalid');
});

await t.test('several services are answered as one', async (t) => {
  const { desk, switchboard } = deskScene(two());
  const answer = await desk.switchAllNow(['api', 'shop'], { ...to('green'), ...QUICK });
  t.match(answer, { rollout: { id: 'r-1' }, services: [{ service: 'api' }, { service: 'shop' }] });
  const shares = switchboard.table.services.map(({ split }) => split?.share);
  t.same(shares, [1_000, 1_000]);
});

await t.test('a dry run of a start names what would refuse it, and starts nothing', async (t) => {
  const { desk, runner, store } = deskScene([shop()]);
  const before = store.state;
  const rehearsal = change({ dryRun: true });
  t.match(await desk.start(rehearsal, wantedRollout(QUICK)), { id: null, refusals: [] });
  const registers = newRelease({ targets: ['http://127.0.0.1:3001'] });
  const bad = await desk.start(rehearsal, wantedRollout({ registers }));
  t.match(bad, { dryRun: true, refusals: [{ code: 'address-in-use' }] });
  t.same(runner.live.all(), []);
  t.equal(store.state, before);
});

await t.test('targets are those of one service, and of its idle color', async (t) => {
  for (const dryRun of [false, true]) {
    const { desk } = deskScene(two());
    const registers = newRelease();
    const codes = [
      await desk.start(change({ dryRun }), wantedRollout({ registers }, ['api', 'shop'])).then(
        ({ refusals }) => refusals[0]?.code,
        (error: { code: string }) => error.code,
      ),
      await desk.start(change({ dryRun }), wantedRollout({ registers, to: 'blue' }, ['api'])).then(
        ({ refusals }) => refusals[0]?.code,
        (error: { code: string }) => error.code,
      ),
    ];
    t.same(codes, ['body-invalid', 'body-invalid'], `dryRun: ${dryRun}`);
  }
});

await t.test('a release is not registered where its traffic would be refused', async (t) => {
  for (const force of [false, true]) {
    const { desk, switchboard, runner } = deskScene([shop({}, false)]);
    const { epoch } = switchboard.table;
    await switchboard.serviceFreezes.set(change(), { actor: 'mia', atMs: 1, reason: 'incident' });
    const asked = change({ force, reason: 'test' });
    const start = desk.start(asked, wantedRollout({ registers: newRelease() }));
    t.equal(await refusalOf(start), 'switching-frozen', `force: ${force}`);
    t.equal(only(switchboard.table).green.release, 'v2');
    t.equal(switchboard.table.epoch, epoch);
    t.same(runner.live.all(), []);
  }
});

await t.test('gates that are left out are named, with why', async (t) => {
  const { desk, runner } = deskScene([shop()]);
  const skips = { gates: ['smoke'], reason: 'broken' };
  t.equal(await refusalOf(desk.start(change(), wantedRollout({ skips }))), 'gate-unknown');
  t.same(runner.live.all(), []);
});

const GENTLE = { restick: 'new', rampMs: 0, lockOut: false } as const;

await t.test('a rollback during a rollout goes by the settings of that rollout', async (t) => {
  const { desk, runner, switchboard } = deskScene([shop({ ...STEPS, rollback: GENTLE })]);
  const { rollout } = await desk.switchNow(to('green'));
  await desk.rollback(change({ reason: 'odd' }));
  t.match(runner.live.find(rollout!.id).end, { restick: 'new', lockedOut: false, reason: 'odd' });
  const state = switchboard.states.get('default')!;
  t.same(state.lockOuts, []);
  t.match(state.draining, [{ deployment: 2 }], 'its sessions drain');
});

await t.test('what the call says of a rollback wins over the settings', async (t) => {
  const { desk, runner, switchboard } = deskScene([shop({ ...STEPS, rollback: GENTLE })]);
  const { rollout } = await desk.switchNow(to('green'));
  await desk.rollback({ ...change({ reason: 'odd' }), restick: 'all', lockOut: true });
  t.match(runner.live.find(rollout!.id).end, { restick: 'all', lockedOut: true });
  t.match(switchboard.states.get('default')!.lockOuts, [{ release: 'v2' }]);
  const strict = deskScene([shop(STEPS)]);
  await strict.desk.switchNow(to('green'));
  await strict.desk.rollback({ ...change(), lockOut: false });
  t.same(strict.switchboard.states.get('default')!.lockOuts, []);
});

await t.test('a rollback after all traffic has moved takes the ramp of the settings', async (t) => {
  const settings = { plan: 'all-at-once', bakeMs: 60_000 };
  const { desk, switchboard } = deskScene([
    shop({ ...settings, rollback: { ...GENTLE, rampMs: 30_000 } }),
  ]);
  await desk.switchNow(to('green'));
  t.equal(only(switchboard.table).active, 'green');
  await desk.rollback(change());
  t.match(only(switchboard.table).split?.ramp, { from: Number });
});

await t.test(
  'a rollback without a rollout is as ever: all go back, the release is locked out',
  async (t) => {
    const { desk, switchboard } = deskScene([shop({ rollback: GENTLE }, false)]);
    await desk.switchNow(to('green'));
    await desk.rollback(change());
    t.match(switchboard.states.get('default')!.lockOuts, [{ release: 'v2' }]);
    t.match(await desk.rollback(back({ to: 'blue' })), { changed: false });
  },
);

await t.test(
  'a rollback of one service goes through only where all of its rollout are meant',
  async (t) => {
    const { desk } = deskScene(two());
    await desk.switchAllNow(['api', 'shop'], { ...to('green'), ...QUICK });
    const asked = { ...change({ service: 'api' }), only: ['api'] };
    t.equal(await refusalOf(desk.rollback(asked)), 'forbidden');
    t.match(await desk.rollback({ ...asked, dryRun: true, only: undefined }), { service: 'api' });
    t.match(await desk.rollback({ ...asked, only: undefined }), {
      service: 'api',
      to: 'blue',
      rollout: { stage: 'rolled-back' },
    });
  },
);

await t.test('rollouts are listed by service, and by whether they go on', async (t) => {
  const { desk } = deskScene(two());
  const first = await desk.start(change({ service: 'api' }), wantedRollout(QUICK, ['api']));
  await desk.start(change({ service: 'shop' }), wantedRollout(QUICK, ['shop']));
  await desk.act(change({ reason: 'no' }), first.id!, { kind: 'abort' });
  const ids = (isActive: boolean | undefined, service?: string) =>
    desk.list({ service, isActive }).map(({ id }) => id);
  t.same(ids(undefined), ['r-2', 'r-1']);
  t.same(ids(true), ['r-2']);
  t.same(ids(false), ['r-1']);
  t.same(ids(undefined, 'api'), ['r-1']);
  t.match(desk.brief('shop'), { id: 'r-2' });
  t.equal(desk.brief('api'), null);
  t.equal(await refusalOf((async () => desk.view('r-9'))()), 'rollout-unknown');
});

await t.test('an act is bound to the event that its caller has seen', async (t) => {
  const { desk } = deskScene([shop()]);
  const { id } = await desk.start(change(), wantedRollout(QUICK));
  const { event } = desk.view(id!);
  const pause = { kind: 'pause' } as const;
  const late = change({ ifMatch: [event + 1] });
  t.equal(await refusalOf(desk.act(late, id!, pause)), 'generation-mismatch');
  const view = await desk.act(change({ ifMatch: [event] }), id!, pause);
  t.match(view, { status: { kind: 'paused' } });
});
