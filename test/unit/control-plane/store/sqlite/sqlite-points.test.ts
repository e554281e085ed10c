// The series of rollouts in the store: their order, what takes their place, and whose are kept.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { ROLLOUT_SERIES_KEPT } from '../../../../../src/control-plane/base/control-limits.ts';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { Store } from '../../../../../src/control-plane/store/store.ts';
import { TestLog } from '../../support/fixtures.ts';

function open(dir: string): Store {
  return openSqliteStore(dir, new TestLog());
}

async function save(store: Store, id: string, endedAtMs?: number): Promise<void> {
  const rollout = { id, services: ['shop'], state: '{}', startedAtMs: 1, endedAtMs };
  await store.rollouts.save(rollout, { events: [], mayBeLost: true });
}

function draft(rollout: string, points: readonly string[], isOver = false) {
  return { rollout, points, isWhole: false, isOver };
}

await t.test('points of several rollouts are written at once and stay in order', async (t) => {
  const dir = t.testdir();
  const store = open(dir);
  await save(store, 'r-1');
  await save(store, 'r-2');
  await store.points.add([draft('r-1', ['a']), draft('r-2', ['x'])]);
  await store.points.add([draft('r-1', ['b', 'c'])]);
  await store.close();
  const again = open(dir);
  t.strictSame(again.points.of('r-1'), ['a', 'b', 'c']);
  t.strictSame(again.points.of('r-2'), ['x']);
  t.strictSame(again.points.of('r-3'), []);
  await again.points.add([{ ...draft('r-1', ['abc', 'd']), isWhole: true }]);
  t.strictSame(again.points.of('r-1'), ['abc', 'd']);
  t.strictSame(again.points.of('r-2'), ['x'], 'those of others stay');
  await again.close();
});

await t.test('the series of the last rollouts that have one are kept', async (t) => {
  const store = open(t.testdir());
  await save(store, 'r-1');
  await store.points.add([draft('r-1', ['goes on'])]);
  for (let number = 2; number <= ROLLOUT_SERIES_KEPT + 3; number++) {
    await save(store, `r-${number}`, 9);
    await store.points.add([draft(`r-${number}`, ['p'], true)]);
  }
  for (let number = 100; number < 130; number++) await save(store, `r-${number}`, 9);
  await save(store, 'r-200', 9);
  await store.points.add([draft('r-200', ['p'], true)]);
  const kept = (id: string): number => store.points.of(id).length;
  t.equal(kept('r-1'), 1, 'it is not over');
  t.strictSame([kept('r-2'), kept('r-3'), kept('r-4')], [0, 0, 0]);
  t.strictSame([kept('r-5'), kept('r-23'), kept('r-200')], [1, 1, 1]);
  await store.close();
});

await t.test(
  'a file of the schema before gets a place for points, and keeps the rest',
  async (t) => {
    const dir = t.testdir();
    const before = open(dir);
    await save(before, 'r-1');
    await before.close();
    const raw = new DatabaseSync(join(dir, 'turnout.db'));
    const version = Number(raw.prepare('PRAGMA user_version').get()?.['user_version']);
    raw.exec(`DROP TABLE rollout_points; PRAGMA user_version = ${version - 1};`);
    raw.close();
    const store = open(dir);
    t.strictSame([...store.state.rollouts.keys()], ['r-1']);
    await store.points.add([draft('r-1', ['a'])]);
    await store.close();
    const again = open(dir);
    t.strictSame(again.points.of('r-1'), ['a']);
    await again.close();
    const kept = new DatabaseSync(join(dir, `turnout.db.schema-${version - 1}`), {
      readOnly: true,
    });
    t.match(kept.prepare('SELECT id FROM rollouts').all(), [{ id: 'r-1' }], 'as it was');
    kept.close();
  },
);
