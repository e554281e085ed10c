// Rollouts and events in the store: one transaction with the change that they belong to.

import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import type {
  EventDraft,
  StoredRollout,
} from '../../../../../src/control-plane/store/rollout-store.ts';
import type { Store, StoredChange } from '../../../../../src/control-plane/store/store.ts';
import {
  EVENTS_KEPT,
  EVENT_TRIM_ROWS,
  ROLLOUTS_KEPT,
} from '../../../../../src/control-plane/base/control-limits.ts';
import { SqliteEvents } from '../../../../../src/control-plane/store/sqlite/sqlite-events.ts';
import { migrate } from '../../../../../src/control-plane/store/sqlite/sqlite-schema.ts';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import { TestLog } from '../../support/fixtures.ts';

function open(dir: string): Store {
  return openSqliteStore(dir, new TestLog());
}

function rollout(id: string, more: Partial<StoredRollout> = {}): StoredRollout {
  return { id, services: ['shop'], state: '{}', startedAtMs: 1, endedAtMs: undefined, ...more };
}

function event(kind: string, about = ''): EventDraft {
  return { kind, service: 'shop', rollout: about, atMs: 5, data: { kind } };
}

function change(epoch: number, more: Partial<StoredChange>): StoredChange {
  return { epoch, nextDeployment: 1, services: [], records: [], ...more };
}

await t.test('a rollout is stored with its change, or not at all', async (t) => {
  const dir = t.testdir();
  const store = open(dir);
  const first = { rollouts: [rollout('r-1')], events: [event('rollout.started', 'r-1')] };
  await store.commit(change(1, first), { id: 'a', expected: 0 });
  const late = { rollouts: [rollout('r-1', { state: '{"late":1}' })], events: [event('no')] };
  t.match(await store.commit(change(1, late), { id: 'b', expected: 0 }), { kind: 'lost' });
  t.same([...store.state.rollouts.keys()], ['r-1']);
  await store.close();
  const again = open(dir);
  t.same(again.state.rollouts, new Map([['r-1', rollout('r-1')]]));
  t.match(again.events.after(0, 9), [
    { seq: 1, kind: 'rollout.started', data: { kind: 'rollout.started' } },
  ]);
  t.equal(again.events.last(), 1);
  await again.close();
});

await t.test(
  'a transition without a table is stored, too; what is over is not running',
  async (t) => {
    const dir = t.testdir();
    const store = open(dir);
    await store.rollouts.save(rollout('r-1'), { events: [event('a', 'r-1')] });
    await store.rollouts.save(rollout('r-2', { services: ['api', 'shop'] }), {
      events: [],
      mayBeLost: true,
    });
    await store.rollouts.save(rollout('r-1', { state: '{"end":1}', endedAtMs: 9 }), {
      events: [event('b', 'r-1')],
    });
    t.same([...store.state.rollouts.keys()], ['r-2']);
    t.equal(store.rollouts.find('r-1')?.endedAtMs, 9);
    t.equal(store.rollouts.find('r-9'), undefined);
    const ids = (query: Partial<Parameters<typeof store.rollouts.latest>[0]>): string[] =>
      store.rollouts
        .latest({ service: undefined, isOver: undefined, limit: 9, ...query })
        .map(({ id }) => id);
    t.same(ids({}), ['r-2', 'r-1']);
    t.same(ids({ isOver: true }), ['r-1']);
    t.same(ids({ isOver: false }), ['r-2']);
    t.same(ids({ service: 'api' }), ['r-2']);
    t.same(ids({ service: 'sho' }), []);
    t.same(ids({ limit: 1 }), ['r-2']);
    t.match(store.events.ofRollout('r-1', 9), [{ kind: 'a' }, { kind: 'b' }]);
    t.match(store.events.ofRollout('r-1', 1), [{ kind: 'b' }]);
    await store.close();
  },
);

await t.test('only the last rollouts and events are kept; numbers go on', async (t) => {
  const store = open(t.testdir());
  for (let index = 1; index <= ROLLOUTS_KEPT + 3; index++) {
    await store.rollouts.save(rollout(`r-${index}`, { endedAtMs: 1 }), {
      events: [],
      mayBeLost: true,
    });
  }
  t.equal(store.rollouts.find('r-3'), undefined);
  t.ok(store.rollouts.find('r-4'));
  const many = Array.from({ length: EVENTS_KEPT + EVENT_TRIM_ROWS }, () => event('x'));
  await store.events.add(many);
  t.equal(store.events.last(), many.length);
  t.equal(store.events.after(0, 1)[0]?.seq, EVENT_TRIM_ROWS + 1);
  await store.close();
});

await t.test('how far a sink was told is kept', async (t) => {
  const dir = t.testdir();
  const store = open(dir);
  t.equal(store.events.delivered('https://a.test/'), undefined);
  await store.events.setDelivered('https://a.test/', 4);
  await store.events.setDelivered('https://a.test/', 7);
  await store.close();
  const again = open(dir);
  t.equal(again.events.delivered('https://a.test/'), 7);
  await again.close();
});

await t.test('events are found without a look at all of them', (t) => {
  const database = new DatabaseSync(':memory:');
  migrate(database);
  const asked: string[] = [];
  const prepare = database.prepare.bind(database);
  database.prepare = (sql) => {
    asked.push(sql);
    return prepare(sql);
  };
  t.ok(new SqliteEvents(database));
  const selects = asked.filter((sql) => sql.startsWith('SELECT') && sql.includes('FROM events'));
  t.equal(selects.length, 2);
  for (const sql of selects) {
    const plan = prepare(`EXPLAIN QUERY PLAN ${sql}`).all('r-1', 100);
    t.match(plan, [{ detail: /^SEARCH events USING/ }], sql);
  }
  database.close();
  t.end();
});
