// What is told of generations that drain, and when they end.

import t from 'tap';
import { blocksInUse } from '../../../../src/control-plane/switching/holding/running-counts.ts';
import { BLOCK } from '../../../../src/contract/counters.ts';
import { ENDED_DRAINS_MAX } from '../../../../src/control-plane/base/control-limits.ts';
import { back, change, only, wanted } from '../support/board.ts';
import { ANY, settled, STICKY, watched } from '../support/drained.ts';
import { serviceConfig, target } from '../support/fixtures.ts';

await t.test('a drain tells what is left of it and until when', async (t) => {
  const { switchboard, drains, leave, count, see } = watched(t);
  const block = await leave();
  count(block, BLOCK.inflight, 5);
  count(block, BLOCK.streams, 2);
  count(block, BLOCK.tunnels, 4);
  see(only(switchboard.table), block, 7);
  const nowMs = Date.now();
  t.same(drains.running(ANY), [
    {
      service: 'default',
      deployment: 1,
      scope: 'deployment',
      generation: 1,
      color: 'blue',
      release: 'v1',
      targets: ['http://127.0.0.1:3001'],
      startedAtMs: nowMs,
      sessionsUntilMs: nowMs + 600_000,
      endsAtMs: nowMs + 600_000 + 2_000 + 10_000,
      requests: 3,
      tunnels: 4,
      streams: 2,
      sessions: 7,
      sessionsError: 0.01,
      reasons: [
        '3 requests run',
        '4 tunnels (WebSocket and others) are open',
        '2 event streams are open',
        `about 7 sessions may come back until ${new Date(nowMs + 600_000).toISOString()}`,
      ],
    },
  ]);
});

await t.test('a session that was just given is waited for, a minute at most', async (t) => {
  const { switchboard, drains, leave, give, see, pass } = watched(t);
  const { block } = only(switchboard.table).blue;
  give(block);
  const until = new Date(Math.floor(Date.now() / 1_000) * 1_000 + 60_000).toISOString();
  await leave();
  await pass(500);
  const [status] = drains.running(ANY);
  t.same(status?.reasons, [`sessions that have just begun may come back until ${until}`]);
  t.equal(status?.sessions, 0, 'it is none that was seen');
  await pass(58_000);
  t.equal(drains.running(ANY).length, 1);
  await pass(2_000);
  t.same(drains.running(ANY), [], 'it was a client that keeps no cookies');
  give(block);
  see(only(switchboard.table), block, 1);
  t.equal(drains.running(ANY).length, 0, 'what has ended stays so');
});

await t.test('each thing that is left is a reason of its own, and keeps the drain', async (t) => {
  const { drains, leave, count, pass } = watched(t);
  const block = await leave();
  for (const [slots, reason] of [
    [[BLOCK.inflight], /^1 request runs$/],
    [[BLOCK.tunnels], /^1 tunnel \(WebSocket and others\) is open$/],
    [[BLOCK.inflight, BLOCK.streams], /^1 event stream is open$/],
  ] as const) {
    for (const slot of slots) count(block, slot, 1);
    await pass(5_000);
    const [status] = drains.running(ANY);
    t.match(status?.reasons, [reason]);
    t.equal(status?.reasons.length, 1);
    for (const slot of slots) count(block, slot, 0);
  }
  await pass(500);
  t.same(drains.running(ANY), []);
});

await t.test('a drain ends as soon as nothing is left', async (t) => {
  const { switchboard, drains, leave, pass, store } = watched(t);
  await leave();
  t.equal(drains.running(ANY)[0]?.reasons.length, 0);
  const startedAtMs = Date.now();
  await pass(500);
  t.same(only(switchboard.table).draining, []);
  t.match(drains.ended(ANY), [
    {
      service: 'default',
      deployment: 1,
      scope: 'deployment',
      generation: 1,
      color: 'blue',
      release: 'v1',
      targets: ['http://127.0.0.1:3001'],
      startedAtMs,
      endedAtMs: startedAtMs + 500,
      how: 'drained',
    },
  ]);
  t.equal(store.records.length, 1, 'that is no switch');
});

await t.test('sessions count until they have been idle for too long', async (t) => {
  const { switchboard, drains, leave, pass, see } = watched(t);
  const block = await leave();
  see(only(switchboard.table), block, 1);
  await pass(55_000);
  t.match(drains.running(ANY), [
    { sessions: 1, reasons: [/^about 1 session may come back until /] },
  ]);
  see(only(switchboard.table), block, 1);
  await pass(55_000);
  t.match(drains.running(ANY), [{ sessions: 1 }], 'it was seen again');
  await pass(25_000);
  t.same(drains.running(ANY), []);
  t.match(drains.ended(ANY), [{ how: 'drained' }]);
});

await t.test('sessions count no more once they move over', async (t) => {
  const { switchboard, drains, leave, pass, see } = watched(t);
  const block = await leave();
  see(only(switchboard.table), block, 3);
  t.match(drains.running(ANY), [{ sessions: 3 }]);
  await switchboard.evict(change(), 1);
  t.match(drains.running(ANY), [{ sessions: 0, reasons: { length: 0 } }]);
  await pass(500);
  t.match(drains.ended(ANY), [{ how: 'drained' }]);
});

await t.test('at its deadline a drain ends, whatever is left', async (t) => {
  const { drains, leave, count, pass } = watched(t);
  count(await leave(), BLOCK.tunnels, 9);
  await pass(611_500);
  t.match(drains.running(ANY), [{ tunnels: 9 }]);
  await pass(500);
  t.same(drains.running(ANY), []);
  t.match(drains.ended(ANY), [{ generation: 1, how: 'deadline' }]);
});

await t.test('a release that is active again was resumed, not drained', async (t) => {
  const { switchboard, drains, leave, count } = watched(t);
  count(await leave(), BLOCK.inflight, 1);
  await switchboard.rollback(back());
  t.match(drains.running(ANY), [{ generation: 2, color: 'green' }]);
  t.match(drains.ended(ANY), [{ generation: 1, color: 'blue', how: 'resumed' }]);
});

await t.test('a release to which a rollout shifts sessions again was resumed', async (t) => {
  const { switchboard, drains, leave, count } = watched(t);
  count(await leave(), BLOCK.inflight, 1);
  const { table } = switchboard;
  const service = only(table);
  const { number: deployment } = service.blue;
  const how = { share: 1_000, ramp: undefined, sessions: 'new', by: 'session' } as const;
  const split = { deployment, salt: 1, sinceS: 1, ...how };
  const { version } = table;
  const next = { ...service, draining: [], split };
  drains.follow({ ...table, version: version + 1, services: [next] });
  t.match(drains.ended(ANY), [{ color: 'blue', how: 'resumed' }]);
  t.strictSame(
    blocksInUse(next),
    [service.green.block, service.blue.block],
    'requests run on both',
  );
});

await t.test('another release on its color does not resume a drain', async (t) => {
  const { switchboard, drains, leave, count, pass } = watched(t);
  const first = await leave();
  count(first, BLOCK.inflight, 1);
  const next = wanted({ color: 'blue', release: 'v3', targets: [target(3010).url] });
  await switchboard.register(change(), next);
  const second = await leave();
  count(second, BLOCK.inflight, 1);
  t.match(drains.running(ANY), [{ generation: 1 }, { generation: 2 }], 'both go on');
  count(first, BLOCK.inflight, 0);
  await pass(500);
  t.match(drains.running(ANY), [{ generation: 2 }]);
  t.match(drains.ended(ANY), [{ generation: 1, how: 'drained' }]);
});

await t.test('a filter means one service, one generation or all', async (t) => {
  const services = [STICKY, serviceConfig({ name: 'shop', policy: STICKY.policy })];
  const { drains, leave, count, pass } = watched(t, services);
  count(await leave('default'), BLOCK.inflight, 1);
  await leave('shop');
  const names = (filter: Partial<typeof ANY>) =>
    drains.running({ ...ANY, ...filter }).map(({ service }) => service);
  t.same(names({}), ['default', 'shop']);
  t.same(names({ service: 'shop' }), ['shop']);
  t.same(names({ generation: 1 }), ['default', 'shop']);
  t.same(names({ service: 'shop', generation: 2 }), []);
  await pass(500);
  t.same(names({}), ['default'], 'the end of one leaves the other');
  t.equal(drains.ended({ ...ANY, service: 'shop' }).length, 1);
  t.equal(drains.ended({ ...ANY, service: 'default' }).length, 0);
});

await t.test('a drain that could not be ended is tried again', async (t) => {
  const { drains, leave, pass, store, log } = watched(t);
  await leave();
  store.onCommit = () => {
    throw new Error('disk full');
  };
  await pass(500);
  t.ok(log.has(/a drain could not be ended; it is tried again/));
  t.equal(drains.running(ANY).length, 1);
  t.same(drains.ended(ANY), []);
  store.onCommit = () => {};
  await pass(500);
  t.same(drains.running(ANY), []);
  t.match(drains.ended(ANY), [{ how: 'drained' }]);
});

await t.test('a drain ends although other changes keep coming', async (t) => {
  const { switchboard, drains, leave, pass } = watched(t);
  await leave();
  for (let times = 0; times < 5; times++) {
    await pass(400);
    await switchboard.hold(change(), { methods: 'all', untilMs: times });
  }
  t.same(drains.running(ANY), []);
});

await t.test('after stop no drain is ended', async (t) => {
  const { drains, leave, pass, workers } = watched(t);
  await leave();
  drains.stop();
  await pass(5_000);
  await settled();
  t.equal(drains.running(ANY).length, 1);
  t.same(workers.prepared, [2]);
});

await t.test('the latest ends are told, of each service so many, the last first', async (t) => {
  const services = [STICKY, serviceConfig({ name: 'shop', policy: STICKY.policy })];
  const { drains, leave, pass } = watched(t, services);
  await leave('shop');
  for (let times = 0; times < ENDED_DRAINS_MAX + 5; times++) {
    await leave('default');
    await pass(500);
  }
  const of = (service: string) =>
    drains.ended({ ...ANY, service }).map(({ generation }) => generation);
  t.equal(of('default').length, ENDED_DRAINS_MAX);
  t.same(
    of('default'),
    of('default').toSorted((a, b) => b - a),
  );
  t.same(of('shop'), [1], 'a busy service does not push out a quiet one');
});
