// Where sessions have their place, and which of them a share takes.

import * as fc from 'fast-check';
import t from 'tap';
import { mixed, textHash } from '../../../../../src/base/hashes.ts';
import type { Ramp, Split } from '../../../../../src/contract/table.ts';
import { NOWHERE } from '../../../../../src/data-plane/routing/table/routed-service.ts';
import { newSessionId } from '../../../../../src/data-plane/routing/tokens/session-token.ts';
import { RoutedSplit } from '../../../../../src/data-plane/routing/table/split.ts';

const SPLIT: Split = {
  deployment: 21,
  salt: mixed(7),
  sinceS: 1_000,
  share: 1_000,
  ramp: undefined,
  sessions: 'new',
  by: 'session',
};

function splitOf(changes: Partial<Split> = {}, hasSessions = true): RoutedSplit {
  return new RoutedSplit({ ...SPLIT, ...changes }, NOWHERE, hasSessions);
}

/** Sessions as they are drawn. */
const HASHES = Array.from({ length: 65_536 }, () => textHash(newSessionId()));

function takenBy(split: RoutedSplit, nowMs = 0): number[] {
  return HASHES.filter((hash) => split.takes(hash, nowMs));
}

await t.test('a share takes so many sessions, whatever the salt', async (t) => {
  for (const epoch of [1, 2, 3, 70, 1_000_000]) {
    for (const share of [100, 1_000, 2_500, 5_000, 9_900]) {
      const part = takenBy(splitOf({ salt: mixed(epoch), share })).length / HASHES.length;
      // Six standard deviations: right in all runs but one of a billion.
      const error = 6 * Math.sqrt(((share / 1e4) * (1 - share / 1e4)) / HASHES.length);
      t.ok(Math.abs(part - share / 1e4) < error, `${share} by ${epoch}: ${part}`);
    }
  }
  t.equal(takenBy(splitOf({ share: 0 })).length, 0);
  t.equal(takenBy(splitOf({ share: 10_000 })).length, HASHES.length);
});

await t.test('places are spread evenly', async (t) => {
  const cells = new Float64Array(64);
  for (const hash of HASHES) cells[mixed(hash ^ SPLIT.salt) >>> 26]! += 1;
  const expected = HASHES.length / cells.length;
  const chi2 = cells.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // 63 degrees of freedom: above it once in a billion runs.
  t.ok(chi2 < 152, `${chi2}`);
});

await t.test('a share that grows takes more and gives none back', async (t) => {
  const share = fc.integer({ min: 0, max: 10_000 });
  const hash = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const salt = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(share, share, hash, salt, (a, b, one, by) => {
      const small = splitOf({ salt: by, share: Math.min(a, b) });
      const large = splitOf({ salt: by, share: Math.max(a, b) });
      return !small.takes(one, 0) || large.takes(one, 0);
    }),
  );
  t.pass();
});

await t.test('two rollouts begin with other sessions', async (t) => {
  const [first, second] = [splitOf({ salt: mixed(41) }), splitOf({ salt: mixed(42) })];
  const both = takenBy(first).filter((hash) => second.takes(hash, 0)).length;
  const overlap = both / takenBy(first).length;
  t.ok(overlap > 0.07 && overlap < 0.13, `a tenth of a tenth: ${overlap}`);
});

await t.test('on a ramp, sessions move one by one and only forwards', async (t) => {
  const ramp: Ramp = { from: 0, startsAtMs: 1_000, endsAtMs: 11_000 };
  const up = splitOf({ share: 10_000, ramp });
  const few = HASHES.slice(0, 500);
  const moves = few.map((hash) => {
    const taken = Array.from({ length: 13 }, (_, second) => up.takes(hash, second * 1_000));
    return taken.filter((is, index) => is !== taken[index - 1]).length;
  });
  t.ok(
    moves.every((count) => count === 2),
    'not at first, then for good',
  );
  t.ok(!up.isShrinking);
  const halfway = few.filter((hash) => up.takes(hash, 6_000)).length / few.length;
  t.ok(halfway > 0.35 && halfway < 0.65, `${halfway}`);
  const down = splitOf({ share: 0, ramp: { ...ramp, from: 10_000 } });
  t.ok(down.isShrinking);
  t.ok(few.every((hash) => down.takes(hash, 0) && !down.takes(hash, 11_000)));
});

await t.test('requests by themselves are placed evenly, however few there are', async (t) => {
  for (const share of [1_000, 2_500, 5_000]) {
    const split = splitOf({ share, by: 'request' });
    let taken = 0;
    for (let count = 1; count <= 2_000; count++) {
      if (split.takesNext(0)) taken++;
      if (count >= 100) {
        const error = Math.abs(taken / count - share / 10_000);
        if (error > 0.02) t.fail(`${share}: ${taken} of ${count}`);
      }
    }
    t.ok(Math.abs(taken / 2_000 - share / 10_000) < 0.002, `${taken} of 2000`);
  }
});

await t.test('where there are no sessions, requests are placed', async (t) => {
  t.equal(splitOf({}, false).by, 'request');
  t.equal(splitOf({ by: 'address' }, false).by, 'address', 'an address needs no cookie');
  t.equal(splitOf({ by: 'request' }).by, 'request');
});

await t.test('what it has placed are sessions since it began, or all that move', async (t) => {
  t.strictSame(
    [999, 1_000].map((issuedS) => splitOf().hasPlaced(issuedS)),
    [false, true],
  );
  t.ok(splitOf({ sessions: 'all' }).hasPlaced(0));
});
