// Pure: the state of a service and a decision → its next state. Whether the decision may be made is
// checked before.

import type { ServicePolicy } from '../../contract/service-policy.ts';
import {
  COLORS,
  otherColor,
  type Color,
  type Hold,
  type LockOut,
  type Maintenance,
} from '../../contract/table.ts';
import { DEPLOYMENTS_KEPT, LOCK_OUTS_MAX } from '../base/control-limits.ts';
import {
  activeNumber,
  colorWith,
  deploymentOf,
  lockOutOf,
  type NoReturn,
  type ReleaseSchema,
  type ServiceFreeze,
  type ServiceState,
  type StoredDeployment,
  type StoredDrain,
  type StoredLeaving,
  type SwitchOutcome,
  type TakenOver,
} from '../store/service-state.ts';
import { schemaReached } from './schema-fit.ts';

/** What changes in one service. */
export type Edit = (state: ServiceState) => ServiceState;

/** What was decided about one change of the active deployment. */
export interface SwitchDecision {
  /** Number of the deployment that shall be active. */
  readonly to: number;
  /** The sessions of what is left move over at once. */
  readonly movesSessions: boolean;
  /** Locks out the release that is left; undefined: it stays as good as it was. */
  readonly lockOut: Pick<LockOut, 'reason' | 'actor'> | undefined;
  /** `to` is active already; the sessions of this deployment, which drains, move over to it. */
  readonly resticks?: number | undefined;
}

/** A decision at the moment when it is carried out. */
export interface SwitchTerms extends SwitchDecision {
  /** The epoch that the decision begins. */
  readonly epoch: number;
  readonly nowMs: number;
  readonly policy: ServicePolicy;
  readonly outcome: SwitchOutcome;
  readonly actor: string;
  /** Tunnels and event streams that are open on what is left. */
  readonly longLivedCount: number;
}

/** Returns the color that a deployment gets when it becomes active. */
export function colorFor(state: ServiceState, number: number): Color {
  return colorWith(state, number) ?? otherColor(state.active);
}

/** The deployment `terms.to` becomes active; what was active drains, and so does a canary. */
export function switched(terms: SwitchTerms): Edit {
  return (state) => activated(colorFor(state, terms.to), terms)(state);
}

/** Freezes switching of the service, or lets it go on (undefined). */
export function frozen(freeze: ServiceFreeze | undefined): Edit {
  return ({ freeze: _before, ...state }) => (freeze === undefined ? state : { ...state, freeze });
}

/** Says that there is no way back from what is active, or that there is one (undefined). */
export function returnBarred(noReturn: NoReturn | undefined): Edit {
  return ({ noReturn: _before, ...state }) =>
    noReturn === undefined ? state : { ...state, noReturn };
}

/** The same, on the color `on`, which may be the one that is active. */
function activated(on: Color, terms: SwitchTerms): Edit {
  const { to, epoch, nowMs, outcome, actor, lockOut } = terms;
  return (state) => {
    const from = activeNumber(state);
    const left = deploymentOf(state, from);
    const drains = state.draining.filter(({ deployment }) => deployment !== to);
    // A canary that does not become active is left, too.
    const isPromoted = state.split === undefined || state.split.deployment === to;
    const canary = isPromoted ? undefined : deploymentOf(state, state.split.deployment);
    for (const one of [canary, left]) if (one !== undefined) drains.push(drainOf(one, terms));
    const deployments = state.deployments.map((one) =>
      one.number === to ? { ...one, color: on, servedSince: epoch, takenOver: undefined } : one,
    );
    const active = deployments.find(({ number }) => number === to)!;
    const schema = schemaReached(state.schema, active);
    const { noReturn: _over, ...before } = state;
    const locked = lockOutOf(state, active);
    const lockOuts = state.lockOuts.filter((one) => one !== locked);
    // The same release at other places is not what was fled from.
    if (lockOut !== undefined && left !== undefined && left.release !== active.release) {
      const { number, release } = left;
      lockOuts.push({ ...lockOut, release, deployment: number, atMs: nowMs, epoch });
    }
    return kept({
      ...before,
      // What it has brought stays when it is left. A point of no return was that of the one before.
      ...(schema === undefined ? {} : { schema }),
      active: on,
      activeSinceMs: nowMs,
      [on]: { ...state[on], deployment: to },
      deployments,
      draining: drains,
      split: undefined,
      // What has not moved traffic itself has lost its place; what has takes it again.
      rollout: undefined,
      previewed: state.previewed.filter((number) => number !== to),
      lockOuts: lockOuts.slice(-LOCK_OUTS_MAX),
      lastSwitch: { from, outcome, actor },
    });
  };
}

/** `deployment`, which is new, becomes the active one on the color that is active. */
export function replaced(deployment: StoredDeployment, terms: Omit<SwitchTerms, 'to'>): Edit {
  const { color, number } = deployment;
  return (state) =>
    activated(color, { ...terms, to: number })({
      ...state,
      deployments: [...state.deployments, deployment],
    });
}

/** Returns the drain of a deployment that is left. */
export function drainOf(
  { number }: StoredDeployment,
  terms: Pick<SwitchTerms, 'nowMs' | 'movesSessions' | 'longLivedCount' | 'policy'>,
): StoredDrain {
  const { nowMs, movesSessions, longLivedCount, policy } = terms;
  const sessionsUntilMs =
    !movesSessions && bringsClientsBack(policy) ? nowMs + policy.drain.sessionsMs : nowMs;
  return {
    deployment: number,
    startedAtMs: nowMs,
    sessionsUntilMs,
    endsAtMs: endOf(policy, sessionsUntilMs, longLivedCount),
    longLived: policy.drain.longLived,
  };
}

/** Clients of a release may come back to it after it was left. */
function bringsClientsBack({ affinity, skew }: ServicePolicy): boolean {
  return affinity.mode !== 'off' || skew.isOn || skew.rescue.length > 0;
}

/** Returns when what is left of a deployment is cut, if its sessions end at `sessionsUntilMs`. */
function endOf(policy: ServicePolicy, sessionsUntilMs: number, longLivedCount: number): number {
  const { requestsMs, streamsMs, closesPerSecond } = policy.drain;
  // Closing takes as long as the limit of closes makes it take.
  const closingMs = closesPerSecond === 0 ? 0 : (longLivedCount / closesPerSecond) * 1_000;
  return Math.ceil(sessionsUntilMs + Math.max(requestsMs, streamsMs, closingMs) + CLOSING_GRACE_MS);
}

/** For goodbyes that are on their way when the time is up. */
const CLOSING_GRACE_MS = 10_000;

/** `deployment`, which is new, takes its color. */
export function registered(deployment: StoredDeployment): Edit {
  const { color, number } = deployment;
  return (state) =>
    kept({
      ...state,
      [color]: { ...state[color], deployment: number },
      deployments: [...state.deployments, deployment],
    });
}

/** The release of the deployment `number`, which had no name, is called `release`. */
export function named(number: number, release: string): Edit {
  return withDeployment(number, (one) => ({ ...one, release }));
}

/** The deployment `number` says this of the schema of the data; where it has served, they have it. */
export function schemaTold(number: number, schema: ReleaseSchema | undefined): Edit {
  if (schema === undefined) return (state) => state;
  return (state) => {
    const isServed = deploymentOf(state, number)?.servedSince !== 0;
    const after = withDeployment(number, (one) => ({ ...one, schema }))(state);
    return isServed ? { ...after, schema: schemaReached(state.schema, { schema }) } : after;
  };
}

/** The data have this schema now, whatever releases have brought; undefined: not known. */
export function schemaStated(schema: number | undefined): Edit {
  return ({ schema: _before, ...state }) => (schema === undefined ? state : { ...state, schema });
}

/**
 * The deployment `number` runs at `urls` from now on. Those that it had before leave; those that it
 * gets back do not any more.
 */
export function scaled(
  number: number,
  urls: readonly string[],
  { nowMs, policy, longLivedCount }: Pick<SwitchTerms, 'nowMs' | 'policy' | 'longLivedCount'>,
): Edit {
  return (state) => {
    const before = deploymentOf(state, number)?.urls ?? [];
    const removed = before.filter((url) => !urls.includes(url));
    const leaving = without(state.leaving, number, urls);
    if (removed.length > 0) {
      const endsAtMs = endOf(policy, nowMs, longLivedCount);
      const { longLived } = policy.drain;
      // No two that leave one deployment begin at the same time: that tells them apart.
      const taken = new Set(leaving.map((one) => leavingKey(one.deployment, one.startedAtMs)));
      let startedAtMs = nowMs;
      while (taken.has(leavingKey(number, startedAtMs))) startedAtMs++;
      leaving.push({ deployment: number, urls: removed, startedAtMs, endsAtMs, longLived });
    }
    return kept({ ...withDeployment(number, (one) => ({ ...one, urls }))(state), leaving });
  };
}

/** Returns what still leaves when the deployment `number` has, or needs, `urls`. */
function without(
  leaving: readonly StoredLeaving[],
  number: number,
  urls: readonly string[],
): StoredLeaving[] {
  return leaving.flatMap((one) => {
    if (one.deployment !== number) return [one];
    const left = one.urls.filter((url) => !urls.includes(url));
    return left.length === 0 ? [] : [{ ...one, urls: left }];
  });
}

/** Connections at these targets that leave close now, requests finish. */
export function hurried(
  which: ReadonlySet<StoredLeaving>,
  { nowMs, policy }: Pick<SwitchTerms, 'nowMs' | 'policy'>,
): Edit {
  return (state) => ({
    ...state,
    leaving: state.leaving.map((one): StoredLeaving => {
      if (!which.has(one) || one.longLived === 'cut') return one;
      const endsAtMs = Math.min(one.endsAtMs, endOf(policy, nowMs, 0));
      return { ...one, endsAtMs, longLived: 'cut' };
    }),
  });
}

/** Another release was registered where these deployments are: links that showed them are revoked. */
export function taken(numbers: ReadonlySet<number>, by: TakenOver): Edit {
  return (state) =>
    kept({
      ...state,
      previewed: state.previewed.filter((number) => !numbers.has(number)),
      deployments: state.deployments.map((one) =>
        numbers.has(one.number)
          ? { ...one, takenOver: by, previewSeries: one.previewSeries + 1 }
          : one,
      ),
    });
}

/** Something of this drain would end later than an eviction ends it. */
export function isEvictable(drain: StoredDrain, nowMs: number): boolean {
  return drain.sessionsUntilMs > nowMs || drain.longLived !== 'cut';
}

/** Sessions of these deployments move over now, their connections close, requests finish. */
export function evictedFrom(
  numbers: ReadonlySet<number>,
  { nowMs, policy }: Pick<SwitchTerms, 'nowMs' | 'policy'>,
): Edit {
  return (state) => ({
    ...state,
    draining: state.draining.map((one): StoredDrain => {
      if (!numbers.has(one.deployment) || !isEvictable(one, nowMs)) return one;
      const endsAtMs = Math.min(one.endsAtMs, endOf(policy, nowMs, 0));
      const sessionsUntilMs = Math.min(one.sessionsUntilMs, nowMs);
      return { ...one, sessionsUntilMs, endsAtMs, longLived: 'cut' };
    }),
  });
}

/** The sessions of one drain move over now; its requests and connections have their usual time. */
export function resticked(
  number: number,
  { nowMs, policy, longLivedCount }: Pick<SwitchTerms, 'nowMs' | 'policy' | 'longLivedCount'>,
): Edit {
  return (state) => ({
    ...state,
    draining: state.draining.map((one): StoredDrain => {
      if (one.deployment !== number || one.sessionsUntilMs <= nowMs) return one;
      const endsAtMs = Math.min(one.endsAtMs, endOf(policy, nowMs, longLivedCount));
      return { ...one, sessionsUntilMs: nowMs, endsAtMs };
    }),
  });
}

/**
 * Nothing is left of these drains, or their time is up: they may be stopped, so nothing leads there
 * any more; links that showed them are revoked.
 */
export function ended(numbers: ReadonlySet<number>): Edit {
  return (state) =>
    kept({
      ...state,
      draining: state.draining.filter(({ deployment }) => !numbers.has(deployment)),
      deployments: state.deployments.map((one) =>
        numbers.has(one.number) ? { ...one, previewSeries: one.previewSeries + 1 } : one,
      ),
    });
}

/** Drains of which nothing is left, or whose time is up. */
interface EndedDrains {
  /** Deployments that were left. */
  readonly deployments: ReadonlySet<number>;
  /** Targets that were taken from a deployment, each in the words of `leavingKey`. */
  readonly leaving: ReadonlySet<string>;
}

/** Returns what tells one leave from all others; a target may leave a deployment more than once. */
export function leavingKey(deployment: number, startedAtMs: number): string {
  return `${deployment} ${startedAtMs}`;
}

/** Returns `state` without what has ended; the same one where nothing has. */
export function withoutDrains(state: ServiceState, over: EndedDrains): ServiceState {
  const isThere = state.draining.some(({ deployment }) => over.deployments.has(deployment));
  const leaving = state.leaving.filter(
    ({ deployment, startedAtMs }) => !over.leaving.has(leavingKey(deployment, startedAtMs)),
  );
  const after = isThere ? ended(over.deployments)(state) : state;
  return leaving.length === state.leaving.length ? after : kept({ ...after, leaving });
}

/** The releases of these lock-outs may be switched to again. */
export function unlocked(lockOuts: readonly LockOut[]): Edit {
  return (state) => ({
    ...state,
    lockOuts: state.lockOuts.filter((one) => !lockOuts.includes(one)),
  });
}

export function held(hold: Hold | undefined): Edit {
  return (state) => ({ ...state, hold });
}

export function maintained(maintenance: Maintenance | undefined): Edit {
  return (state) => ({ ...state, maintenance });
}

/** Preview links of the deployment `number` that were given so far open nothing any more. */
export function previewsRevoked(number: number): Edit {
  return (state) =>
    kept({
      ...withDeployment(number, (one) => ({ ...one, previewSeries: one.previewSeries + 1 }))(state),
      previewed: state.previewed.filter((one) => one !== number),
    });
}

/** A preview link leads to the deployment `number`, also where no color has it. */
export function previewed(number: number): Edit {
  return (state) => ({ ...state, previewed: [...state.previewed, number] });
}

function withDeployment(number: number, change: (one: StoredDeployment) => StoredDeployment): Edit {
  return (state) => ({
    ...state,
    deployments: state.deployments.map((one) => (one.number === number ? change(one) : one)),
  });
}

/** Forgets the oldest deployments that nothing names, beyond the number that is kept. */
export function kept(state: ServiceState): ServiceState {
  const inUse = new Set([
    ...COLORS.map((color) => state[color].deployment),
    ...[...state.draining, ...state.leaving].map(({ deployment }) => deployment),
    ...state.previewed,
    state.lastSwitch?.from,
  ]);
  const idle = state.deployments.filter(({ number }) => !inUse.has(number));
  const surplus = idle.slice(0, Math.max(0, state.deployments.length - DEPLOYMENTS_KEPT));
  if (surplus.length === 0) return state;
  const gone = new Set(surplus.map(({ number }) => number));
  return {
    ...state,
    deployments: state.deployments.filter(({ number }) => !gone.has(number)),
    legacy: state.legacy.filter(([, number]) => !gone.has(number)),
  };
}
