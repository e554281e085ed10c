// Switches that are ordered for later: made once, when they are due, as their caller would make them
// then; or told why not.

import t from 'tap';
import { restartClock } from '../../../../src/base/clock.ts';
import { parseFreezeWindow } from '../../../../src/config/values/freeze-window.ts';
import { windowsAt } from '../../../../src/control-plane/freezes/windows.ts';
import { Scheduler, type WantedOrder } from '../../../../src/control-plane/schedule/scheduler.ts';
import { ORDERS_PENDING_MAX } from '../../../../src/api/api-limits.ts';
import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import { back, board, change, only, to, wanted } from '../support/board.ts';
import { serviceConfig } from '../support/fixtures.ts';
import { ManualTimers } from '../support/manual-timers.ts';

const NOW_MS = Date.parse('2026-12-01T01:00:00Z');
const HOUR_MS = 3_600_000;

const clock = { ms: NOW_MS };
const realNow = Date.now;
t.before(() => {
  Date.now = () => clock.ms;
});
t.teardown(() => {
  Date.now = realNow;
  restartClock();
});

function scene(services?: Parameters<typeof board>[0]) {
  clock.ms = NOW_MS;
  restartClock();
  const parts = board(services);
  const { switchboard, store, log } = parts;
  const over = new Map<string, string>();
  /** Times at which it was said that something is told. */
  const told = { count: 0 };
  const windows: { all: ReturnType<typeof windowsOf> } = { all: [] };
  parts.hooks.freezesOf = () => windowsAt(windows.all, clock.ms);
  const open = (): Scheduler =>
    new Scheduler({
      board: switchboard,
      store: () => store.schedules,
      carryOut: async (names, terms) => {
        if (names === undefined) return await switchboard.switch(terms);
        return (await switchboard.switchAll(names, terms))[0]!;
      },
      tokens: {
        named: (actor) => (actor === 'ci' ? { id: 't1', expiresAtMs: undefined } : undefined),
        whyOver: (id) => over.get(id),
      },
      windows: () => [windows.all],
      onTold: () => void told.count++,
      timers: new ManualTimers(),
      log,
    });
  const scheduler = open();
  scheduler.start();
  const order = async (changes: Partial<WantedOrder> = {}) =>
    await scheduler.order({
      ...to('green'),
      actor: 'ci',
      services: undefined,
      atMs: NOW_MS + HOUR_MS,
      graceMs: 300_000,
      ...changes,
    });
  const ended = () => scheduler.list(undefined, 9).over.map(({ id, end }) => ({ id, ...end }));
  const news = () =>
    store.events
      .after(0, 99)
      .filter(({ kind }) => kind.startsWith('scheduled.'))
      .map(({ kind, service, data }) => [kind, service, data['order'], data['code'] ?? null]);
  const pending = () => scheduler.list(undefined, 9).pending.map(({ id }) => id);
  return { ...parts, scheduler, open, order, ended, pending, over, windows, told, news };
}

function windowsOf(line: string) {
  const parsed = parseFreezeWindow(line);
  return parsed.ok ? [parsed.value] : [];
}

await t.test('it is made when it is due, once, in the name of its actor', async (t) => {
  const { switchboard, scheduler, order, ended, pending, store } = scene();
  t.match(await order({ reason: 'night shift' }), {
    scheduled: { id: 's-1', at: '2026-12-01T02:00:00.000Z', services: [{ deployment: 2 }] },
  });
  clock.ms += HOUR_MS - 1;
  await scheduler.look();
  t.strictSame(pending(), ['s-1']);
  t.equal(only(switchboard.table).active, 'blue');
  clock.ms += 1;
  await scheduler.look();
  await scheduler.look();
  t.equal(only(switchboard.table).active, 'green');
  t.match(ended(), [{ id: 's-1', outcome: 'done', actor: 'ci' }]);
  t.match(store.records, [{ actor: 'ci', reason: 's-1: night shift', to: 'green' }]);
  t.equal(store.records.length, 1);
});

await t.test('a process that comes up later makes it within the grace', async (t) => {
  const { order, open, ended, switchboard } = scene();
  await order();
  clock.ms += HOUR_MS + 300_000;
  const next = open();
  next.start();
  await next.look();
  t.match(ended(), [{ outcome: 'done' }]);
  t.equal(only(switchboard.table).active, 'green');
});

await t.test('and not behind it: that is told', async (t) => {
  const { order, scheduler, ended, switchboard, store } = scene();
  await order();
  clock.ms += HOUR_MS + 300_001;
  await scheduler.look();
  t.match(ended(), [
    {
      outcome: 'expired',
      code: 'scheduled-late',
      detail: 'due at 2026-12-01T02:00:00.000Z, 5m1ms ago; its grace was 5m',
    },
  ]);
  t.equal(only(switchboard.table).active, 'blue');
  const [entry] = store.audit.latest({ services: undefined, before: undefined, limit: 1 });
  t.match(entry?.text, /scheduled s-1.*scheduled-late/);
});

await t.test('what stands in the way when it is due refuses it', async (t) => {
  const line = 'daily 02:30 - 04:00 UTC (backup)';
  for (const [what, code, prepare] of [
    [
      'a window',
      'switching-frozen',
      (s) => (s.windows.all = windowsOf('daily 01:30 - 04:00 UTC (x)')),
    ],
    ['a token that was revoked', 'forbidden', (s) => s.over.set('t1', 'was revoked')],
    [
      'a target that is down',
      'target-unhealthy',
      (s) => s.ail(3002, { state: 'down', reason: '' }),
    ],
    [
      'a freeze',
      'switching-frozen',
      async (s) =>
        s.switchboard.freeze.set({ reason: 'x', actor: 'ann', atMs: 1 }, () => ({
          audit: undefined,
          answer: undefined,
        })),
    ],
    [
      'a lock-out',
      'release-locked-out',
      async (s) => {
        await s.switchboard.switch(to('green'));
        await s.switchboard.rollback(back({ lockOut: true }));
      },
    ],
    [
      'another release on the color',
      'scheduled-stale',
      async (s) => s.switchboard.register(change(), wanted({ color: 'green', release: 'v9' })),
    ],
  ] as readonly (readonly [string, string, (s: ReturnType<typeof scene>) => unknown])[]) {
    const one = scene();
    one.windows.all = windowsOf(line);
    await one.order();
    await prepare(one);
    clock.ms += HOUR_MS;
    await one.scheduler.look();
    t.match(one.ended(), [{ outcome: 'refused', code }], what);
    t.equal(only(one.switchboard.table).active, 'blue', what);
  }
});

await t.test('what is only for now in the way is tried again', async (t) => {
  const { order, scheduler, ended, pending, workers } = scene();
  await order();
  clock.ms += HOUR_MS;
  workers.onPrepare = async () => {
    throw new OperatorError('workers-not-ready', 'a worker is busy');
  };
  await scheduler.look();
  t.strictSame([pending(), ended()], [['s-1'], []]);
  workers.onPrepare = async () => {};
  await scheduler.look();
  t.match(ended(), [{ outcome: 'done' }]);
});

await t.test('one that is active already needs nothing', async (t) => {
  const { order, scheduler, ended, switchboard } = scene();
  await order({ to: undefined });
  await switchboard.switch(to('green'));
  clock.ms += HOUR_MS;
  await scheduler.look();
  t.match(ended(), [{ outcome: 'done' }]);
  t.equal(only(switchboard.table).active, 'green', 'not the other color of then');
});

await t.test('two at the same time are made in the order of their orders', async (t) => {
  const { order, scheduler, ended, switchboard } = scene();
  await order({ to: 'blue' });
  await order({ to: 'green' });
  clock.ms += HOUR_MS;
  await scheduler.look();
  t.strictSame(
    ended()
      .map(({ id }) => id)
      .toSorted(),
    ['s-1', 's-2'],
  );
  t.equal(only(switchboard.table).active, 'green');
});

await t.test('several services go together, or none does', async (t) => {
  const services = [serviceConfig(), serviceConfig({ name: 'shop', hosts: ['shop.test'] })];
  const { order, scheduler, switchboard, ended } = scene(services);
  await order({ services: ['default', 'shop'] });
  clock.ms += HOUR_MS;
  await scheduler.look();
  t.match(ended(), [{ outcome: 'done' }]);
  t.strictSame(
    switchboard.table.services.map(({ active }) => active),
    ['green', 'green'],
  );
  t.match(scheduler.list(['shop'], 9).over, [], 'a caller that may not know of both sees none');
});

await t.test('it can be taken back, until it is over', async (t) => {
  const { order, scheduler, ended } = scene();
  await order();
  const request = { actor: 'ann', reason: 'not tonight', ifMatch: undefined };
  await t.rejects(scheduler.cancel(request, 's-1', ['shop']), { code: 'scheduled-unknown' });
  await t.rejects(scheduler.cancel(request, 's-7', undefined), { code: 'scheduled-unknown' });
  t.match(await scheduler.cancel(request, 's-1', undefined), {
    scheduled: { end: { outcome: 'cancelled', actor: 'ann', detail: 'not tonight' } },
  });
  await t.rejects(scheduler.cancel(request, 's-1', undefined), { code: 'scheduled-over' });
  clock.ms += 2 * HOUR_MS;
  await scheduler.look();
  t.match(ended(), [{ outcome: 'cancelled' }]);
});

await t.test('what becomes of an order is told once', async (t) => {
  const { order, scheduler, news, over, told } = scene();
  await order();
  await order({ atMs: NOW_MS + 2 * HOUR_MS });
  await order({ ...to('blue'), actor: 'ci', atMs: NOW_MS + 3 * HOUR_MS });
  const request = { actor: 'ann', reason: '', ifMatch: undefined };
  await scheduler.cancel(request, 's-1', undefined);
  clock.ms += 2 * HOUR_MS;
  await scheduler.look();
  over.set('t1', 'was revoked');
  clock.ms += HOUR_MS;
  await scheduler.look();
  await scheduler.look();
  t.strictSame(news(), [
    ['scheduled.ordered', 'default', 's-1', null],
    ['scheduled.ordered', 'default', 's-2', null],
    ['scheduled.ordered', 'default', 's-3', null],
    ['scheduled.cancelled', 'default', 's-1', ''],
    ['scheduled.done', 'default', 's-2', ''],
    ['scheduled.refused', 'default', 's-3', 'forbidden'],
  ]);
  t.equal(told.count, 6, 'readers of events are woken each time');
});

await t.test('what is known to be refused then is refused now', async (t) => {
  const { order, windows } = scene();
  windows.all = windowsOf('daily 01:30 - 04:00 UTC (backup)');
  await t.rejects(order(), { code: 'switching-frozen', message: /until 2026-12-01T04:00/ });
  await t.resolves(order({ force: true, reason: 'agreed' }));
  await t.rejects(order({ force: true, reason: ' ' }), { code: 'reason-required' });
  windows.all = [];
  await t.rejects(order({ atMs: NOW_MS - 1 }), { code: 'body-invalid' });
  await t.rejects(order({ atMs: NOW_MS + 400 * 24 * HOUR_MS }), { code: 'body-invalid' });
  await t.rejects(order({ to: 'v77' }), { code: 'deployment-unknown' });
  await t.rejects(order({ plan: '10%:5m, 5%' }), { code: 'plan-invalid' });
  await t.rejects(order({ ifMatch: [99] }), { code: 'generation-mismatch' });
  for (let at = 1; at < ORDERS_PENDING_MAX; at++) await order();
  await t.rejects(order(), { code: 'too-many-scheduled' });
});

await t.test('an order that cannot be read is told, and bars no other', async (t) => {
  const { order, scheduler, ended, store, pending } = scene();
  await store.schedules.add({ state: '{"from":"the future"}', atMs: NOW_MS }, () => ({
    audit: undefined,
    answer: undefined,
  }));
  await order();
  clock.ms += HOUR_MS;
  await scheduler.look();
  t.match(ended(), [{ id: 's-2', outcome: 'done' }]);
  t.strictSame(pending(), []);
});

await t.test('a process that stops begins nothing', async (t) => {
  const { order, scheduler, pending } = scene();
  await order();
  scheduler.stop();
  clock.ms += HOUR_MS;
  await scheduler.look();
  t.strictSame(pending(), ['s-1']);
});
