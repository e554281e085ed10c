// The edit of a switch: what becomes active, what drains for how long, and which release is locked out.

import t from 'tap';
import type { StoredDrain } from '../../../../src/control-plane/store/service-state.ts';
import { LOCK_OUTS_MAX } from '../../../../src/control-plane/base/control-limits.ts';
import {
  colorFor,
  registered,
  replaced,
  switched,
  taken,
  type SwitchTerms,
} from '../../../../src/control-plane/deployments/state-edit.ts';
import { testPolicy } from '../../../support/policy.ts';
import { deployment, SERVICE, serviceState } from '../support/stored.ts';
import { drain, NOW_MS, terms, withKept } from '../support/edits.ts';

/** What ends after sessions, requests and streams have had their time. */
const GRACE_MS = 10_000;

/** Returns the only drain after a switch to green. */
function drainAfter(changes: Partial<SwitchTerms>): StoredDrain {
  return switched(terms(changes))(SERVICE).draining[0]!;
}

await t.test('after a switch the other deployment is active since that epoch', async (t) => {
  const after = switched(terms())(SERVICE);
  t.match(after, {
    active: 'green',
    activeSinceMs: NOW_MS,
    blue: SERVICE.blue,
    green: SERVICE.green,
    draining: [{ deployment: 1, startedAtMs: NOW_MS }],
    lastSwitch: { from: 1, outcome: 'switched', actor: 'ann' },
  });
  t.strictSame(
    after.deployments.map(({ number, servedSince }) => [number, servedSince]),
    [
      [1, 1],
      [2, 9],
    ],
    'what was left keeps the epoch that its cookies hold',
  );
});

await t.test('the hold of an operator ends with no switch', async (t) => {
  const hold = { methods: 'all', untilMs: 5, closesLongLived: false } as const;
  t.strictSame(switched(terms())(serviceState({ hold })).hold, hold);
});

await t.test('sessions stay as long as the policy says, then the rest gets its time', async (t) => {
  const policy = testPolicy({
    affinity: { mode: 'drain' },
    drain: { sessionsMs: 7_000, requestsMs: 500, streamsMs: 300, longLived: 'linger' },
  });
  t.strictSame(drainAfter({ policy }), {
    deployment: 1,
    startedAtMs: NOW_MS,
    sessionsUntilMs: NOW_MS + 7_000,
    endsAtMs: NOW_MS + 7_000 + 500 + GRACE_MS,
    longLived: 'linger',
  });
  const streams = testPolicy({ drain: { requestsMs: 500, streamsMs: 900 } });
  t.equal(drainAfter({ policy: streams }).endsAtMs, NOW_MS + 900 + GRACE_MS);
});

await t.test(
  'sessions end at once where none can come back, or when they are to move',
  async (t) => {
    t.equal(drainAfter({ policy: testPolicy() }).sessionsUntilMs, NOW_MS);
    t.equal(drainAfter({ movesSessions: true }).sessionsUntilMs, NOW_MS);
    for (const policy of [
      testPolicy({ affinity: { mode: 'strict' } }),
      testPolicy({ skew: { isOn: true } }),
      testPolicy({ skew: { rescue: ['/assets/'] } }),
    ]) {
      t.equal(drainAfter({ policy }).sessionsUntilMs, NOW_MS + 1_800_000);
    }
  },
);

await t.test('a drain lasts as long as the limit of closes makes it last', async (t) => {
  const slow = { requestsMs: 100, streamsMs: 100, closesPerSecond: 50 };
  const tookMs = (longLivedCount: number, drain: object = slow) =>
    drainAfter({ policy: testPolicy({ drain }), longLivedCount }).endsAtMs - NOW_MS - GRACE_MS;
  t.same([tookMs(0), tookMs(5), tookMs(1_000), tookMs(1_001)], [100, 100, 20_000, 20_020]);
  t.equal(tookMs(9_999, { ...slow, closesPerSecond: 0 }), 100);
});

await t.test('a color without a deployment has nothing to drain', async (t) => {
  const empty = serviceState({ blue: { deployment: 0, configured: '' } });
  const after = switched(terms({ lockOut: { reason: 'bad', actor: 'ann' } }))(empty);
  t.strictSame(after.draining, []);
  t.strictSame(after.lockOuts, [], 'nor is there a release to lock out');
  t.equal(after.lastSwitch?.from, 0);
});

await t.test('a deployment that comes back stops to drain, the others go on', async (t) => {
  const others = [drain(3), drain(4)];
  const before = withKept({ draining: [drain(2), ...others] });
  const after = switched(terms())(before);
  t.strictSame(
    after.draining.map((one) => one.deployment),
    [3, 4, 1],
    'in the order in which they were left',
  );
  t.equal(after.draining[0], others[0], 'with their own times');
});

await t.test('a kept one comes back on the color that is not active', async (t) => {
  const before = withKept({ previewed: [3, 4] });
  t.strictSame(
    [1, 2, 3].map((number) => colorFor(before, number)),
    ['blue', 'green', 'green'],
  );
  const after = switched(terms({ to: 3, outcome: 'rolled-back' }))(before);
  t.match(after, {
    active: 'green',
    green: { deployment: 3, configured: '' },
    lastSwitch: { from: 1, outcome: 'rolled-back' },
  });
  t.strictSame(after.previewed, [4], 'no color had it; now one has');
  t.match(after.deployments[2], { number: 3, color: 'green', servedSince: 9 });
  t.ok(
    after.deployments.some(({ number }) => number === 2),
    'what was on that color is kept',
  );
});

await t.test('one that takes the place of the active one leaves its color active', async (t) => {
  const made = deployment(3);
  const after = replaced(made, terms())(SERVICE);
  t.match(after, { active: 'blue', blue: { deployment: 3 }, green: SERVICE.green });
  t.match(after.draining, [{ deployment: 1 }]);
  t.match(after.lastSwitch, { from: 1 });
  t.strictSame(after.deployments.at(-1), { ...made, servedSince: 9 });
});

await t.test('what is left is never forgotten, however old it is', async (t) => {
  let state = SERVICE;
  for (let number = 3; number <= 40; number++) {
    state = registered(deployment(number, { color: 'green' }))(state);
  }
  const after = replaced(deployment(41), terms())(state);
  t.match(after.draining, [{ deployment: 1 }]);
  t.equal(after.deployments[0]?.number, 1);
});

await t.test('the same release at other places is not locked out with what is left', async (t) => {
  const lockOut = { reason: 'slow', actor: 'ann' };
  const after = replaced(deployment(3, { release: 'v1' }), terms({ lockOut }))(SERVICE);
  t.strictSame(after.lockOuts, []);
});

await t.test('the oldest of too many lock-outs ends', async (t) => {
  const old = Array.from({ length: LOCK_OUTS_MAX }, (_, index) => ({
    release: `old-${index}`,
    deployment: index + 10,
    reason: '',
    actor: '',
    atMs: 0,
    epoch: 1,
  }));
  const lockOut = { reason: 'it leaks', actor: 'ann' };
  const { lockOuts } = switched(terms({ lockOut }))({ ...SERVICE, lockOuts: old });
  t.equal(lockOuts.length, LOCK_OUTS_MAX);
  t.equal(lockOuts[0]?.release, 'old-1');
  t.equal(lockOuts.at(-1)?.reason, 'it leaks');
});

await t.test('the release that is left is locked out, if that was decided', async (t) => {
  const lockOut = { reason: 'it leaks', actor: 'ann' };
  const after = switched(terms({ lockOut }))(SERVICE);
  const stored = { ...lockOut, release: 'v1', deployment: 1, atMs: NOW_MS, epoch: 9 };
  t.strictSame(after.lockOuts, [stored]);
  t.strictSame(switched(terms())(SERVICE).lockOuts, []);
});

await t.test('a release that becomes active is not locked out any more', async (t) => {
  const locked = { deployment: 7, reason: '', actor: '', atMs: 1, epoch: 2 };
  const lockOuts = ['v2', 'v7'].map((release) => ({ ...locked, release }));
  const after = switched(terms())(serviceState({ lockOuts }));
  t.strictSame(after.lockOuts, [lockOuts[1]], 'others still are');
});

await t.test('what an operator has forced to be active has its addresses again', async (t) => {
  const by = { service: 'shop', deployment: 8, release: 'v8' };
  const before = taken(new Set([2]), by)(SERVICE);
  t.equal(switched(terms())(before).deployments[1]!.takenOver, undefined);
});
