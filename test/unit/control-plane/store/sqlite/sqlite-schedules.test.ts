// Orders for later in the store: what is due first comes first, what is over is bounded.

import t from 'tap';
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

await t.test('what cannot be written is not there', async (t) => {
  const store = openSqliteStore(t.testdir(), new TestLog());
  await t.rejects(store.schedules.add({ state: '', atMs: 1 }, fails));
  t.strictSame(store.schedules.pending(), []);
  await store.close();
});
