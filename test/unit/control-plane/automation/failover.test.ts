// Failover over a real switchboard: what it sees, what it does, what it tells.

import t from 'tap';
import { FAILOVER_RETRY_MS } from '../../../../src/control-plane/base/control-limits.ts';
import { FAILOVER_ACTOR } from '../../../../src/control-plane/base/actors.ts';
import { back, change, DOWN, notReady, only, to, UNKNOWN, wanted } from '../support/board.ts';
import { AUTO, failoverScene, UP, withCounters } from '../support/failover-scene.ts';
import { NO_CHECKS, target } from '../support/fixtures.ts';
import { notes } from '../support/notes.ts';

await t.test('a color that is down for long enough is left, and all say why', async (t) => {
  const { blueIs, pass, active, store, failover, warnings } = failoverScene(t);
  blueIs(DOWN);
  await pass(0);
  t.match(failover.status('default'), { mode: 'auto', obstacle: undefined });
  t.ok(failover.status('default').downSinceMs! <= Date.now());
  await pass(9_999);
  t.equal(active(), 'blue');
  await pass(1);
  t.equal(active(), 'green');
  const [record] = store.records;
  t.match(record, { outcome: 'switched', actor: FAILOVER_ACTOR, from: 'blue', to: 'green' });
  t.match(
    record!.reason,
    /^all of blue down since \d{4}-.+Z: http:\/\/127.0.0.1:3001 \(connection refused\), http.+3011 \(/,
  );
  const [row] = store.audit.latest({ services: undefined, before: undefined, limit: 1 });
  t.match(JSON.parse(row!.text), {
    actor: FAILOVER_ACTOR,
    reason: record!.reason,
    outcome: 'done',
  });
  t.match(failover.counts('default'), { switched: 1, failed: 0, blocked: 0 });
  t.match(warnings(), [/^default: failover to green: all of blue down since/]);
  t.match(failover.status('default'), { downSinceMs: undefined });
});

await t.test('one target that is up, or comes up for a moment, keeps the traffic', async (t) => {
  const { ail, blueIs, pass, active } = failoverScene(t);
  ail(3001, DOWN);
  await pass(0);
  await pass(60_000);
  t.equal(active(), 'blue', 'the other one is up');
  blueIs(DOWN);
  await pass(0);
  await pass(9_000);
  ail(3011, UP);
  await pass(0);
  blueIs(DOWN);
  await pass(0);
  await pass(9_000);
  t.equal(active(), 'blue', 'the time begins anew');
  await pass(1_000);
  t.equal(active(), 'green');
});

await t.test('off does nothing, and can be turned on while it runs', async (t) => {
  const { blueIs, pass, active, failover, configs } = failoverScene(t, {
    failover: { ...AUTO, mode: 'off' },
  });
  blueIs(DOWN);
  await pass(0);
  await pass(60_000);
  t.equal(active(), 'blue');
  t.match(failover.status('default'), { mode: 'off', downSinceMs: undefined });
  configs.current = { ...configs.current, failover: AUTO };
  await pass(0);
  await pass(10_000);
  t.equal(active(), 'green');
});

await t.test('a color whose targets cannot be checked never fails over', async (t) => {
  const { blueIs, pass, active } = failoverScene(t, { health: NO_CHECKS });
  blueIs(DOWN);
  await pass(0);
  await pass(60_000);
  t.equal(active(), 'blue');
});

await t.test('what is not known is not down', async (t) => {
  const { blueIs, pass, active } = failoverScene(t);
  blueIs(UNKNOWN);
  await pass(0);
  await pass(60_000);
  t.equal(active(), 'blue');
});

await t.test(
  'connections of clients that fail are believed before the checks are sure',
  async (t) => {
    const { blueIs, switchboard, failures, pass, active } = withCounters(t);
    blueIs({ state: 'up', reason: 'connection refused' });
    const slots = only(switchboard.table).blue.endpoints.map(({ slot }) => slot);
    await pass(0);
    for (const slot of slots) failures(slot, 3);
    await pass(0);
    await pass(10_000);
    t.equal(active(), 'green');
  },
);

await t.test('one that succeeds takes that back', async (t) => {
  const { blueIs, switchboard, failures, connects, pass, active } = withCounters(t);
  blueIs({ state: 'up', reason: 'timeout' });
  const slots = only(switchboard.table).blue.endpoints.map(({ slot }) => slot);
  await pass(0);
  for (const slot of slots) failures(slot, 3);
  await pass(9_000);
  connects(slots[0]!, 1);
  await pass(5_000);
  await pass(60_000);
  t.equal(active(), 'blue');
});

await t.test('it says once why it does not act, and acts when that is gone', async (t) => {
  const { ail, blueIs, pass, active, failover, warnings } = failoverScene(t);
  blueIs(DOWN);
  ail(3002, DOWN);
  await pass(0);
  await pass(10_000);
  await pass(1_000);
  await pass(1_000);
  t.equal(active(), 'blue');
  t.match(failover.status('default').obstacle, /green is not healthy: .*3002 is down/);
  t.match(warnings(), [/^default: blue is down, and failover does not act: .*3002 is down/]);
  t.equal(warnings().length, 1);
  t.match(failover.counts('default'), { switched: 0, blocked: 1 });
  ail(3002, UP);
  await pass(0);
  t.equal(active(), 'green');
});

type Scene = ReturnType<typeof failoverScene>;
const obstacles: readonly (readonly [RegExp, (scene: Scene) => unknown])[] = [
  [
    /ann has frozen all switching/,
    ({ switchboard }) =>
      switchboard.freeze.set({ actor: 'ann', reason: 'sale', atMs: 1 }, () => notes()),
  ],
  [
    /is in maintenance/,
    async ({ switchboard }) =>
      switchboard.maintain(change(), { message: '', retryAfterSeconds: 1 }),
  ],
  [
    /are held/,
    async ({ switchboard }) =>
      switchboard.hold(change(), { methods: 'all', untilMs: Date.now() + 60_000 }),
  ],
  [
    /rolled back from v2 \(deployment 2\)/,
    async ({ switchboard }) => {
      await switchboard.switch(to('green'));
      await switchboard.rollback(back());
    },
  ],
  [/green is not healthy/, ({ ail }) => ail(3002, UNKNOWN)],
  [/a rule is broken/, ({ switchboard }) => switchboard.halt(new Error('a rule is broken'))],
];

await t.test('traffic stays while something is in the way', async (t) => {
  for (const [why, prepare] of obstacles) {
    const one = failoverScene(t);
    await prepare(one);
    one.blueIs(DOWN);
    await one.pass(0);
    await one.pass(10_000);
    t.match(one.failover.status('default').obstacle, why);
    t.equal(one.active(), 'blue', String(why));
  }
});

await t.test('a color without targets, or that nobody has tried, gets nothing', async (t) => {
  const empty = failoverScene(t, { green: { release: '', targets: [] } });
  const untried = failoverScene(t, { green: { release: '', targets: [target(3002)] } });
  for (const one of [empty, untried]) {
    one.blueIs(DOWN);
    await one.pass(0);
    await one.pass(10_000);
    t.equal(one.active(), 'blue');
  }
  t.match(empty.failover.status('default').obstacle, /green has no target/);
  t.match(untried.failover.status('default').obstacle, /never served, and no release/);
  await untried.switchboard.register(change(), wanted());
  await untried.pass(0);
  t.equal(untried.active(), 'green', 'a release was registered');
});

await t.test('a color that comes back gets no traffic for that', async (t) => {
  const { ail, blueIs, pass, active } = failoverScene(t);
  blueIs(DOWN);
  await pass(0);
  await pass(10_000);
  blueIs(UP);
  await pass(0);
  await pass(3_600_000);
  t.equal(active(), 'green');
  ail(3002, DOWN);
  await pass(0);
  await pass(10_000);
  t.equal(active(), 'blue', 'but it stands in when the other one is down');
});

await t.test('the pause holds, also after a restart', async (t) => {
  const { ail, blueIs, pass, active, failover, watch } = failoverScene(t);
  blueIs(DOWN);
  await pass(0);
  await pass(10_000);
  blueIs(UP);
  ail(3002, DOWN);
  await pass(0);
  await pass(60_000);
  t.equal(active(), 'green');
  t.match(failover.status('default').obstacle, /less than failover.pause ago; 240 s are left/);
  failover.stop();
  const after = watch();
  await pass(0, after);
  await pass(10_000, after);
  t.equal(active(), 'green');
  t.match(after.status('default').obstacle, /290 s are left/);
  await pass(290_000, after);
  t.equal(active(), 'blue');
});

await t.test('a failover that fails is counted, and tried again after a while', async (t) => {
  const { blueIs, pass, active, workers, failover, log } = failoverScene(t);
  workers.onPrepare = async () => {
    throw notReady();
  };
  blueIs(DOWN);
  await pass(0);
  await pass(10_000);
  t.equal(active(), 'blue');
  t.match(failover.counts('default'), { switched: 0, failed: 1 });
  t.ok(log.lines.some(({ message }) => message.startsWith('default: failover failed: worker 0')));
  workers.onPrepare = async () => {};
  await pass(FAILOVER_RETRY_MS - 1);
  t.equal(active(), 'blue');
  await pass(1);
  t.equal(active(), 'green');
});

await t.test('who is not in charge looks away', async (t) => {
  const { blueIs, pass, active, switchboard, failover, warnings } = failoverScene(t);
  blueIs(DOWN);
  await pass(0);
  await switchboard.pause();
  await pass(60_000);
  t.equal(active(), 'blue');
  t.strictSame(warnings(), [], 'nor does it complain');
  switchboard.resume();
  failover.stop();
  await pass(60_000);
  t.equal(active(), 'blue');
});
