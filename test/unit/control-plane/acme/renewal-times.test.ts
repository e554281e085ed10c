// When certificates are renewed and how long a failure waits, for lives of every length.

import * as fc from 'fast-check';
import t from 'tap';
import { renewalMs, triesNow, waitMs } from '../../../../src/control-plane/acme/renewal-times.ts';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
function limited(retryAfterMs: number | undefined, isRateLimited: boolean, failures = 1): number {
  return waitMs({ failures, isRateLimited, retryAfterMs }, undefined, 0.5);
}

const chances = fc.double({ min: 0, max: 1, noNaN: true });

await t.test(
  'a certificate of 90 days is renewed after 60 days, 5 % earlier or later',
  async (t) => {
    const life = { notBeforeMs: NOW, notAfterMs: NOW + 90 * DAY };
    t.equal(renewalMs(life, NOW, 0.5), NOW + 60 * DAY);
    t.equal(renewalMs(life, NOW, 0), NOW + 57 * DAY);
    t.equal(renewalMs(life, NOW, 1), NOW + 63 * DAY);
  },
);

await t.test(
  'whatever its life, a renewal has a quarter of it left, and is not begun at once',
  async () => {
    fc.assert(
      fc.property(fc.integer({ min: 10_000, max: 400 * DAY }), chances, (wholeMs, chance) => {
        const life = { notBeforeMs: NOW, notAfterMs: NOW + wholeMs };
        const atMs = renewalMs(life, NOW, chance) - NOW;
        return atMs <= wholeMs * 0.75 && atMs >= wholeMs * 0.63;
      }),
    );
  },
);

await t.test(
  'a certificate that is old when it comes is not ordered again within six hours',
  async (t) => {
    const life = { notBeforeMs: NOW - 80 * DAY, notAfterMs: NOW + 10 * DAY };
    t.equal(renewalMs(life, NOW, 0.5), NOW + 6 * HOUR);
    const never = { notBeforeMs: NOW, notAfterMs: NOW - DAY };
    t.equal(renewalMs(never, NOW, 0.5), NOW, 'one that is never valid is due');
  },
);

await t.test('failures wait 1, 3, 9 minutes and so on, up to six hours', async (t) => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 20].map(
    (failures) =>
      waitMs({ failures, isRateLimited: false, retryAfterMs: undefined }, undefined, 0.5) / MINUTE,
  );
  t.same(waits, [1, 3, 9, 27, 81, 243, 360, 360]);
  const six = waits.slice(0, 5).reduce((sum, wait) => sum + wait, 0);
  t.ok(six > 60, 'the sixth try comes after the hour in which five are let in');
});

await t.test(
  'a short life has short waits, so that there are several tries before it ends',
  async (t) => {
    const life = { notBeforeMs: NOW, notAfterMs: NOW + DAY };
    const failure = { failures: 9, isRateLimited: false, retryAfterMs: undefined };
    t.equal(waitMs(failure, life, 0.5), HOUR);
    const shorter = { notBeforeMs: NOW, notAfterMs: NOW + HOUR };
    t.equal(waitMs(failure, shorter, 0.5), 2.5 * MINUTE);
  },
);

await t.test(
  'an authority is left alone for as long as it asks, but for a day at most',
  async (t) => {
    t.equal(limited(2 * HOUR, true), 2 * HOUR);
    t.equal(limited(2 * HOUR, false), 2 * HOUR);
    t.equal(limited(undefined, true), HOUR);
    t.equal(limited(1_000, true), MINUTE);
    t.equal(limited(1_000, true, 20), 6 * HOUR, 'not more often than after any other failure');
    t.equal(limited(365 * DAY, true), DAY);
  },
);

await t.test(
  'a clock that was set back begins a wait again, and no longer than a day',
  async (t) => {
    const tries = { lastTryMs: NOW, nextTryMs: NOW + HOUR };
    t.same(triesNow(tries, NOW), tries);
    t.same(triesNow(tries, NOW + DAY), tries);
    const earlier = NOW - 1_000 * DAY;
    t.same(triesNow(tries, earlier), { lastTryMs: earlier, nextTryMs: earlier + HOUR });
    const odd = { lastTryMs: NOW, nextTryMs: NOW + 9_000 * DAY };
    t.same(triesNow(odd, earlier), { lastTryMs: earlier, nextTryMs: earlier + DAY });
  },
);
