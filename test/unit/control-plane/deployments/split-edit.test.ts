// The edits of a rollout that shifts sessions: what each changes, and that its end leaves no split.

import t from 'tap';
import {
  deploymentOf,
  parseState,
  printState,
  type ServiceState,
} from '../../../../src/control-plane/store/service-state.ts';
import { beforeLastSwitch } from '../../../../src/control-plane/deployments/destination.ts';
import { resticking } from '../../../../src/control-plane/deployments/restick.ts';
import {
  rolledBackBySplit,
  splitAborted,
  splitBegun,
  splitMoved,
  type AbortTerms,
} from '../../../../src/control-plane/deployments/split-edit.ts';
import {
  replaced,
  switched,
  type SwitchTerms,
} from '../../../../src/control-plane/deployments/state-edit.ts';
import { testPolicy } from '../../../support/policy.ts';
import { deployment, SERVICE, serviceState } from '../support/stored.ts';

const NOW_MS = 1_000_700;
const STICKY = testPolicy({ affinity: { mode: 'drain' } });
const LOCK_OUT = { reason: 'errors', actor: 'guard' };

const BEGIN = {
  share: 1_000,
  ramp: undefined,
  sessions: 'new',
  by: 'session',
  epoch: 9,
  nowMs: NOW_MS,
} as const;

/** Green has the deployment 2, to which a tenth goes. */
const SPLIT = splitBegun(BEGIN)(SERVICE);

function terms(changes: Partial<SwitchTerms> = {}): SwitchTerms {
  return {
    to: 2,
    movesSessions: false,
    lockOut: undefined,
    epoch: 12,
    nowMs: NOW_MS + 5_000,
    policy: STICKY,
    outcome: 'switched',
    actor: 'ann',
    longLivedCount: 0,
    ...changes,
  };
}

function aborted(changes: Partial<AbortTerms> = {}, state = SPLIT): ServiceState {
  const { nowMs, policy, longLivedCount } = terms();
  const abort = { restick: 'new', lockOut: undefined, epoch: 11, actor: 'ann' } as const;
  return splitAborted({ ...abort, nowMs, policy, longLivedCount, ...changes })(state);
}

/** What is stored must be read again: every test ends with that. */
function isWhole(state: ServiceState): boolean {
  return parseState(printState(state)) !== undefined;
}

await t.test('a split begins on the idle color, whose sessions hold its epoch', async (t) => {
  t.match(SPLIT, { active: 'blue', activeSinceMs: SERVICE.activeSinceMs });
  t.match(SPLIT.split, { deployment: 2, share: 1_000, sinceS: 1_000, sessions: 'new' });
  t.equal(deploymentOf(SPLIT, 2)!.servedSince, 9);
  t.equal(deploymentOf(SPLIT, 1)!.servedSince, 1, 'the active deployment stays as it was');
  t.equal(SPLIT.lastSwitch, undefined, 'a rollback leads where it led before');
  const next = splitBegun({ ...BEGIN, epoch: 10 })(SERVICE);
  t.not(next.split!.salt, SPLIT.split!.salt, 'other clients come first in the next rollout');
  t.ok(isWhole(SPLIT));
});

await t.test('a deployment that drains stops draining where its split begins', async (t) => {
  const drain = { startedAtMs: 1, sessionsUntilMs: 2, endsAtMs: 3, longLived: 'cut' } as const;
  const draining = [1, 2, 3].map((number) => ({ deployment: number, ...drain }));
  const more = [...SERVICE.deployments, deployment(3)];
  const after = splitBegun(BEGIN)(serviceState({ draining, deployments: more }));
  t.strictSame(
    after.draining.map((one) => one.deployment),
    [1, 3],
  );
});

await t.test('a share that moves changes nothing else', async (t) => {
  const ramp = { from: 1_000, startsAtMs: NOW_MS, endsAtMs: NOW_MS + 9 };
  const after = splitMoved(5_000, ramp)(SPLIT);
  t.strictSame(after, { ...SPLIT, split: { ...SPLIT.split, share: 5_000, ramp } });
  t.strictSame(splitMoved(1_000, undefined)(after), SPLIT);
});

await t.test('a promotion is a switch, and ends the split', async (t) => {
  const after = switched(terms())(SPLIT);
  t.match(after, { active: 'green', split: undefined, lastSwitch: { from: 1 } });
  t.strictSame(
    after.draining.map((one) => one.deployment),
    [1],
  );
  t.equal(deploymentOf(after, 2)!.servedSince, 12, 'tokens of the split are of an epoch before');
  t.ok(isWhole(after));
});

await t.test('a canary that is passed over drains like one that was left', async (t) => {
  const kept = deployment(3, { servedSince: 1 });
  const withKept = { ...SPLIT, deployments: [...SPLIT.deployments, kept] };
  const past = switched(terms({ to: 3 }))(withKept);
  t.match(past, { active: 'green', green: { deployment: 3 }, split: undefined });
  t.strictSame(
    past.draining.map((one) => one.deployment),
    [2, 1],
  );
  const same = replaced(deployment(3), terms())(SPLIT);
  t.match(same, { active: 'blue', green: { deployment: 2 }, split: undefined });
  t.strictSame(
    same.draining.map((one) => one.deployment),
    [2, 1],
  );
  t.ok(isWhole(past) && isWhole(same));
});

await t.test('an abort lets the canary drain on its color, or moves its sessions', async (t) => {
  const lets = aborted();
  t.match(lets, { active: 'blue', green: { deployment: 2 }, split: undefined });
  const [drain] = lets.draining;
  const nowMs = NOW_MS + 5_000;
  t.match(drain, { deployment: 2, startedAtMs: nowMs });
  t.equal(drain!.sessionsUntilMs, nowMs + STICKY.drain.sessionsMs);
  t.equal(aborted({ restick: 'all' }).draining[0]!.sessionsUntilMs, nowMs);
  t.strictSame(lets.lockOuts, []);
  t.equal(lets.activeSinceMs, SERVICE.activeSinceMs, 'no other deployment became active');
  t.ok(isWhole(lets));
});

await t.test('an abort locks out the release of the canary alone', async (t) => {
  const locked = aborted({ lockOut: LOCK_OUT });
  const made = { ...LOCK_OUT, release: 'v2', deployment: 2, atMs: NOW_MS + 5_000, epoch: 11 };
  t.strictSame(locked.lockOuts, [made]);
  const again = aborted({ lockOut: LOCK_OUT, epoch: 15 }, splitBegun(BEGIN)(locked));
  t.strictSame(again.lockOuts, [{ ...made, epoch: 15 }], 'the same release once');
  for (const release of ['', 'v1']) {
    const [one, two] = SERVICE.deployments;
    const state = splitBegun(BEGIN)(serviceState({ deployments: [one!, { ...two!, release }] }));
    t.strictSame(aborted({ lockOut: LOCK_OUT }, state).lockOuts, [], `release "${release}"`);
  }
});

await t.test('a rollback that is called again after an abort leads nowhere else', async (t) => {
  const lastSwitch = { from: 3, outcome: 'switched', actor: 'ann' } as const;
  const before = serviceState({ lastSwitch, deployments: [...SERVICE.deployments, deployment(3)] });
  const after = aborted({}, splitBegun(BEGIN)(before));
  t.throws(() => beforeLastSwitch(after), { code: 'nothing-to-roll-back-to' });
  const again = { to: undefined, restick: 'all' } as const;
  t.equal(resticking(after, again, NOW_MS), 2, 'but it can take along the sessions');
});

await t.test('a way back with a ramp leads to the old deployment by a split', async (t) => {
  const promoted = switched(terms())(SPLIT);
  const back = terms({ to: 1, epoch: 20, outcome: 'rolled-back', lockOut: LOCK_OUT });
  const ramp = { startsAtMs: NOW_MS + 9_000, endsAtMs: NOW_MS + 19_000 };
  const after = rolledBackBySplit({ ...back, by: 'session' }, ramp)(promoted);
  t.match(after, {
    active: 'blue',
    draining: { length: 0 },
    split: { deployment: 2, share: 0, sessions: 'all', ramp: { from: 10_000, ...ramp } },
    lockOuts: [{ release: 'v2' }],
    lastSwitch: { from: 2, outcome: 'rolled-back' },
  });
  t.equal(deploymentOf(after, 2)!.servedSince, 12, 'its tokens stay as they are');
  t.ok(isWhole(after));
  const end = aborted({ restick: 'all', lockOut: LOCK_OUT, epoch: 21 }, after);
  t.match(end, { active: 'blue', split: undefined, draining: [{ deployment: 2 }] });
  t.equal(end.lockOuts.length, 1);
});
