// How much of something bounded each may use.

import t from 'tap';
import { Allowance } from '../../../../src/control-plane/base/allowance.ts';

await t.test('each has so much at once, and one more from time to time', async (t) => {
  const allowance = new Allowance({ most: 2, everyMs: 1_000, payersMax: 10 });
  const takes = (payer: string, nowMs: number): boolean => allowance.take(payer, nowMs);
  t.same([takes('a', 0), takes('a', 0), takes('a', 0), takes('b', 0)], [true, true, false, true]);
  t.same([allowance.waitMs('a', 0), allowance.waitMs('a', 400)], [1_000, 600]);
  t.equal(allowance.waitMs('c', 0), 0);
  t.same([takes('a', 999), takes('a', 1_000), takes('a', 1_000)], [false, true, false]);
  t.same([takes('a', 1e9), takes('a', 1e9), takes('a', 1e9)], [true, true, false], 'never more');
});

await t.test('a clock that was set back brings nothing and costs nothing', async (t) => {
  const allowance = new Allowance({ most: 1, everyMs: 1_000, payersMax: 10 });
  t.equal(allowance.take('a', 1_000_000), true);
  t.equal(allowance.take('a', 0), false);
  t.equal(allowance.take('a', 1_001_000), true);
});

await t.test('of too many, who has not paid for longest is forgotten', async (t) => {
  const allowance = new Allowance({ most: 1, everyMs: 1_000, payersMax: 2 });
  for (const payer of ['a', 'b', 'c']) allowance.take(payer, 0);
  t.same([allowance.waitMs('a', 0), allowance.waitMs('b', 0)], [0, 1_000]);
});
