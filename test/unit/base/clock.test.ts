// The time of day, with a system clock that is set back and forward.

import * as fc from 'fast-check';
import t from 'tap';
import { SteadyClock } from '../../../src/base/clock.ts';

const HOUR_MS = 3_600_000;

/** A clock over one that the test sets, and one that only grows. */
function scene() {
  const at = { systemMs: 1_000 * HOUR_MS, elapsedMs: 0 };
  const clock = new SteadyClock(
    () => at.systemMs,
    () => at.elapsedMs,
  );
  return {
    clock,
    pass: (ms: number): void => {
      at.systemMs += ms;
      at.elapsedMs += ms;
    },
    set: (ms: number): void => {
      at.systemMs += ms;
    },
    system: () => at.systemMs,
  };
}

await t.test('set back, time goes on as if it had not been', async (t) => {
  const { clock, pass, set } = scene();
  const startMs = clock.nowMs();
  pass(5_000);
  set(-HOUR_MS);
  t.equal(clock.nowMs(), startMs + 5_000);
  pass(10_000);
  t.equal(clock.nowMs(), startMs + 15_000);
  set(HOUR_MS);
  t.equal(clock.nowMs(), startMs + 15_000, 'and agrees with the system once that has caught up');
});

await t.test('set forward, it is followed', async (t) => {
  const { clock, set, system } = scene();
  clock.nowMs();
  set(HOUR_MS);
  t.equal(clock.nowMs(), system());
});

await t.test('a clock that is a little slow is waited for, and not left', async (t) => {
  const { clock, pass, set, system } = scene();
  const startMs = clock.nowMs();
  pass(100);
  set(-600);
  t.equal(clock.nowMs(), startMs);
  pass(1_000);
  t.equal(clock.nowMs(), system());
});

await t.test('set back by days, the time before was none', async (t) => {
  const { clock, set, system } = scene();
  clock.nowMs();
  set(-25 * HOUR_MS);
  t.equal(clock.nowMs(), system());
});

await t.test(
  'it never goes back, and is never slower than time itself by more than a second',
  async () => {
    const step = fc.record({
      passMs: fc.nat(100_000),
      setMs: fc.integer({ min: -HOUR_MS, max: HOUR_MS }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const { clock, pass, set } = scene();
        const startMs = clock.nowMs();
        let elapsedMs = 0;
        let last = startMs;
        return steps.every(({ passMs, setMs }) => {
          pass(passMs);
          set(setMs);
          elapsedMs += passMs;
          const now = clock.nowMs();
          const isSteady = now >= last && now >= startMs + elapsedMs - 1_000 * steps.length;
          last = now;
          return isSteady;
        });
      }),
    );
  },
);
