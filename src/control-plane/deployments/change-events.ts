// Pure: what is told of a change, from the states before it and after it. The events are stored in the transaction
// of the change, so that none is lost and none is told of what did not come about.

import type { EventDraft } from '../store/rollout-store.ts';
import { deploymentOf, type ServiceState } from '../store/service-state.ts';
import type { SwitchRecord } from '../store/store.ts';

interface Told {
  readonly before: ReadonlyMap<string, ServiceState>;
  readonly after: readonly ServiceState[];
  readonly records: readonly SwitchRecord[];
  /** Deployments from this number on are new. */
  readonly nextDeployment: number;
  readonly generation: number;
  /** Id of the rollout that the change is a step of; empty: none. */
  readonly rollout: string;
  /** In ms since the epoch. */
  readonly nowMs: number;
}

/** Returns what is told of the change, in the order in which it came about. */
export function changeEvents(told: Told): EventDraft[] {
  return told.after.flatMap((after) => {
    const before = told.before.get(after.name);
    return [
      ...registered(after, told),
      ...told.records
        .filter(({ service }) => service === after.name)
        .map((one) => switchEvent(one, told)),
      ...drainsBegun(before, after, told),
      ...(before === undefined ? [] : drainsEnded(before, after, told)),
    ];
  });
}

function eventOf(
  kind: string,
  service: string,
  { rollout, nowMs }: Told,
  data: EventDraft['data'],
): EventDraft {
  return { kind, service, rollout, atMs: nowMs, data };
}

function registered(after: ServiceState, told: Told): EventDraft[] {
  const fresh = after.deployments.filter(({ number }) => number >= told.nextDeployment);
  return fresh.map(({ number, release, color, urls }) => {
    const data = { generation: told.generation, deployment: number, release, color, targets: urls };
    return eventOf('release.registered', after.name, told, data);
  });
}

function switchEvent(record: SwitchRecord, told: Told): EventDraft {
  const { epoch: generation, service, from, to, release, deployment, left } = record;
  const { outcome, forced, reason, actor } = record;
  const named = { generation, from, to, color: to, release, deployment, left };
  return eventOf('switch', service, told, { ...named, outcome, forced, reason, actor });
}

/** A deployment that drains, or targets that leave one. */
interface Drain {
  readonly deployment: number;
  readonly scope: 'deployment' | 'targets';
  readonly targets: readonly string[];
  readonly startedAtMs: number;
  readonly endsAtMs: number;
}

function drainsOf(state: ServiceState): Drain[] {
  const whole = state.draining.map(({ deployment, startedAtMs, endsAtMs }): Drain => {
    const targets = deploymentOf(state, deployment)?.urls ?? [];
    return { deployment, scope: 'deployment', targets, startedAtMs, endsAtMs };
  });
  const parts = state.leaving.map(({ deployment, urls, startedAtMs, endsAtMs }): Drain => {
    return { deployment, scope: 'targets', targets: urls, startedAtMs, endsAtMs };
  });
  return [...whole, ...parts];
}

function drainsBegun(
  before: ServiceState | undefined,
  after: ServiceState,
  told: Told,
): EventDraft[] {
  const known = new Set(before === undefined ? [] : drainsOf(before).map(keyOf));
  const begun = drainsOf(after).filter((drain) => !known.has(keyOf(drain)));
  return begun.map((drain) => eventOf('drain.started', after.name, told, dataOf(drain, after)));
}

/**
 * Once a drain has ended, nothing is sent there any more: its targets may be stopped, unless they are in
 * use again.
 */
function drainsEnded(before: ServiceState, after: ServiceState, told: Told): EventDraft[] {
  const left = new Set(drainsOf(after).map(keyOf));
  const ended = drainsOf(before).filter((drain) => !left.has(keyOf(drain)));
  return ended.flatMap((drain) => {
    const isBack = isInUse(drain, after);
    const atEnd = told.nowMs >= drain.endsAtMs ? 'deadline' : 'drained';
    const data = { ...dataOf(drain, before), how: isBack ? 'resumed' : atEnd };
    const event = eventOf('drain.ended', after.name, told, data);
    return isBack ? [event] : [event, eventOf('drain.safe', after.name, told, data)];
  });
}

function isInUse({ deployment, scope, targets }: Drain, after: ServiceState): boolean {
  const users = [after[after.active].deployment, after.split?.deployment];
  if (scope === 'deployment') return users.includes(deployment);
  const now = deploymentOf(after, deployment);
  return now?.urls.some((url) => targets.includes(url)) ?? false;
}

function dataOf(
  { startedAtMs, endsAtMs, ...drain }: Drain,
  state: ServiceState,
): EventDraft['data'] {
  const { release = '', color = '' } = deploymentOf(state, drain.deployment) ?? {};
  const times = { startedAt: timeOf(startedAtMs), endsAt: timeOf(endsAtMs) };
  return { ...drain, release, color, ...times };
}

/** A deployment that was left twice drains twice. */
function keyOf({ deployment, scope, startedAtMs }: Drain): string {
  return `${scope} ${deployment} ${startedAtMs}`;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
