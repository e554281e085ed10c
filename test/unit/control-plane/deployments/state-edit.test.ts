// Each edit of the state of a service: what it changes, and what stays.

import t from 'tap';
import {
  deploymentOf,
  type ServiceState,
  type StoredDrain,
} from '../../../../src/control-plane/store/service-state.ts';
import {
  DEPLOYMENTS_KEPT,
  LOCK_OUTS_MAX,
} from '../../../../src/control-plane/base/control-limits.ts';
import {
  colorFor,
  ended,
  evictedFrom,
  held,
  hurried,
  kept,
  leavingKey,
  maintained,
  previewed,
  previewsRevoked,
  registered,
  replaced,
  scaled,
  switched,
  taken,
  unlocked,
  withoutDrains,
  type SwitchTerms,
} from '../../../../src/control-plane/deployments/state-edit.ts';
import { testPolicy } from '../../../support/policy.ts';
import { deployment, SERVICE, serviceState } from '../support/stored.ts';

const NOW_MS = 1_000_000;

/** What ends after sessions, requests and streams have had their time. */
const GRACE_MS = 10_000;

const STICKY = testPolicy({ affinity: { mode: 'drain' } });

/** A switch to the deployment 2, which is on green, at NOW_MS in the epoch 9. */
function terms(changes: Partial<SwitchTerms> = {}): SwitchTerms {
  return {
    to: 2,
    movesSessions: false,
    lockOut: undefined,
    epoch: 9,
    nowMs: NOW_MS,
    policy: STICKY,
    outcome: 'switched',
    actor: 'ann',
    longLivedCount: 0,
    ...changes,
  };
}

/** Returns a drain of the deployment `number`, whose sessions stay for another second. */
function drain(number: number, changes: Partial<StoredDrain> = {}): StoredDrain {
  return {
    deployment: number,
    startedAtMs: 1_000,
    sessionsUntilMs: NOW_MS + 1_000,
    endsAtMs: NOW_MS + 500_000,
    longLived: 'spread',
    ...changes,
  };
}

/** Returns the only drain after a switch to green. */
function drainAfter(changes: Partial<SwitchTerms>): StoredDrain {
  return switched(terms(changes))(SERVICE).draining[0]!;
}

/** Returns a service that keeps two deployments more, 3 and 4, which have served. */
function withKept(changes: Partial<ServiceState> = {}): ServiceState {
  const more = [deployment(3, { servedSince: 2 }), deployment(4, { servedSince: 3 })];
  return serviceState({ deployments: [...SERVICE.deployments, ...more], ...changes });
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

await t.test('a registration takes its color and keeps everything else', async (t) => {
  const before = serviceState({ draining: [drain(2)] });
  const made = deployment(3, { color: 'green' });
  t.strictSame(registered(made)(before), {
    ...before,
    green: { ...before.green, deployment: 3 },
    deployments: [...before.deployments, made],
  });
});

await t.test('a scaled deployment is the same one at other places', async (t) => {
  const urls = ['http://127.0.0.1:3001', 'http://127.0.0.1:3011'];
  const [one, other] = SERVICE.deployments;
  t.strictSame(scaled(1, urls, terms())(SERVICE), {
    ...SERVICE,
    deployments: [{ ...one, urls }, other],
  });
});

const [A, B, C] = [1, 2, 3].map((port) => `http://127.0.0.1:${port}`) as [string, string, string];

/** The deployment 1 at three targets. */
const WIDE = serviceState({
  deployments: [deployment(1, { servedSince: 1, urls: [A, B, C] }), deployment(2)],
});

await t.test('what a deployment has no more leaves it, with the time of a drain', async (t) => {
  const policy = testPolicy({
    drain: { requestsMs: 500, streamsMs: 900, longLived: 'linger', closesPerSecond: 10 },
  });
  const leaves = (longLivedCount: number) =>
    scaled(1, [C], terms({ policy, longLivedCount }))(WIDE).leaving;
  t.strictSame(leaves(0), [
    {
      deployment: 1,
      urls: [A, B],
      startedAtMs: NOW_MS,
      endsAtMs: NOW_MS + 900 + GRACE_MS,
      longLived: 'linger',
    },
  ]);
  const [many] = leaves(50);
  t.equal(many!.endsAtMs, NOW_MS + 5_000 + GRACE_MS, 'closing takes its time');
});

await t.test('a target that comes back leaves no more, and the others go on to', async (t) => {
  const left = scaled(1, [C], terms())(WIDE);
  const some = scaled(1, [C, A], terms({ nowMs: NOW_MS + 5 }))(left);
  t.strictSame(some.leaving, [{ ...left.leaving[0]!, urls: [B] }]);
  t.strictSame(scaled(1, [A, B, C], terms())(some).leaving, []);
  const swapped = scaled(1, [A], terms({ nowMs: NOW_MS }))(some);
  t.strictSame(
    swapped.leaving.map(({ urls, startedAtMs }) => [urls, startedAtMs]),
    [
      [[B], NOW_MS],
      [[C], NOW_MS + 1],
    ],
    'two that leave at one moment are told apart',
  );
  const other = scaled(2, [A, B], terms())(some);
  t.strictSame(other.leaving[0], some.leaving[0], 'another deployment may have it');
});

await t.test('what leaves can be hurried, and is forgotten when nothing is left', async (t) => {
  const left = scaled(1, [C], terms())(WIDE);
  const [one] = left.leaving;
  const hurry = terms({ nowMs: NOW_MS + 10 });
  const after = hurried(new Set([one!]), hurry)(left);
  t.strictSame(after.leaving, [{ ...one, longLived: 'cut' }], 'it ends no later than before');
  t.strictSame(hurried(new Set(after.leaving), hurry)(after), after, 'once is enough');
  t.strictSame(hurried(new Set(), hurry)(left), left);
  const none = { deployments: new Set<number>(), leaving: new Set<string>() };
  t.equal(withoutDrains(left, none), left, 'the same where nothing has ended');
  const key = leavingKey(1, one!.startedAtMs);
  t.strictSame(withoutDrains(left, { ...none, leaving: new Set([key]) }).leaving, []);
});

await t.test('a deployment is kept for as long as one of its targets leaves', async (t) => {
  const many = Array.from({ length: DEPLOYMENTS_KEPT + 5 }, (_, i) => deployment(i + 3));
  const state = serviceState({
    deployments: [...SERVICE.deployments, ...many],
    leaving: [{ deployment: 3, urls: [A], startedAtMs: 1, endsAtMs: 2, longLived: 'cut' }],
  });
  t.ok(deploymentOf(kept(state), 3));
  t.notOk(deploymentOf(kept({ ...state, leaving: [] }), 3));
});

await t.test('what another release has taken over is marked, and shown to nobody', async (t) => {
  const by = { service: 'shop', deployment: 8, release: 'v8' };
  const after = taken(new Set([3]), by)(withKept({ previewed: [3, 4] }));
  t.strictSame(
    after.deployments.map(({ takenOver }) => takenOver),
    [undefined, undefined, by, undefined],
  );
  t.strictSame(
    after.deployments.map(({ previewSeries }) => previewSeries),
    [0, 0, 1, 0],
    'links that were given before open nothing there',
  );
  t.strictSame(after.previewed, [4]);
});

await t.test('an eviction ends sessions now, cuts connections, lets requests finish', async (t) => {
  const over = drain(4, { sessionsUntilMs: NOW_MS });
  const before = withKept({ draining: [drain(3), over] });
  const after = evictedFrom(new Set([3, 4]), { nowMs: NOW_MS, policy: STICKY })(before);
  t.strictSame(after.draining[0], {
    deployment: 3,
    startedAtMs: 1_000,
    sessionsUntilMs: NOW_MS,
    endsAtMs: NOW_MS + 60_000 + GRACE_MS,
    longLived: 'cut',
  });
  const closing = { endsAtMs: NOW_MS + 60_000 + GRACE_MS, longLived: 'cut' };
  t.strictSame(after.draining[1], { ...over, ...closing }, 'also where sessions are over');
  const { draining } = evictedFrom(new Set([3, 4]), { nowMs: NOW_MS + 1, policy: STICKY })(after);
  t.strictSame(draining, after.draining, 'once more, it gains no time');
  t.match(after, { active: 'blue', activeSinceMs: before.activeSinceMs });
});

await t.test('ended drains are forgotten with the links to them, others stay', async (t) => {
  const before = withKept({ draining: [drain(2), drain(3), drain(4)] });
  const after = ended(new Set([2, 4, 99]))(before);
  t.strictSame(after.draining, [before.draining[1]]);
  t.strictSame(
    after.deployments.map(({ previewSeries }) => previewSeries),
    [0, 1, 0, 1],
  );
});

await t.test('an unlock ends the lock-outs that are meant', async (t) => {
  const locked = { deployment: 7, reason: '', actor: '', atMs: 1, epoch: 2 };
  const lockOuts = ['v2', 'v7'].map((release) => ({ ...locked, release }));
  const before = serviceState({ lockOuts });
  t.strictSame(unlocked([lockOuts[0]!])(before).lockOuts, [lockOuts[1]]);
  t.strictSame(unlocked(lockOuts)(before), SERVICE);
});

await t.test('hold and maintenance are set and taken away', async (t) => {
  const hold = { methods: 'writes', untilMs: 5, closesLongLived: false } as const;
  const maintenance = { message: 'soon', retryAfterSeconds: 5 };
  const closed = maintained(maintenance)(held(hold)(SERVICE));
  t.strictSame(closed, { ...SERVICE, hold, maintenance });
  t.strictSame(maintained(undefined)(held(undefined)(closed)), SERVICE);
});

await t.test('links that show a kept deployment are opened and revoked', async (t) => {
  const before = withKept();
  const shown = previewed(4)(previewed(3)(before));
  t.strictSame(shown, { ...before, previewed: [3, 4] });
  const after = previewsRevoked(3)(shown);
  t.strictSame(after.previewed, [4]);
  t.strictSame(
    after.deployments.map(({ previewSeries }) => previewSeries),
    [0, 0, 1, 0],
  );
});

await t.test('the last deployments are kept, and what is in use beyond them', async (t) => {
  let state: ServiceState = serviceState({
    legacy: [
      [1, 1],
      [2, 3],
    ],
  });
  for (let number = 3; number <= 40; number++) {
    state = registered(deployment(number, { color: 'green' }))(state);
  }
  const numbers = state.deployments.map(({ number }) => number);
  t.equal(numbers.length, DEPLOYMENTS_KEPT);
  t.strictSame(numbers.slice(0, 2), [1, 40 - DEPLOYMENTS_KEPT + 2], 'the active one is the oldest');
  t.equal(numbers.at(-1), 40);
  t.strictSame(state.legacy, [[1, 1]], 'old cookies for what was forgotten mean nothing');
  t.equal(kept(state), state, 'where nothing is to be forgotten, nothing changes');
});

await t.test('nothing is forgotten that a drain, a link or the way back names', async (t) => {
  const numbers = Array.from({ length: DEPLOYMENTS_KEPT + 5 }, (_, index) => index + 1);
  const state = serviceState({
    deployments: numbers.map((number) => deployment(number)),
    draining: [drain(3)],
    previewed: [4],
    lastSwitch: { from: 5, outcome: 'switched', actor: '' },
  });
  t.strictSame(
    kept(state)
      .deployments.slice(0, 6)
      .map(({ number }) => number),
    [1, 2, 3, 4, 5, 11],
  );
});
