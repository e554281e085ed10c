// The time of day, with a system clock that the test sets.

import { mock } from 'node:test';
import t from 'tap';
import { WallClock } from '../../../../src/data-plane/base/wall-clock.ts';

t.beforeEach(() => mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_999 }));
t.afterEach(() => mock.timers.reset());

await t.test('the clock counts whole seconds, rounded down', async (t) => {
  t.equal(new WallClock().seconds, 1_700_000_000);
});

await t.test('the clock stands still until it is read again', async (t) => {
  const wall = new WallClock();
  mock.timers.setTime(1_700_000_060_000);
  t.equal(wall.seconds, 1_700_000_000);
  wall.update();
  t.equal(wall.seconds, 1_700_000_060);
});

await t.test('the clock follows the system back as well', async (t) => {
  const wall = new WallClock();
  mock.timers.setTime(1_600_000_000_000);
  wall.update();
  t.equal(wall.seconds, 1_600_000_000);
});

await t.test('time until a moment is exact, and 0 for what is past', async (t) => {
  const wall = new WallClock();
  t.equal(wall.untilMs(1_700_000_002_000), 1_001);
  t.equal(wall.untilMs(1_700_000_000_999), 0);
  t.equal(wall.untilMs(0), 0);
});
