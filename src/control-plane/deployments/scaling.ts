// Pure: other targets for a deployment that goes on. Some come, some go, at least one stays: so it is
// the same deployment, and no traffic moves to another release.

import { OperatorError } from '../base/problems.ts';
import {
  activeNumber,
  colorWith,
  type ServiceState,
  type StoredDeployment,
} from '../store/service-state.ts';
import { nameOf } from './address-use.ts';
import { checkAllowed } from './allowed-targets.ts';
import { placed, type Changed, type World } from './registration.ts';
import { scaled } from './state-edit.ts';

/** The targets that a deployment shall have. */
export interface WantedTargets {
  readonly deployment: StoredDeployment;
  /** In normal form. */
  readonly urls: readonly string[];
  /** Where they may lead, as far as the caller may say; left out: anywhere. */
  readonly allow?: readonly string[] | undefined;
}

export interface Scaled extends Changed {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Tells whether a deployment can go on with `urls`: it runs where it was, and one target stays. */
export function mayScale(
  { takenOver, urls: own }: StoredDeployment,
  urls: readonly string[],
): boolean {
  return takenOver === undefined && own.some((url) => urls.includes(url));
}

/**
 * Returns what gives a deployment of `state` other targets; undefined when it has them already.
 * `longLivedAt`: how many tunnels and event streams are open at some of its targets.
 */
export function scaling(
  state: ServiceState,
  { deployment, urls, allow }: WantedTargets,
  world: World,
  longLivedAt: (urls: readonly string[]) => number = () => 0,
): Scaled | undefined {
  const { number, urls: before } = deployment;
  const added = urls.filter((url) => !before.includes(url));
  const removed = before.filter((url) => !urls.includes(url));
  checkUse(state, deployment);
  if (added.length + removed.length === 0) return undefined;
  if (removed.length === before.length) throw replacesAll(state, deployment);
  checkPlaces({ added, removed }, world);
  checkAllowed(added, [allow], world.placesOf);
  // Nothing is asked of the targets that stay: they are where they were.
  const after = placed(state, { ...deployment, urls: added }, { world, evict: false });
  const own = after.get(state.name) ?? state;
  const terms = {
    nowMs: world.nowMs,
    policy: world.policyOf(state.name),
    longLivedCount: longLivedAt(removed),
  };
  after.set(state.name, scaled(number, urls, terms)(own));
  const states = [...after.values()];
  return { states, nextDeployment: world.nextDeployment, added, removed };
}

/** Refuses a deployment that gets no traffic and will get none, or that is another app by now. */
function checkUse(state: ServiceState, deployment: StoredDeployment): void {
  const { number, takenOver } = deployment;
  const name = nameOf(deployment);
  if (takenOver !== undefined) {
    const { service, release, deployment: owner } = takenOver;
    throw new OperatorError(
      'address-in-use',
      `${name} does not run at its addresses any more, ${nameOf({ number: owner, release })}` +
        `${service === state.name ? '' : ` of ${service}`} does: register a release instead`,
      { members: { takenOver } },
    );
  }
  const isDraining = state.draining.some((one) => one.deployment === number);
  if (colorWith(state, number) !== undefined || isDraining) return;
  throw new OperatorError(
    'deployment-unknown',
    `${name} is only kept: targets can be changed of one that is active, idle or draining`,
  );
}

/** What can be stopped once it has left must not come back under another name. */
function checkPlaces(
  { added, removed }: Pick<Scaled, 'added' | 'removed'>,
  { placesOf }: Pick<World, 'placesOf'>,
): void {
  for (const url of added) {
    const places = placesOf(url);
    const same = removed.find((one) => [...placesOf(one)].some((place) => places.has(place)));
    if (same === undefined) continue;
    const fault = `${url} leads to the same place as ${same}, which would be taken away`;
    throw new OperatorError('target-invalid', `${fault}: name one of them`, {
      members: { faults: [fault] },
    });
  }
}

function replacesAll(state: ServiceState, deployment: StoredDeployment): OperatorError {
  const { number, urls } = deployment;
  const isActive = number === activeNumber(state);
  const next = isActive
    ? 'register a release on the other color, then switch to it'
    : 'register a release in its place';
  return new OperatorError(
    'replaces-all-targets',
    `${state.name}: ${nameOf(deployment)} would keep none of ${urls.join(', ')}: ` +
      `keep one of them, or ${next}`,
    { members: { deployment: number, targets: urls } },
  );
}
