// When many connections are closed: evenly, with a cap, after a wait or at once.

import { mock } from 'node:test';
import * as fc from 'fast-check';
import t from 'tap';
import {
  ClosingPace,
  dueTimes,
  type Closable,
  type Pace,
} from '../../../../src/data-plane/drains/closing-pace.ts';
import { Random } from '../../../support/random.ts';

const SPREAD: Pace = { longLived: 'spread', windowMs: 10_000, closesPerSecond: 0 };
const CUT: Pace = { longLived: 'cut', windowMs: 10_000, closesPerSecond: 0 };
const LINGER: Pace = { longLived: 'linger', windowMs: 10_000, closesPerSecond: 0 };

/** Returns how many of `times` lie in each slice of `sliceMs`, up to the last one. */
function perSlice(times: readonly number[], sliceMs: number): number[] {
  const counts: number[] = Array.from(
    { length: Math.floor(Math.max(...times) / sliceMs) + 1 },
    () => 0,
  );
  for (const time of times) counts[Math.floor(time / sliceMs)]! += 1;
  return counts;
}

const PACE = fc.record({
  longLived: fc.constantFrom('linger', 'spread', 'cut'),
  windowMs: fc.integer({ min: 0, max: 600_000 }),
  closesPerSecond: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000 })),
});

await t.test('due times ascend, none is in the past, and there is one for each', async () => {
  fc.assert(
    fc.property(PACE, fc.nat(300), fc.nat(), (pace, count, seed) => {
      const random = new Random(seed);
      const times = dueTimes(count, pace, () => random.fraction());
      const isOrdered = times.every((time, i) => time >= (times[i - 1] ?? 0));
      return times.length === count && isOrdered && times.every(Number.isFinite);
    }),
  );
});

await t.test('no second has more closes than the cap allows', async () => {
  const capped = PACE.map((pace) => ({ ...pace, closesPerSecond: pace.closesPerSecond || 7 }));
  fc.assert(
    fc.property(capped, fc.nat(300), fc.nat(), (pace, count, seed) => {
      const random = new Random(seed);
      const times = dueTimes(count, pace, () => random.fraction());
      // Each share has one close in it, and a second touches one share more than fit into it.
      const most = pace.closesPerSecond + 1;
      return times.every((time, i) => (times[i + most] ?? Infinity) - time >= 999.999);
    }),
  );
});

await t.test('spread fills its window evenly', async (t) => {
  const seed = Date.now();
  const random = new Random(seed);
  const times = dueTimes(5_000, SPREAD, () => random.fraction());
  t.ok(times.at(-1)! < 10_000, 'the last one is inside');
  const counts = perSlice(times, 100);
  t.equal(counts.length, 100);
  t.ok(
    counts.every((count) => count >= 49 && count <= 51),
    `seed ${seed}: ${counts.join()}`,
  );
});

await t.test(
  'spread is at random inside each share, so that two workers do not meet',
  async (t) => {
    t.strictSame(
      dueTimes(4, SPREAD, () => 0),
      [0, 2_500, 5_000, 7_500],
    );
    t.strictSame(
      dueTimes(4, SPREAD, () => 0.5),
      [1_250, 3_750, 6_250, 8_750],
    );
  },
);

await t.test('the cap wins over the window', async (t) => {
  const times = dueTimes(100, { ...SPREAD, windowMs: 1_000, closesPerSecond: 10 }, () => 0);
  t.equal(times.at(-1), 9_900);
  const loose = dueTimes(100, { ...SPREAD, windowMs: 10_000, closesPerSecond: 1_000 }, () => 0);
  t.equal(loose.at(-1), 9_900, 'and does nothing where the window is wide enough');
});

await t.test('linger waits for its window, then closes as fast as the cap allows', async (t) => {
  t.strictSame(
    dueTimes(3, LINGER, () => 0.9),
    [10_000, 10_000, 10_000],
  );
  t.strictSame(
    dueTimes(3, { ...LINGER, closesPerSecond: 10 }, () => 0.9),
    [10_000, 10_100, 10_200],
  );
});

await t.test('cut closes at once, or as fast as the cap allows', async (t) => {
  t.strictSame(
    dueTimes(3, CUT, () => 0.9),
    [0, 0, 0],
  );
  t.strictSame(
    dueTimes(3, { ...CUT, closesPerSecond: 4 }, () => 0.9),
    [0, 250, 500],
  );
});

await t.test('nothing to close is never due', async (t) => {
  for (const pace of [SPREAD, CUT, LINGER]) t.strictSame(dueTimes(0, pace, Math.random), []);
});

/** A pace whose clock and timers only the test moves. */
class Clocked {
  readonly pace = new ClosingPace();
  readonly closed: string[] = [];
  /** Names of those that can't be closed in order. */
  broken: readonly string[] = [];
  readonly faults: unknown[] = [];
  #nowMs = 0;

  constructor() {
    mock.timers.enable({ apis: ['setTimeout'] });
    mock.method(performance, 'now', () => this.#nowMs);
  }

  add(block: number, names: readonly string[], pace: Pace): void {
    const closables = names.map((name): Closable => ({
      endGently: () => {
        if (this.broken.includes(name)) throw new Error(`${name} is broken`);
        this.closed.push(name);
      },
      onFault: (error) => this.faults.push(error),
    }));
    this.pace.add(block, closables, pace);
  }

  /** Time goes by in which the thread does nothing. */
  standStill(ms: number): void {
    this.#nowMs += ms;
  }

  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 10) {
      this.#nowMs += Math.min(left, 10);
      mock.timers.tick(Math.min(left, 10));
    }
  }
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

t.afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

await t.test('each is closed once, within the window', async (t) => {
  const clocked = new Clocked();
  clocked.add(1, names('a', 100), SPREAD);
  clocked.pass(5_000);
  t.ok(Math.abs(clocked.closed.length - 50) <= 1, `${clocked.closed.length} at half time`);
  clocked.pass(5_010);
  t.strictSame(clocked.closed.toSorted(), names('a', 100).toSorted());
});

await t.test('what is due at once is closed within the call', async (t) => {
  const clocked = new Clocked();
  clocked.add(1, names('a', 3), CUT);
  t.equal(clocked.closed.length, 3);
});

await t.test('linger closes nothing before its time', async (t) => {
  const clocked = new Clocked();
  clocked.add(1, names('a', 3), LINGER);
  clocked.pass(9_990);
  t.equal(clocked.closed.length, 0);
  clocked.pass(20);
  t.equal(clocked.closed.length, 3);
});

await t.test('the order is at random', async (t) => {
  const clocked = new Clocked();
  const given = names('a', 50);
  clocked.add(1, given, CUT);
  t.notSame(clocked.closed, given, 'one in 50! times it would be the same');
  t.strictSame(clocked.closed.toSorted(), given.toSorted());
});

await t.test('cancel forgets those of its block alone', async (t) => {
  const clocked = new Clocked();
  clocked.add(1, names('a', 20), SPREAD);
  clocked.add(2, names('b', 20), { ...SPREAD, windowMs: 5_000 });
  clocked.pass(2_500);
  const before = clocked.closed.filter((name) => name.startsWith('a')).length;
  clocked.pace.cancel(1);
  clocked.pass(20_000);
  const [a, b] = ['a', 'b'].map(
    (prefix) => clocked.closed.filter((name) => name.startsWith(prefix)).length,
  );
  t.equal(a, before, 'a rollback keeps what was not closed yet');
  t.equal(b, 20);
});

await t.test('what is added later may be due earlier', async (t) => {
  const clocked = new Clocked();
  clocked.add(1, ['late'], LINGER);
  clocked.pass(1_000);
  clocked.add(2, ['soon'], { ...LINGER, windowMs: 500 });
  clocked.pass(600);
  t.strictSame(clocked.closed, ['soon']);
  clocked.pass(9_000);
  t.strictSame(clocked.closed, ['soon', 'late']);
});

await t.test('after stop nothing is closed', async (t) => {
  const clocked = new Clocked();
  clocked.add(1, names('a', 10), SPREAD);
  clocked.pace.stop();
  clocked.pass(20_000);
  t.equal(clocked.closed.length, 0);
});

await t.test('what was due while the thread stood still does not come all at once', async (t) => {
  const clocked = new Clocked();
  clocked.add(1, names('a', 100), { ...SPREAD, windowMs: 1_000, closesPerSecond: 20 });
  clocked.pass(1_000);
  const before = clocked.closed.length;
  t.ok(Math.abs(before - 20) <= 1, `${before} in the first second`);
  clocked.standStill(2_000);
  clocked.pass(1_000);
  const after = clocked.closed.length - before;
  t.ok(Math.abs(after - 20) <= 1, `${after} in the second after it`);
  clocked.pass(3_100);
  t.equal(clocked.closed.length, 100, 'and none is lost');
});

await t.test('without a limit, what is late is closed at once', async (t) => {
  const clocked = new Clocked();
  clocked.add(1, names('a', 100), SPREAD);
  clocked.standStill(10_000);
  clocked.pass(200);
  t.equal(clocked.closed.length, 100);
});

await t.test('one that throws when it shall close hears of it, and the others close', async (t) => {
  const clocked = new Clocked();
  clocked.broken = ['a3'];
  clocked.add(1, names('a', 10), SPREAD);
  clocked.pass(20_000);
  t.equal(clocked.closed.length, 9);
  t.match(clocked.faults, [{ message: 'a3 is broken' }]);
});
