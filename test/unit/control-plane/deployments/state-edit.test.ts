// Each edit of the state of a service beside a switch: what it changes, and what stays.

import t from 'tap';
import {
  deploymentOf,
  type ServiceState,
} from '../../../../src/control-plane/store/service-state.ts';
import { DEPLOYMENTS_KEPT } from '../../../../src/control-plane/base/control-limits.ts';
import {
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
  scaled,
  taken,
  unlocked,
  withoutDrains,
} from '../../../../src/control-plane/deployments/state-edit.ts';
import { testPolicy } from '../../../support/policy.ts';
import { deployment, SERVICE, serviceState } from '../support/stored.ts';
import { drain, NOW_MS, STICKY, terms, withKept } from '../support/edits.ts';

/** What ends after sessions, requests and streams have had their time. */
const GRACE_MS = 10_000;

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
