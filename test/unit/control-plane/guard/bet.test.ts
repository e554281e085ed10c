// A bet: its stakes sum to 1, its cap belongs to each alternative, and a long pause leaves something to stake.

import t from 'tap';
import {
  betValue,
  grownWealth,
  newBet,
  nextBet,
  type Bet,
  type TickOutcome,
} from '../../../../src/control-plane/guard/bet.ts';

const SILENCE: TickOutcome = { logRatios: undefined, cap: 2, isPaused: false };

function total(bet: Bet): number {
  return betValue(bet) + bet.left;
}

function afterTicks(start: Bet, ticks: number, outcome = SILENCE): Bet {
  let bet = start;
  for (let tick = 0; tick < ticks; tick++) bet = nextBet(bet, outcome);
  return bet;
}

await t.test('half of the stake is placed at once, the rest by the end of the plan', async (t) => {
  for (const planned of [0, 1, 9, 10, 60, 600, 3_333]) {
    const start = newBet(5, planned);
    t.equal(betValue(start), 0.5);
    const last = afterTicks(start, Math.max(10, planned));
    t.ok(Math.abs(betValue(last) - 1) < 1e-9, `${planned} ticks: ${betValue(last)} is placed`);
    t.ok(Math.abs(last.left) < 1e-9, `${planned} ticks: ${last.left} is left`);
  }
});

await t.test('no more than 1 is ever placed', async (t) => {
  const last = afterTicks(newBet(5, 60), 5_000);
  t.ok(betValue(last) <= 1 + 1e-9, `${betValue(last)}`);
});

await t.test('the cap holds for each alternative, not for the sum', async (t) => {
  const start = newBet(2, 600);
  const outcome = { logRatios: [Math.log(100), Math.log(0.1)], cap: 2, isPaused: false };
  // One alternative doubles, the other one loses nine tenths: no bound from below.
  t.ok(Math.abs(betValue(nextBet(start, outcome)) - (0.25 * 2 + 0.25 * 0.1)) < 1e-12);
});

await t.test('a pause never uses up the stake', async (t) => {
  const tenHours = afterTicks(newBet(5, 600), 36_000, { ...SILENCE, isPaused: true });
  t.ok(tenHours.left > 1e-3, `${tenHours.left} is left after ten hours`);
  t.ok(total(tenHours) <= 1 + 1e-9);
});

await t.test('after the end of the plan, a pause stakes what is left of the wealth', async (t) => {
  const over = afterTicks(newBet(5, 20), 20);
  t.equal(over.left, 0);
  const paused = afterTicks(over, 5, { ...SILENCE, isPaused: true });
  t.ok(paused.left > 0);
  t.ok(Math.abs(total(paused) - total(over)) < 1e-9, 'and nothing is added to it');
});

await t.test('a regression in the tenth hour of a pause costs some seconds more', async (t) => {
  const good = { logRatios: [-1, -2, -3, -4, -5], cap: 2, isPaused: true };
  const bad = { logRatios: [3, 3, 3, 3, 3], cap: 2, isPaused: true };
  let bet = afterTicks(newBet(5, 600), 36_000, good);
  let seconds = 0;
  for (; betValue(bet) < 1_000; seconds++) bet = nextBet(bet, bad);
  t.ok(seconds < 35, `found after ${seconds} s`);
});

await t.test('wealth stays a number, however long it grows', async (t) => {
  const bad = { logRatios: [1e15, 1e15], cap: 3, isPaused: false };
  t.ok(Number.isFinite(betValue(afterTicks(newBet(2, 600), 5_000, bad))));
  t.ok(grownWealth([0, 1], [1e15, 1e15], Infinity).every(Number.isFinite), 'without a cap too');
  t.strictSame(grownWealth([1], [-1e15], Infinity), [0]);
});
