// The share of a split at a moment.

import t from 'tap';
import { shareAt } from '../../../src/contract/split-share.ts';

await t.test('a share without a ramp is the same at all times', async (t) => {
  for (const nowMs of [0, 5_000, Infinity]) {
    t.equal(shareAt({ share: 2_500, ramp: undefined }, nowMs), 2_500);
  }
});

await t.test('a share on a ramp goes evenly from one value to the other', async (t) => {
  const ramp = { from: 1_000, startsAtMs: 10_000, endsAtMs: 20_000 };
  const shares = [0, 10_000, 12_500, 15_000, 19_999, 20_000, 99_000].map((nowMs) =>
    Math.round(shareAt({ share: 9_000, ramp }, nowMs)),
  );
  t.strictSame(shares, [1_000, 1_000, 3_000, 5_000, 8_999, 9_000, 9_000]);
  const down = { from: 10_000, startsAtMs: 0, endsAtMs: 100 };
  t.equal(shareAt({ share: 0, ramp: down }, 75), 2_500, 'also downwards');
  const jump = { from: 0, startsAtMs: 5, endsAtMs: 5 };
  t.equal(shareAt({ share: 7, ramp: jump }, 5), 7, 'a ramp without length is a jump');
  t.equal(shareAt({ share: 7, ramp: jump }, 4), 0);
});
