// Failover where things change under its eyes: operators who act, services that go, counters that
// begin anew, a clock that was set back. Whatever it is, the time that a color has to be down for
// begins with that.

import t, { type Test } from 'tap';
import { TARGETS_NAMED_MAX } from '../../../../src/control-plane/base/control-limits.ts';
import { FAILOVER_ACTOR } from '../../../../src/control-plane/base/actors.ts';
import type { SwitchRecord } from '../../../../src/control-plane/store/store.ts';
import { back, change, DOWN, only, to, wanted } from '../support/board.ts';
import { AUTO, failoverScene, UP, withCounters } from '../support/failover-scene.ts';
import { target } from '../support/fixtures.ts';
import { notes } from '../support/notes.ts';

await t.test('a look that breaks is told, and the next one goes on', async (t) => {
  const { blueIs, failover, health, pass, active, log } = failoverScene(t);
  blueIs(DOWN);
  health.get = () => {
    throw new Error('no such target');
  };
  failover.look();
  t.match(log.lines.at(-1), { level: 'error', fields: { err: { message: 'no such target' } } });
  Reflect.deleteProperty(health, 'get');
  await pass(0);
  await pass(10_000);
  t.equal(active(), 'green');
});

await t.test('time in which it was off, or the service away, does not count', async (t) => {
  const off = failoverScene(t);
  const away = failoverScene(t);
  const pauses = [
    {
      ...off,
      begin: () =>
        (off.configs.current = { ...off.configs.current, failover: { ...AUTO, mode: 'off' } }),
      end: () => (off.configs.current = { ...off.configs.current, failover: AUTO }),
    },
    {
      ...away,
      begin: () => (away.shown.services = []),
      end: () => (away.shown.services = undefined),
    },
  ];
  for (const { blueIs, pass, active, begin, end } of pauses) {
    blueIs(DOWN);
    await pass(0);
    begin();
    await pass(60_000);
    end();
    await pass(0);
    t.equal(active(), 'blue', 'nobody has looked for a minute');
    await pass(10_000);
    t.equal(active(), 'green');
  }
});

await t.test('while it acts it does not act again', async (t) => {
  const { blueIs, pass, active, workers, failover, warnings } = failoverScene(t);
  const ready = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  workers.onPrepare = async () => {
    asked.resolve();
    await ready.promise;
  };
  blueIs(DOWN);
  await pass(0);
  const acting = pass(10_000);
  await asked.promise;
  failover.look();
  failover.look();
  t.equal(warnings().length, 1);
  ready.resolve();
  await acting;
  t.equal(active(), 'green');
  t.match(failover.counts('default'), { switched: 1, failed: 0 });
});

await t.test('a color that became active is down since then at the earliest', async (t) => {
  const { ail, blueIs, pass, active, switchboard } = failoverScene(t);
  blueIs(DOWN);
  await pass(0);
  await pass(9_000);
  await switchboard.switch(to('green'));
  ail(3002, DOWN);
  blueIs(UP);
  await pass(1_000);
  await pass(9_999);
  t.equal(active(), 'green');
  await pass(1);
  t.equal(active(), 'blue');
});

await t.test('connections that failed while a color was idle are not counted', async (t) => {
  const { blueIs, switchboard, failures, pass, active } = withCounters(t);
  const slots = only(switchboard.table).blue.endpoints.map(({ slot }) => slot);
  blueIs({ state: 'up', reason: 'timeout' });
  await pass(0);
  await switchboard.switch(to('green'));
  await pass(0);
  for (const slot of slots) failures(slot, 3); // Previews, say.
  await switchboard.rollback(back({ lockOut: false }));
  await pass(0);
  await pass(60_000);
  t.equal(active(), 'blue');
});

await t.test('counters that begin anew are those of another target', async (t) => {
  const { blueIs, switchboard, failures, pass, active } = withCounters(t);
  const slots = only(switchboard.table).blue.endpoints.map(({ slot }) => slot);
  for (const slot of slots) failures(slot, 50);
  blueIs({ state: 'up', reason: 'timeout' });
  await pass(0);
  for (const slot of slots) failures(slot, 2);
  await pass(0);
  for (const slot of slots) failures(slot, 5);
  await pass(0);
  await pass(10_000);
  t.equal(active(), 'green', 'three more have failed');
});

/** A failover of the past. */
function past(changes: Partial<SwitchRecord>): SwitchRecord {
  return {
    epoch: 1,
    service: 'default',
    from: 'green',
    to: 'blue',
    release: '',
    atMs: Date.now() - 1_000,
    outcome: 'switched',
    deployment: 1,
    left: 2,
    forced: false,
    reason: '',
    actor: FAILOVER_ACTOR,
    ...changes,
  };
}

/** Returns what is in the way after a restart with `record` in the history. */
async function obstacleAfter(t: Test, record: SwitchRecord): Promise<string | undefined> {
  const { store, blueIs, pass, failover, watch } = failoverScene(t);
  failover.stop();
  store.records.unshift(record);
  blueIs(DOWN);
  const after = watch();
  await pass(0, after);
  await pass(10_000, after);
  return after.status('default').obstacle;
}

await t.test('after a restart, only a failover of this service begins a pause', async (t) => {
  t.match(await obstacleAfter(t, past({})), /failover.pause/);
  t.equal(await obstacleAfter(t, past({ actor: 'ann' })), undefined, 'an operator may');
  t.equal(await obstacleAfter(t, past({ service: 'shop' })), undefined);
});

await t.test('a failover in the future begins a whole pause, and no longer one', async (t) => {
  const atMs = Date.now() + 86_400_000;
  t.match(await obstacleAfter(t, past({ atMs })), /; 290 s are left/, 'the clock was set back');
});

await t.test('a hold whose time is over is not in the way', async (t) => {
  const { switchboard, blueIs, pass, active } = failoverScene(t);
  await switchboard.hold(change(), { methods: 'all', untilMs: Date.now() - 1 });
  blueIs(DOWN);
  await pass(0);
  await pass(10_000);
  t.equal(active(), 'green');
});

await t.test('another obstacle is told, too', async (t) => {
  const { ail, blueIs, pass, switchboard, failover, warnings } = failoverScene(t);
  blueIs(DOWN);
  ail(3002, DOWN);
  await pass(0);
  await pass(10_000);
  await switchboard.freeze.set({ actor: 'ann', reason: 'sale', atMs: 1 }, () => notes());
  await pass(1_000);
  t.match(warnings(), [/3002 is down/, /ann has frozen all switching/]);
  t.match(failover.counts('default'), { blocked: 2 });
});

await t.test('what it does is not forced', async (t) => {
  const { blueIs, pass, store } = failoverScene(t);
  blueIs(DOWN);
  await pass(0);
  await pass(10_000);
  t.match(store.records, [{ actor: FAILOVER_ACTOR, forced: false }]);
});

await t.test('a release that somebody registers meanwhile is looked at first', async (t) => {
  const { blueIs, pass, active, switchboard, workers, failover } = failoverScene(t);
  const ready = Promise.withResolvers<void>();
  workers.onPrepare = async () => ready.promise;
  blueIs(DOWN);
  await pass(0);
  const registered = switchboard.register(change(), wanted());
  const acting = pass(10_000);
  ready.resolve();
  await registered;
  await acting;
  t.equal(active(), 'blue', 'it had looked at v2');
  t.match(failover.counts('default'), { switched: 0, failed: 1 });
  await pass(5_000);
  t.equal(active(), 'green');
});

await t.test('the reason names some targets and counts the others', async (t) => {
  const ports = Array.from({ length: TARGETS_NAMED_MAX + 2 }, (_, index) => 3_001 + 10 * index);
  const blue = { release: 'v1', targets: ports.map(target) };
  const { ail, pass, store } = failoverScene(t, { blue });
  for (const port of ports) ail(port, DOWN);
  await pass(0);
  await pass(10_000);
  const { reason } = store.records[0]!;
  t.equal(reason.match(/http:/g)?.length, TARGETS_NAMED_MAX);
  t.match(reason, / and 2 more$/);
});
