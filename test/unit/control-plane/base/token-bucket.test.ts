// How much of something bounded each may use.

import t from 'tap';
import { TokenBuckets } from '../../../../src/control-plane/base/token-bucket.ts';

await t.test('each has so much at once, and one more from time to time', async (t) => {
  const buckets = new TokenBuckets({ most: 2, everyMs: 1_000, bucketsMax: 10 });
  const takes = (owner: string, nowMs: number): boolean => buckets.take(owner, nowMs);
  t.same([takes('a', 0), takes('a', 0), takes('a', 0), takes('b', 0)], [true, true, false, true]);
  t.same([buckets.waitMs('a', 0), buckets.waitMs('a', 400)], [1_000, 600]);
  t.equal(buckets.waitMs('c', 0), 0);
  t.same([takes('a', 999), takes('a', 1_000), takes('a', 1_000)], [false, true, false]);
  t.same([takes('a', 1e9), takes('a', 1e9), takes('a', 1e9)], [true, true, false], 'never more');
});

await t.test('a clock that was set back brings nothing and costs nothing', async (t) => {
  const buckets = new TokenBuckets({ most: 1, everyMs: 1_000, bucketsMax: 10 });
  t.equal(buckets.take('a', 1_000_000), true);
  t.equal(buckets.take('a', 0), false);
  t.equal(buckets.take('a', 1_001_000), true);
});

await t.test('of too many, who has not paid for longest is forgotten', async (t) => {
  const buckets = new TokenBuckets({ most: 1, everyMs: 1_000, bucketsMax: 2 });
  for (const owner of ['a', 'b', 'c']) buckets.take(owner, 0);
  t.same([buckets.waitMs('a', 0), buckets.waitMs('b', 0)], [0, 1_000]);
});
