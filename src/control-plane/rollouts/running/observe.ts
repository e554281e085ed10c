// What a rollout sees of the world: whether its deployments are up, what is left on those that it has
// left, and whether traffic is still where it has put it. Reads; changes nothing.

import type { ServiceState } from '../../store/service-state.ts';
import type { Deployment, RoutingTable } from '../../../contract/table.ts';
import { statusOf, type DrainCounts } from '../../switching/drain-status.ts';
import type { HealthOf, TargetHealth } from '../../switching/checks/switch-check.ts';
import type { Seen } from '../machine/next.ts';
import { holdsService, type Leg, type Rollout, type Side } from '../machine/rollout-record.ts';

export interface World {
  readonly table: RoutingTable;
  readonly states: ReadonlyMap<string, ServiceState>;
  readonly health: HealthOf;
  readonly drains: DrainCounts;
}

/** Returns what is to be known in this moment. */
export function seenOf(rollout: Rollout, world: World): Seen {
  const targets = rollout.legs.flatMap(({ service, to }) => targetsOf(service, to, world));
  const up = targets.filter(({ state }) => state === 'up');
  const isUp = targets.length > 0 && up.length === targets.length;
  const { isSafeToStop, isDrained } =
    rollout.stage === 'draining' ? drainedOf(rollout.legs, world) : NOT_DRAINED;
  return { isUp, healthText: healthText(targets, up.length), isSafeToStop, isDrained };
}

const NOT_DRAINED = { isSafeToStop: false, isDrained: false };

/**
 * Returns what is to be told where every target of a new deployment is down, and the old one could
 * serve; empty: that is not so.
 */
export function downText({ legs }: Rollout, world: World): string {
  for (const { service, from, to } of legs) {
    const targets = targetsOf(service, to, world);
    const isDown = targets.length > 0 && targets.every(({ state }) => state === 'down');
    const canGoBack = targetsOf(service, from, world).some(({ state }) => state === 'up');
    if (isDown && canGoBack) return `${service}: ${healthText(targets, 0)}`;
  }
  return '';
}

/** Returns how traffic is not where the rollout has put it; empty: it is. */
export function changedText(rollout: Rollout, { table, states }: World): string {
  for (const leg of rollout.legs) {
    const state = states.get(leg.service);
    if (state === undefined || !table.services.some(({ name }) => name === leg.service)) {
      return `${leg.service} is configured no more`;
    }
    if (!isInPlace(rollout, leg, state)) return movedText(leg, state);
  }
  return '';
}

/** Tells whether some services of `rollout` wait for it still. */
export function holdsSome({ id, legs }: Rollout, { states }: Pick<World, 'states'>): boolean {
  return legs.some(({ service }) => states.get(service)?.rollout?.id === id);
}

/** Tells whether a service is as `rollout` has left it. */
export function isInPlace(rollout: Rollout, leg: Leg, state: ServiceState): boolean {
  if (holdsService(rollout) && state.rollout?.id !== rollout.id) return false;
  const { stage, rampEndsAtMs } = rollout;
  // Where a way back runs over a ramp, both ways of it end on the old deployment.
  const isMoved = rampEndsAtMs === undefined && (stage === 'baking' || stage === 'draining');
  const active = state[state.active].deployment;
  return active === (isMoved ? leg.to : leg.from).deployment;
}

function movedText({ service }: Leg, state: ServiceState): string {
  const { lastSwitch } = state;
  const by = lastSwitch === undefined ? '' : ` by ${lastSwitch.actor}`;
  return `${service}: traffic was moved${by} beside this rollout`;
}

function targetsOf(service: string, { deployment }: Side, world: World): NamedHealth[] {
  const found = deploymentIn(world.table, service, deployment);
  return (found?.endpoints ?? []).flatMap((endpoint) =>
    world.health(endpoint).map((health) => ({ ...health, url: endpoint.url })),
  );
}

interface NamedHealth extends TargetHealth {
  readonly url: string;
}

function healthText(targets: readonly NamedHealth[], up: number): string {
  const bad = targets.filter(({ state }) => state !== 'up');
  const reasons = bad.slice(0, 3).map(({ url, state, reason }) => `${url}: ${reason || state}`);
  const more = bad.length > 3 ? [`and ${bad.length - 3} more`] : [];
  const list = [...reasons, ...more].join('; ');
  return `${up} of ${targets.length} targets up${list === '' ? '' : `: ${list}`}`;
}

/** Returns a deployment of a service that a color has; undefined: none has it. */
export function deploymentIn(
  { services }: Pick<RoutingTable, 'services'>,
  name: string,
  number: number,
): Deployment | undefined {
  const service = services.find((one) => one.name === name);
  return service && [service.blue, service.green].find((one) => one.number === number);
}

function drainedOf(legs: readonly Leg[], { table, drains }: World) {
  let isSafeToStop = true;
  let isDrained = true;
  for (const { service: name, from } of legs) {
    const service = table.services.find((one) => one.name === name);
    const drain = service?.draining.find(({ deployment }) => deployment.number === from.deployment);
    if (service === undefined || drain === undefined) continue;
    isDrained = false;
    if (statusOf(service, drain, drains).reasons.length > 0) isSafeToStop = false;
  }
  return { isSafeToStop, isDrained };
}
