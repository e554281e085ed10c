// Which clients keep a hold waiting in vain.

import t from 'tap';
import type { Progress } from '../../../../src/data-plane/base/progress.ts';
import { isTooSlow, SLOWEST_BYTES_PER_SECOND } from '../../../../src/data-plane/drains/slowness.ts';

/** Ten seconds have gone by, ten are left. */
const HALF = { elapsedMs: 10_000, restMs: 10_000 };

function upload(leftBytes: number | undefined, changes: Partial<Progress> = {}): Progress {
  return { waitsFor: 'upload', movedBytes: 0, leftBytes, ...changes };
}

await t.test('where the length is known, the question is whether it ends in time', async (t) => {
  const cases: [what: string, left: number, moved: number, isSlow: boolean][] = [
    ['one byte a second, and 100,000 to come', 100_000, 10, true],
    ['one byte a second, and ten to come', 10, 10, false],
    ['one byte a second, and eleven to come', 11, 10, true],
    ['it stands still, and one byte is to come', 1, 0, true],
    ['as much to come as has come', 5_000_000, 5_000_000, false],
    ['one byte more to come than has come', 5_000_001, 5_000_000, true],
  ];
  for (const [what, left, movedBytes, isSlow] of cases) {
    t.equal(isTooSlow(upload(left), { ...HALF, movedBytes }), isSlow, what);
    const reader = upload(left, { waitsFor: 'reader' });
    t.equal(isTooSlow(reader, { ...HALF, movedBytes }), isSlow, `${what}, for a reader`);
  }
});

await t.test('where it is not, a least rate decides', async (t) => {
  const least = SLOWEST_BYTES_PER_SECOND * 10;
  for (const waitsFor of ['upload', 'reader'] as const) {
    const progress = upload(undefined, { waitsFor });
    t.equal(isTooSlow(progress, { ...HALF, movedBytes: least }), false);
    t.equal(isTooSlow(progress, { ...HALF, movedBytes: least - 1 }), true);
  }
});

await t.test('a request that waits for its target is never too slow', async (t) => {
  const poll: Progress = { waitsFor: 'target', movedBytes: 0, leftBytes: undefined };
  t.equal(isTooSlow(poll, { ...HALF, movedBytes: 0 }), false);
});

await t.test('where no time is left, all that is not there is too slow', async (t) => {
  const none = { elapsedMs: 0, restMs: 0, movedBytes: 1_000_000 };
  t.equal(isTooSlow(upload(1), none), true);
});
