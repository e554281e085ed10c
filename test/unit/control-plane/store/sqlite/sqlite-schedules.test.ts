// Orders for later in the store: what is due first comes first, what is over is bounded.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import type { OrderNotes } from '../../../../../src/control-plane/store/schedule-store.ts';
import { ORDERS_KEPT } from '../../../../../src/control-plane/base/control-limits.ts';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import { TestLog } from '../../support/fixtures.ts';

function fails(): never {
  throw new Error('no');
}

const NOTHING = { audit: undefined, answer: undefined };

await t.test('a restart finds what is pending, in the order it is due', async (t) => {
  const dir = t.testdir();
  const store = openSqliteStore(dir, new TestLog());
  const ids: string[] = [];
  for (const atMs of [300, 100, 200, 100]) {
    ids.push(await store.schedules.add({ state: `{"at":${atMs}}`, atMs }, () => NOTHING));
  }
  t.strictSame(ids, ['s-1', 's-2', 's-3', 's-4']);
  const third = store.schedules.find('s-3')!;
  await store.schedules.save({ ...third, state: 'over', endedAtMs: 7 }, NOTHING);
  await store.close();
  const again = openSqliteStore(dir, new TestLog());
  t.strictSame(
    again.schedules.pending().map(({ id }) => id),
    ['s-2', 's-4', 's-1'],
  );
  t.strictSame(again.schedules.over(9), [{ id: 's-3', state: 'over', atMs: 200, endedAtMs: 7 }]);
  for (const id of ['s-9', 's-', '3', 's-3; DROP TABLE schedules', `s-${'9'.repeat(40)}`]) {
    t.equal(again.schedules.find(id), undefined, id);
  }
  await again.close();
});

await t.test('the oldest that are over are forgotten, never one that is pending', async (t) => {
  const store = openSqliteStore(t.testdir(), new TestLog());
  await store.schedules.add({ state: 'pending', atMs: 1 }, () => NOTHING);
  for (let at = 0; at < ORDERS_KEPT + 5; at++) {
    const id = await store.schedules.add({ state: '', atMs: at }, () => NOTHING);
    await store.schedules.save({ id, state: '', atMs: at, endedAtMs: at }, NOTHING);
  }
  t.equal(store.schedules.over(1_000).length, ORDERS_KEPT);
  t.equal(store.schedules.over(1)[0]?.endedAtMs, ORDERS_KEPT + 4);
  t.equal(store.schedules.pending().length, 1);
  await store.close();
});

function told(kind: string, order: string): OrderNotes {
  const event = { kind, service: 'shop', rollout: '', atMs: 1, data: { order } };
  return { events: [event], audit: undefined, answer: undefined };
}

await t.test('what is told of an order is stored with it, or not at all', async (t) => {
  const dir = t.testdir();
  const first = openSqliteStore(dir, new TestLog());
  const at = { state: '', atMs: 1 };
  const id = await first.schedules.add(at, (given) => told('scheduled.ordered', given));
  await first.schedules.save({ ...at, id, endedAtMs: 7 }, told('scheduled.done', id));
  t.match(first.events.after(0, 9), [
    { kind: 'scheduled.ordered', data: { order: id } },
    { kind: 'scheduled.done', data: { order: id } },
  ]);
  await first.close();
  const file = new DatabaseSync(join(dir, 'turnout.db'));
  const deny = `BEGIN SELECT RAISE(ABORT, 'no events'); END`;
  file.exec(`CREATE TRIGGER deny BEFORE INSERT ON events ${deny}`);
  file.close();
  const store = openSqliteStore(dir, new TestLog());
  const adds = store.schedules.add(at, (given) => told('scheduled.ordered', given));
  await t.rejects(adds, /no events/);
  t.strictSame(store.schedules.pending(), []);
  const saves = store.schedules.save({ ...at, id, endedAtMs: 9 }, told('scheduled.done', id));
  await t.rejects(saves, /no events/);
  t.equal(store.schedules.find(id)?.endedAtMs, 7);
  await store.close();
});

await t.test('what cannot be written is not there', async (t) => {
  const store = openSqliteStore(t.testdir(), new TestLog());
  await t.rejects(store.schedules.add({ state: '', atMs: 1 }, fails));
  t.strictSame(store.schedules.pending(), []);
  await store.close();
});
