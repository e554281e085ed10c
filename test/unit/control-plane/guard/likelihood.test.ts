// Likelihood ratios: numbers that were worked out beforehand, and the theorem that the bets rest on.

import t from 'tap';
import { levelOf } from '../../../../src/control-plane/guard/baseline.ts';
import {
  betValue,
  grownWealth,
  newBet,
  nextBet,
  type Bet,
} from '../../../../src/control-plane/guard/bet.ts';
import {
  FLOOR_ODDS,
  floorRatios,
  PASS_PARTS,
  passRatios,
  passSideBySideRatios,
  RATIO_STEPS,
  sideBySideRatios,
  type Tallies,
  type Tally,
} from '../../../../src/control-plane/guard/likelihood.ts';

const TICKS = 600;
const CAP = 2;

/** Returns the values of a bet after the ticks that `wanted` names, each to six digits. */
function valuesAfter(
  start: Bet,
  wanted: readonly number[],
  logRatiosOf: (tick: number) => readonly number[] | undefined,
  cap: number = CAP,
): string[] {
  let bet = start;
  const values: string[] = [];
  for (let tick = 1; tick <= Math.max(...wanted); tick++) {
    bet = nextBet(bet, { logRatios: logRatiosOf(tick), cap, isPaused: false });
    if (wanted.includes(tick)) values.push(betValue(bet).toPrecision(6));
  }
  return values;
}

const BASELINE = levelOf(Array.from({ length: 60 }, () => ({ judged: 1_000, bad: 1 })));

await t.test('the upper bound of a baseline is the one that was worked out', async (t) => {
  t.equal(BASELINE.rate, 0.001);
  t.equal(BASELINE.upper.toPrecision(12), '0.00160861695635');
});

await t.test('before and after gives the golden values', async (t) => {
  const after = [1, 2, 4, 5, 6, 8, 10, 12, 14, 16];
  const tolerated = Math.max(0.01, 2 * BASELINE.upper);
  const values = valuesAfter(newBet(FLOOR_ODDS.length, TICKS), after, () =>
    floorRatios(tolerated, { judged: 100, bad: 5 }),
  );
  const first = ['0.600000', '1.20000', '4.80000', '9.60420', '19.2050'];
  const last = ['76.8202', '307.285', '1229.13', '4916.53', '19666.1'];
  t.strictSame(values, [...first, ...last]);
});

/** The new release fails one request of ten in each odd tick. */
function freshIn(tick: number): Tally {
  return { judged: 10, bad: tick % 2 };
}

await t.test('side by side gives the golden values', async (t) => {
  const after = [1, 5, 10, 20, 30];
  const ratio = valuesAfter(newBet(RATIO_STEPS.length, TICKS), after, (tick) =>
    sideBySideRatios(2, { old: { judged: 90, bad: tick % 10 === 0 ? 1 : 0 }, new: freshIn(tick) }),
  );
  const floor = valuesAfter(newBet(FLOOR_ODDS.length, TICKS), after, (tick) =>
    floorRatios(0.01, freshIn(tick)),
  );
  t.strictSame(ratio, ['0.933929', '3.42207', '5.68310', '97.7440', '1935.13']);
  t.strictSame(floor, ['0.729625', '1.07677', '1.96394', '19.4021', '205.073']);
});

await t.test('the pass bet gives the golden values', async (t) => {
  let wealth: readonly number[] = PASS_PARTS.map(() => 1 / PASS_PARTS.length);
  const values: string[] = [];
  for (let tick = 1; tick <= 160; tick++) {
    wealth = grownWealth(wealth, passRatios(0.02, { judged: 1, bad: 0 }), Infinity);
    if (tick === 150 || tick === 160) values.push(betValue({ wealth }).toPrecision(6));
  }
  t.strictSame(values, ['10.9079', '12.8342']);
});

/** Exact means of exp(logRatio), one for each alternative, over all counts that two releases can show. */
function meansOf(
  old: Release,
  fresh: Release,
  logRatiosOf: (tallies: Tallies) => readonly number[] | undefined,
): number[] {
  const means: number[] = [];
  for (let oldBad = 0; oldBad <= old.judged; oldBad++) {
    for (let freshBad = 0; freshBad <= fresh.judged; freshBad++) {
      const chance = binomial(old, oldBad) * binomial(fresh, freshBad);
      const logRatios = logRatiosOf({
        old: { judged: old.judged, bad: oldBad },
        new: { judged: fresh.judged, bad: freshBad },
      });
      for (const index of RATIO_STEPS.keys()) {
        means[index] = (means[index] ?? 0) + chance * Math.exp(logRatios?.[index] ?? 0);
      }
    }
  }
  return means;
}

interface Release {
  readonly judged: number;
  readonly rate: number;
}

function binomial({ judged, rate }: Release, bad: number): number {
  let log = bad * Math.log(rate) + (judged - bad) * Math.log1p(-rate);
  for (let index = 1; index <= bad; index++) log += Math.log((judged - bad + index) / index);
  return Math.exp(log);
}

const TICK_SIZES = [
  { old: 1, fresh: 1 },
  { old: 9, fresh: 1 },
  { old: 1, fresh: 9 },
  { old: 5, fresh: 5 },
  { old: 20, fresh: 20 },
  { old: 45, fresh: 5 },
  { old: 60, fresh: 3 },
  { old: 8, fresh: 32 },
];
const BASE_RATES = [0.0001, 0.001, 0.01, 0.05, 0.15, 0.3, 0.45];
const RATIOS = [1, 1.5, 2, 3];
/** Sums of thousands of floats are right to about this. */
const ROUNDING = 1e-9;

/** Tick sizes × base rates × ratios × kinds of ratio, where there is such a rate. */
const PAIRS = TICK_SIZES.flatMap((sizes) =>
  BASE_RATES.flatMap((rate) =>
    RATIOS.flatMap((ratio) => {
      const odds = (rate / (1 - rate)) * ratio;
      return [rate * ratio, odds / (1 + odds)]
        .filter((freshRate) => freshRate < 1)
        .map((freshRate) => ({
          ratio,
          old: { judged: sizes.old, rate },
          fresh: { judged: sizes.fresh, rate: freshRate },
        }));
    }),
  ),
);

await t.test('a release that is just tolerated is not expected to lose side by side', async (t) => {
  const means = PAIRS.flatMap(({ ratio, old, fresh }) =>
    meansOf(old, fresh, (tallies) => sideBySideRatios(ratio, tallies)),
  );
  const highest = Math.max(...means);
  t.ok(highest <= 1 + ROUNDING, `the highest mean is ${highest}`);
  t.ok(highest > 0.9999, 'and nothing is given away');
});

await t.test('a release that is just bad is not expected to pass side by side', async (t) => {
  // A ratio of odds is a smaller ratio of rates: not as bad as this.
  const bad = PAIRS.filter(({ ratio, old, fresh }) => fresh.rate >= old.rate * ratio);
  const means = bad.flatMap(({ ratio, old, fresh }) =>
    meansOf(old, fresh, (tallies) => passSideBySideRatios(ratio, tallies)),
  );
  const highest = Math.max(...means);
  t.ok(highest <= 1 + ROUNDING, `the highest mean is ${highest}`);
});

await t.test(
  'a release that is no worse than tolerated is not expected to lose alone',
  async (t) => {
    for (const judged of [1, 3, 10, 100]) {
      for (const tolerated of [0.001, 0.01, 0.1, 0.5, 0.9]) {
        for (const part of [0.1, 0.5, 1]) {
          const rate = tolerated * part;
          const means = FLOOR_ODDS.map(() => 0);
          for (let bad = 0; bad <= judged; bad++) {
            const chance = binomial({ judged, rate }, bad);
            for (const [index, log] of floorRatios(tolerated, { judged, bad })!.entries()) {
              means[index]! += chance * Math.exp(log);
            }
          }
          t.ok(
            Math.max(...means) <= 1 + ROUNDING,
            `${judged} at ${rate} of ${tolerated}: ${means.join(', ')}`,
          );
        }
      }
    }
  },
);

await t.test('a bad release is not expected to pass', async (t) => {
  for (const judged of [1, 10, 100]) {
    for (const [badRate, rate] of [
      [0.02, 0.02],
      [0.02, 0.05],
      [0.4, 0.9],
    ] as const) {
      const means = PASS_PARTS.map(() => 0);
      for (let bad = 0; bad <= judged; bad++) {
        const chance = binomial({ judged, rate }, bad);
        for (const [index, log] of passRatios(badRate, { judged, bad })!.entries()) {
          means[index]! += chance * Math.exp(log);
        }
      }
      t.ok(Math.max(...means) <= 1 + ROUNDING, `${judged} at ${rate}: ${means.join(', ')}`);
    }
  }
});

await t.test('what can decide nothing says nothing', async (t) => {
  const none = { judged: 0, bad: 0 };
  const some = { judged: 5, bad: 1 };
  const well = { judged: 5, bad: 0 };
  t.equal(floorRatios(0.01, none), undefined);
  t.equal(floorRatios(1.2, some), undefined, 'everything is tolerated');
  t.equal(sideBySideRatios(2, { old: well, new: well }), undefined);
  t.equal(sideBySideRatios(2, { old: none, new: some }), undefined);
  t.equal(sideBySideRatios(2, { old: some, new: none }), undefined);
  t.equal(passRatios(0.02, none), undefined);
});
