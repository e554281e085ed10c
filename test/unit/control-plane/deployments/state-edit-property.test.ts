// Whatever is decided, in whatever order: what must hold of every state of a service, and of the
// table that is made of it.

import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import t from 'tap';
import { unreachable } from '../../../../src/base/assert.ts';
import { COLORS, otherColor } from '../../../../src/contract/table.ts';
import { DEPLOYMENTS_KEPT } from '../../../../src/control-plane/base/control-limits.ts';
import {
  activeNumber,
  colorWith,
  deploymentOf,
  lockOutOf,
  parseState,
  printState,
  type ServiceState,
  type StoredLeaving,
} from '../../../../src/control-plane/store/service-state.ts';
import {
  ended,
  evictedFrom,
  held,
  hurried,
  leavingKey,
  previewed,
  previewsRevoked,
  registered,
  replaced,
  scaled,
  switched,
  taken,
  withoutDrains,
  type Edit,
} from '../../../../src/control-plane/deployments/state-edit.ts';
import {
  rolledBackBySplit,
  splitAborted,
  splitBegun,
  splitMoved,
} from '../../../../src/control-plane/deployments/split-edit.ts';
import { testPolicy } from '../../../support/policy.ts';
import { deployment, SERVICE } from '../support/stored.ts';

const KINDS = [
  'switch',
  'switch to any',
  'replace',
  'register',
  'scale',
  'hurry',
  'left',
  'evict',
  'take over',
  'end',
  'preview',
  'revoke',
  'hold',
  'split',
  'split moves',
  'split is given up',
  'way back by a split',
] as const;

interface Step {
  readonly kind: (typeof KINDS)[number];
  /** Picks among what there is. */
  readonly pick: number;
  readonly passedMs: number;
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom(...KINDS),
    pick: fc.nat(200),
    passedMs: fc.nat(4_000),
  }),
  // As long as it takes until some deployments are forgotten.
  { maxLength: 240, size: 'max' },
);

const POLICY = testPolicy({ affinity: { mode: 'drain' }, drain: { sessionsMs: 9_000 } });

/** Names come again, so that a lock-out may meet a later registration. */
const RELEASES = 5;

function pickOf<T>(all: readonly T[], pick: number): T | undefined {
  return all[pick % Math.max(1, all.length)];
}

function pickDrain({ draining }: ServiceState, pick: number): Set<number> {
  const picked = pickOf(draining, pick);
  return new Set(picked === undefined ? [] : [picked.deployment]);
}

function pickLeaving({ leaving }: ServiceState, pick: number): Set<StoredLeaving> {
  const picked = pickOf(leaving, pick);
  return new Set(picked === undefined ? [] : [picked]);
}

function keysOf(state: ServiceState, pick: number): Set<string> {
  const picked = [...pickLeaving(state, pick)];
  return new Set(picked.map((one) => leavingKey(one.deployment, one.startedAtMs)));
}

/** Returns one or two of four targets, so that some come back. */
function targetsOf(pick: number): string[] {
  const ports = new Set([5_000 + (pick % 4), 5_000 + (Math.floor(pick / 4) % 4)]);
  return [...ports].map((port) => `http://127.0.0.1:${port}`);
}

interface Moment {
  readonly epoch: number;
  readonly nowMs: number;
  readonly next: number;
}

/** Returns what a switchboard would do; undefined: it would refuse. */
function editOf(state: ServiceState, step: Step, { epoch, nowMs, next }: Moment): Edit | undefined {
  const { kind, pick } = step;
  const idle = otherColor(state.active);
  const any = pickOf(state.deployments, pick)!.number;
  const isNamed = deploymentOf(state, activeNumber(state))!.release !== '';
  const made = (color = idle) =>
    deployment(next, { color, release: pick % 4 === 0 ? '' : `r${pick % RELEASES}` });
  const terms = (to: number) => ({
    to,
    movesSessions: pick % 3 === 0,
    lockOut: isNamed && pick % 2 === 0 ? { reason: 'slow', actor: 'test' } : undefined,
    epoch,
    nowMs,
    policy: POLICY,
    outcome: pick % 2 === 0 ? ('rolled-back' as const) : ('switched' as const),
    actor: 'test',
    longLivedCount: pick,
  });
  switch (kind) {
    case 'switch':
      return state[idle].deployment === 0 ? undefined : switched(terms(state[idle].deployment));
    case 'switch to any':
      return any === activeNumber(state) ? undefined : switched(terms(any));
    case 'replace':
      return replaced(made(state.active), terms(next));
    case 'register':
      return state.split === undefined ? registered(made()) : undefined;
    case 'scale':
      return scaled(any, targetsOf(pick), { nowMs, policy: POLICY, longLivedCount: pick });
    case 'hurry':
      return hurried(pickLeaving(state, pick), { nowMs, policy: POLICY });
    case 'left':
      return (now) => withoutDrains(now, { deployments: new Set(), leaving: keysOf(now, pick) });
    case 'evict':
      return evictedFrom(pickDrain(state, pick), { nowMs, policy: POLICY });
    case 'take over':
      return taken(pickDrain(state, pick), { service: 'shop', deployment: 1_000, release: 'x' });
    case 'end':
      return ended(pickDrain(state, pick));
    case 'preview':
      return state.previewed.includes(any) || colorWith(state, any) !== undefined
        ? undefined
        : previewed(any);
    case 'revoke':
      return previewsRevoked(any);
    case 'hold':
      return held({ methods: 'all', untilMs: nowMs + pick, closesLongLived: pick % 2 === 0 });
    case 'split': {
      const there = deploymentOf(state, state[idle].deployment);
      if (there === undefined || there.takenOver || lockOutOf(state, there)) return undefined;
      const ramp = { from: pick, startsAtMs: nowMs, endsAtMs: nowMs + pick };
      const how = { sessions: 'new', by: 'session' } as const;
      return state.split ? undefined : splitBegun({ share: 100, ramp, ...how, epoch, nowMs });
    }
    case 'split moves':
      return state.split && splitMoved(pick * 50, undefined);
    case 'split is given up': {
      const restick = pick % 3 === 0 ? 'new' : 'all';
      return state.split && splitAborted({ ...terms(0), restick });
    }
    case 'way back by a split': {
      const ramp = { startsAtMs: nowMs, endsAtMs: nowMs + pick };
      const back = { ...terms(any), by: 'session' } as const;
      return any === activeNumber(state) ? undefined : rolledBackBySplit(back, ramp);
    }
    default:
      return unreachable(kind);
  }
}

/** Returns what is wrong with a state, or an empty string. */
function faultOf(state: ServiceState, epoch: number): string {
  const numbers = state.deployments.map(({ number }) => number);
  const drains = state.draining.map((one) => one.deployment);
  const active = deploymentOf(state, activeNumber(state));
  if (new Set(numbers).size < numbers.length) return 'a number is there twice';
  if (!numbers.every((each, index) => index === 0 || each > numbers[index - 1]!))
    return 'deployments are out of order';
  if (new Set(drains).size < drains.length) return 'a deployment drains twice';
  if (active === undefined) return 'nothing is active';
  if (drains.includes(active.number)) return 'the active deployment drains';
  const { split } = state;
  if (split !== undefined) {
    if (drains.includes(split.deployment)) return 'the canary drains';
    if (split.deployment !== state[otherColor(state.active)].deployment)
      return 'the canary is not on the idle color';
    if (deploymentOf(state, split.deployment)!.servedSince === 0) return 'the canary never served';
  }
  if (active.servedSince === 0) return 'the active deployment never served';
  if (active.takenOver !== undefined) return 'the active deployment is taken over';
  if (lockOutOf(state, active)) return 'the active release is locked out';
  if (state.blue.deployment === state.green.deployment) return 'one is on both colors';
  const leaving = state.leaving.map((one) => one.deployment);
  const named = [
    ...COLORS.map((color) => state[color].deployment),
    ...drains,
    ...leaving,
    ...state.previewed,
  ];
  for (const number of [...named, state.lastSwitch?.from ?? 0]) {
    if (number !== 0 && !numbers.includes(number)) return `${number} is named and forgotten`;
  }
  for (const color of COLORS) {
    const one = deploymentOf(state, state[color].deployment);
    if (one !== undefined && one.color !== color) return 'a deployment has another color';
  }
  if (new Set(state.lockOuts.map(({ release }) => release)).size < state.lockOuts.length)
    return 'a release is locked out twice';
  if (state.deployments.some(({ servedSince }) => servedSince > epoch))
    return 'an epoch is ahead of its decision';
  const inUse = new Set([...named, state.lastSwitch?.from ?? 0]);
  if (numbers.filter((number) => !inUse.has(number)).length > DEPLOYMENTS_KEPT)
    return 'too many are kept';
  if (numbers.length > Math.max(DEPLOYMENTS_KEPT, inUse.size)) return 'too many are kept in all';
  for (const { startedAtMs, sessionsUntilMs, endsAtMs } of state.draining) {
    if (startedAtMs > sessionsUntilMs || sessionsUntilMs > endsAtMs)
      return 'times are out of order';
  }
  const keys = state.leaving.map((one) => leavingKey(one.deployment, one.startedAtMs));
  if (new Set(keys).size < keys.length) return 'two that leave cannot be told apart';
  for (const { deployment: number, urls, startedAtMs, endsAtMs } of state.leaving) {
    const own = deploymentOf(state, number)!.urls;
    if (urls.length === 0) return 'nothing leaves';
    if (urls.some((url) => own.includes(url))) return 'a target leaves that is in use';
    if (startedAtMs > endsAtMs) return 'what leaves ends before it begins';
    const others = state.leaving.filter((one) => one.deployment === number && one.urls !== urls);
    if (others.some((one) => one.urls.some((url) => urls.includes(url)))) return 'one leaves twice';
  }
  const read = parseState(printState(state));
  if (!isDeepStrictEqual(read, state)) return 'what is stored is not what is read';
  return '';
}

/** Returns what has gone back that only grows, or an empty string. */
function fallOf(before: ServiceState, after: ServiceState): string {
  for (const one of after.deployments) {
    const known = deploymentOf(before, one.number);
    if (known === undefined) continue;
    if (one.servedSince < known.servedSince) return 'an epoch has fallen';
    if (one.previewSeries < known.previewSeries) return 'a series has fallen';
    if (one.release !== known.release) return 'a deployment has another release';
  }
  return '';
}

/** Freezes `value` and all that it holds. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) frozen(part);
    Object.freeze(value);
  }
  return value;
}

await t.test('no order of decisions breaks the rules of a state', async (t) => {
  let drainsMax = 0;
  let leavingMax = 0;
  let forgotten = 0;
  let splits = 0;
  fc.assert(
    fc.property(steps, (decisions) => {
      let state = SERVICE;
      let moment: Moment = { epoch: 1, nowMs: 1_000_000, next: 3 };
      for (const step of decisions) {
        moment = {
          epoch: moment.epoch + 1,
          nowMs: moment.nowMs + step.passedMs,
          next: moment.next + 1,
        };
        const before = frozen(state); // An edit that patched it would throw.
        state = editOf(state, step, moment)?.(state) ?? state;
        const fault = faultOf(state, moment.epoch) || fallOf(before, state);
        if (fault !== '') throw new Error(`${step.kind}: ${fault}`);
        if (activeNumber(state) !== activeNumber(before)) {
          const { servedSince } = deploymentOf(state, activeNumber(state))!;
          if (servedSince !== moment.epoch) throw new Error('the epoch is not that of the switch');
          if (state.lastSwitch?.from !== activeNumber(before)) throw new Error('the way is lost');
        }
        drainsMax = Math.max(drainsMax, state.draining.length);
        leavingMax = Math.max(leavingMax, state.leaving.length);
        if (state.split !== undefined) splits++;
        if (!state.deployments.some(({ number }) => number === 2)) forgotten++;
      }
    }),
    { numRuns: 250 },
  );
  t.ok(drainsMax >= 4, `up to ${drainsMax} deployments drained at once`);
  t.ok(leavingMax >= 4, `up to ${leavingMax} groups of targets left at once`);
  t.ok(forgotten > 0, 'some were forgotten');
  t.ok(splits > 100, `${splits} states had a split`);
});
