// When traffic leaves a color by itself, and that it never goes to and fro.

import * as fc from 'fast-check';
import t from 'tap';
import {
  decideFailover,
  downSince,
  isColorDown,
  type FailoverFacts,
  type FailoverPolicy,
  type ObservedTarget,
} from '../../../../src/control-plane/automation/failover-rule.ts';

const POLICY: FailoverPolicy = { mode: 'auto', afterMs: 10_000, pauseMs: 300_000 };

function facts(changes: Partial<FailoverFacts> = {}): FailoverFacts {
  const none = { downSinceMs: undefined, lastFailoverMs: undefined, obstacle: undefined };
  return { policy: POLICY, ...none, ...changes };
}

await t.test('a color is left once it was down for long enough', async (t) => {
  const down = facts({ downSinceMs: 5_000 });
  t.match(decideFailover(facts(), 99_000), { kind: 'well' });
  t.match(decideFailover(down, 14_999), { kind: 'down' });
  t.match(decideFailover(down, 15_000), { kind: 'switch' });
});

await t.test('nothing happens where it is off', async (t) => {
  const off = facts({ downSinceMs: 0, policy: { ...POLICY, mode: 'off' } });
  t.match(decideFailover(off, 1e9), { kind: 'off' });
});

await t.test('an obstacle counts only once the time is up', async (t) => {
  const obstacle = { code: 'switching-frozen', text: 'frozen' };
  const blocked = facts({ downSinceMs: 0, obstacle });
  t.match(decideFailover(blocked, 9_999), { kind: 'down' });
  t.match(decideFailover(blocked, 10_000), { kind: 'blocked', obstacle });
});

await t.test('two failovers are a pause apart', async (t) => {
  const again = facts({ downSinceMs: 100_000, lastFailoverMs: 50_000 });
  t.match(decideFailover(again, 349_999), {
    kind: 'blocked',
    obstacle: { code: 'pause', text: /less than failover.pause ago; 1 s are left/ },
  });
  t.match(decideFailover(again, 350_000), { kind: 'switch' });
});

await t.test('one look in which a target is up begins the time anew', async (t) => {
  t.equal(downSince(undefined, true, 5), 5);
  t.equal(downSince(5, true, 9), 5);
  t.equal(downSince(5, false, 9), undefined);
});

await t.test('a color is down when no request could get through anywhere', async (t) => {
  const sick: ObservedTarget = { state: 'down', reason: 'refused', connectFailures: 0 };
  const well: ObservedTarget = { state: 'up', reason: '', connectFailures: 0 };
  const fading: ObservedTarget = { state: 'up', reason: 'refused', connectFailures: 3 };
  const rows: readonly (readonly [boolean, readonly ObservedTarget[], string])[] = [
    [false, [], 'without targets there is nothing to leave'],
    [true, [sick], 'one, down'],
    [true, [sick, sick], 'several, all down'],
    [false, [sick, well], 'one of them is up'],
    [true, [sick, fading], 'a check has failed and clients cannot connect'],
    [false, [{ ...fading, connectFailures: 2 }], 'too few connections have failed'],
    [false, [{ ...fading, reason: '' }], 'the last check has passed, so new ones do connect'],
    [false, [sick, { ...well, state: 'unknown' }], 'nothing is known of one'],
  ];
  for (const [expected, targets, what] of rows) t.equal(isColorDown(targets, 3), expected, what);
});

/** A world of two colors whose health is whatever the test wants, looked at now and then. */
const looks = fc.array(
  fc.record({
    passedMs: fc.integer({ min: 1, max: 20_000 }),
    blue: fc.boolean(),
    green: fc.boolean(),
  }),
  { maxLength: 300 },
);
const policies: fc.Arbitrary<FailoverPolicy> = fc.record({
  mode: fc.constant('auto' as const),
  afterMs: fc.integer({ min: 1_000, max: 60_000 }),
  pauseMs: fc.integer({ min: 1_000, max: 600_000 }),
});

await t.test('whatever the colors do, traffic does not flap', async (t) => {
  let failovers = 0;
  fc.assert(
    fc.property(policies, looks, (policy, all) => {
      let active: 'blue' | 'green' = 'blue';
      let nowMs = 0;
      let downSinceMs: number | undefined;
      let lastFailoverMs: number | undefined;
      let downLookMs: number | undefined;
      for (const { passedMs, ...isUp } of all) {
        nowMs += passedMs;
        const other: 'blue' | 'green' = active === 'blue' ? 'green' : 'blue';
        downSinceMs = downSince(downSinceMs, !isUp[active], nowMs);
        // The same said in other words: since when there was no look at which it was up.
        downLookMs = isUp[active] ? undefined : (downLookMs ?? nowMs);
        const obstacle = isUp[other] ? undefined : { code: 'target-unhealthy', text: '' };
        const decision = decideFailover({ policy, downSinceMs, lastFailoverMs, obstacle }, nowMs);
        if (decision.kind !== 'switch') continue;
        if (!isUp[other]) throw new Error('it went to a color that is not up');
        if (downLookMs === undefined || nowMs - downLookMs < policy.afterMs) {
          throw new Error('it left a color that was up');
        }
        if (lastFailoverMs !== undefined && nowMs - lastFailoverMs < policy.pauseMs) {
          throw new Error('it came back within the pause');
        }
        active = other;
        lastFailoverMs = nowMs;
        downSinceMs = undefined;
        downLookMs = undefined;
        failovers++;
      }
    }),
    { numRuns: 4_000 },
  );
  t.ok(failovers > 50, `${failovers} failovers`);
});
