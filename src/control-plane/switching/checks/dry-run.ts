// Pure: several steps, each as it would be decided after those before it → what would be refused.
// Changes nothing and asks no target: health is looked at when traffic moves.

import type { RoutingTable } from '../../../contract/table.ts';
import type { OperatorError } from '../../base/problems.ts';
import { refusalsIn } from './refusals.ts';
import {
  activeNumber,
  type ServiceState,
  type StoredDeployment,
} from '../../store/service-state.ts';
import { findService } from '../../deployments/change-request.ts';
import {
  checkAddresses,
  checkLockedOut,
  destination,
  type Destination,
} from '../../deployments/destination.ts';
import {
  checkNotOurs,
  parseTargets,
  registration,
  type RegisterRequest,
  type World,
} from '../../deployments/registration.ts';
import { checkData } from '../../deployments/schema-fit.ts';
import { scaling } from '../../deployments/scaling.ts';
import { switched } from '../../deployments/state-edit.ts';
import type { SwitchingFreeze } from './switching-freeze.ts';

/** What is foreseen is a switch without force. */
const NO_FORCE = { overridesWindows: false } as const;

/** A change that is not made yet. */
export type Step =
  | ({ readonly kind: 'register'; readonly service: string } & RegisterRequest)
  | {
      readonly kind: 'scale';
      readonly service: string;
      /** Number of the deployment. */
      readonly deployment: number;
      readonly targets: readonly string[];
      /** Where they may lead, as far as the caller may say; left out: anywhere. */
      readonly allow?: readonly string[] | undefined;
    }
  | { readonly kind: 'switch'; readonly service: string; readonly to: Destination };

/** What stands in the way of a change. */
export interface Obstacle {
  readonly code: OperatorError['code'];
  readonly detail: string;
}

export interface StepRefusal extends Obstacle {
  /** Index of the step. */
  readonly step: number;
}

/** What the first step finds. */
export interface Before {
  readonly world: World;
  readonly table: RoutingTable;
  readonly freeze: Pick<SwitchingFreeze, 'checkSwitch'>;
  /** Targets of all steps that are listeners of Turnout itself. */
  readonly ours: ReadonlySet<string>;
}

/**
 * Returns what would be refused. Of each service, nothing behind the first step that is refused is
 * looked at, except whether switching is frozen: that does not hang on what steps before it leave.
 */
export function refusalsOf(steps: readonly Step[], before: Before): StepRefusal[] {
  const refusals: StepRefusal[] = [];
  const refused = new Set<string>();
  let { world } = before;
  for (const [step, one] of steps.entries()) {
    const found: Obstacle[] = [];
    if (refused.has(one.service)) {
      if (one.kind === 'switch') {
        found.push(...obstaclesIn([() => before.freeze.checkSwitch(one.service, NO_FORCE)]));
      }
    } else if (one.kind === 'switch') {
      found.push(...obstaclesIn(switchChecks(one, { ...before, world })));
    }
    if (found.length === 0 && !refused.has(one.service)) {
      const run = (): void => {
        world = worldAfter(one, { ...before, world });
      };
      found.push(...obstaclesIn([run]));
    }
    if (found.length === 0) continue;
    refused.add(one.service);
    refusals.push(...found.map((obstacle) => ({ step, ...obstacle })));
  }
  return refusals;
}

/** What may refuse a switch, each by itself. A destination that does not exist is told by the step. */
function switchChecks(
  { service, to: wanted }: Extract<Step, { readonly kind: 'switch' }>,
  { world, table, freeze }: Before,
): (() => void)[] {
  let to: StoredDeployment;
  let state: ServiceState;
  try {
    state = world.services.get(findService(table, service).name)!;
    to = destination(state, wanted);
  } catch {
    return [];
  }
  if (to.number === activeNumber(state)) return [];
  return [
    () => freeze.checkSwitch(state.name, NO_FORCE),
    () => checkLockedOut(state, to),
    () => checkData(state, to),
    () => checkAddresses(state, to, world),
  ];
}

/** Returns what a switch to `to` would be refused for, as far as that is known before it is tried. */
export function obstaclesTo(
  state: ServiceState,
  to: StoredDeployment,
  freeze: Pick<SwitchingFreeze, 'checkSwitch'>,
): Obstacle[] {
  return obstaclesIn([
    () => freeze.checkSwitch(state.name, NO_FORCE),
    () => checkLockedOut(state, to),
    () => checkData(state, to),
  ]);
}

function obstaclesIn(checks: readonly (() => void)[]): Obstacle[] {
  return refusalsIn(checks).map(({ code, message }) => ({ code, detail: message }));
}

/** Returns what a step leaves; throws where it would be refused. */
function worldAfter(step: Step, { world, table, freeze, ours }: Before): World {
  const state = world.services.get(findService(table, step.service).name)!;
  if (step.kind !== 'switch') {
    const { allow } = step;
    const urls = parseTargets(step.targets).map(({ url }) => url);
    checkNotOurs(new Set(urls.filter((url) => ours.has(url))));
    const changed =
      step.kind === 'register'
        ? registration(state, { ...step, urls }, world)
        : scaling(state, { deployment: destination(state, step.deployment), urls, allow }, world);
    if (changed === undefined) return world;
    return { ...withStates(world, changed.states), nextDeployment: changed.nextDeployment };
  }
  const to = destination(state, step.to);
  if (to.number === activeNumber(state)) return world;
  freeze.checkSwitch(state.name, NO_FORCE);
  checkLockedOut(state, to);
  checkData(state, to);
  checkAddresses(state, to, world);
  const after = switched({
    to: to.number,
    movesSessions: false,
    lockOut: undefined,
    epoch: 0,
    nowMs: world.nowMs,
    policy: world.policyOf(state.name),
    outcome: 'switched',
    actor: world.actor,
    longLivedCount: 0,
  });
  return withStates(world, [after(state)]);
}

function withStates(world: World, states: readonly ServiceState[]): World {
  const services = new Map(world.services);
  for (const state of states) services.set(state.name, state);
  return { ...world, services };
}
