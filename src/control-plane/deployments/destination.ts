// Pure: which deployment is meant by `green`, `17` or `v42`, and may traffic go to it?

import { COLORS, otherColor, type Color, type LockOut } from '../../contract/table.ts';
import { OperatorError } from '../base/problems.ts';
import {
  colorWith,
  deploymentOf,
  lockOutOf,
  type ServiceState,
  type StoredDeployment,
} from '../store/service-state.ts';
import { addressInUse, isSameRelease, namesOf, nameOf, usesOf } from './address-use.ts';
import type { World } from './registration.ts';

/** A color, a release id, or the number of a deployment. */
export type Destination = string | number;

/** Returns the deployment that is meant. Throws `no-targets` or `deployment-unknown`. */
export function destination(state: ServiceState, to: Destination): StoredDeployment {
  const color = COLORS.find((one) => one === to);
  if (color !== undefined) return onColor(state, color);
  // A release may be called by a number, too: its name comes first.
  const named = state.deployments.filter(({ release }) => release === String(to));
  const found = mostFit(state, named) ?? deploymentOf(state, Number(to));
  if (found !== undefined) return found;
  throw new OperatorError(
    'deployment-unknown',
    `${state.name} keeps no deployment ${to}: expected a color, or one of ${namesOf(state.deployments.toReversed())}`,
    {
      members: {
        deployments: state.deployments.map(({ number, release }) => ({ number, release })),
      },
    },
  );
}

function onColor(state: ServiceState, color: Color): StoredDeployment {
  const found = deploymentOf(state, state[color].deployment);
  if (found !== undefined) return found;
  throw new OperatorError('no-targets', `${state.name}: ${color} has no target`);
}

/** One that a color has before one that none has, the latest first; what was taken over last. */
function mostFit(
  state: ServiceState,
  named: readonly StoredDeployment[],
): StoredDeployment | undefined {
  const rank = ({ number, takenOver }: StoredDeployment): number =>
    takenOver !== undefined ? 2 : colorWith(state, number) === undefined ? 1 : 0;
  return named.toSorted((a, b) => rank(a) - rank(b) || b.number - a.number)[0];
}

/**
 * Returns where a rollback leads that names nothing. Taking back a rollback would bring back what
 * was just fled from, so that is refused: a repeated call must not undo the first.
 */
export function beforeLastSwitch(state: ServiceState): StoredDeployment {
  const { name, lastSwitch } = state;
  if (lastSwitch === undefined) throw noWayBack(`${name} was never switched`);
  const { from, outcome } = lastSwitch;
  if (outcome === 'rolled-back') {
    throw noWayBack(
      `the last change of ${name} was already a rollback to ${state.active}; ` +
        `to go to ${otherColor(state.active)} again, switch`,
    );
  }
  const found = deploymentOf(state, from);
  if (found !== undefined) return found;
  throw noWayBack(`nothing was active on ${name} before the last switch`);
}

function noWayBack(why: string): OperatorError {
  return new OperatorError('nothing-to-roll-back-to', why);
}

/** Refuses a deployment whose addresses belong to another release. */
export function checkAddresses(
  state: ServiceState,
  to: StoredDeployment,
  { services, placesOf }: Pick<World, 'services' | 'placesOf'>,
): void {
  if (to.takenOver !== undefined) {
    const { service, deployment, release } = to.takenOver;
    const owner = nameOf({ number: deployment, release });
    throw new OperatorError(
      'address-in-use',
      `${to.urls.join(', ')}: ${nameOf(to)} does not run there any more, it is the address of ${owner}` +
        `${service === state.name ? '' : ` of ${service}`} now; choose another deployment, or ` +
        'say "force" with a reason',
      { members: { takenOver: to.takenOver } },
    );
  }
  const others = usesOf(to.urls, services.values(), placesOf).filter(
    (used) => used.deployment.number !== to.number && !isSameRelease(to, used),
  );
  if (others.length > 0) throw addressInUse(state.name, others);
}

/** Returns the lock-out that `what` means, also where no deployment of that release is kept any more. */
export function lockOutsOf(state: ServiceState, what: Destination): LockOut[] {
  const named = lockOutOf(state, { release: String(what) });
  const found = named ?? lockOutOf(state, destination(state, what));
  return found === undefined ? [] : [found];
}

/** Refuses a release that was left because it failed; `force` does not override it. */
export function checkLockedOut(state: ServiceState, to: StoredDeployment): void {
  const lockedOut = lockOutOf(state, to);
  if (lockedOut === undefined) return;
  const { actor, atMs, reason, epoch } = lockedOut;
  const at = new Date(atMs).toISOString();
  const why = reason === '' ? 'without a reason' : `because: ${reason}`;
  const color = colorWith(state, to.number);
  throw new OperatorError(
    'release-locked-out',
    `${state.name}: ${actor} rolled back from ${nameOf(to)} at ${at}, ${why}; ` +
      'register another release, or unlock it',
    {
      members: {
        release: to.release,
        deployment: to.number,
        color: color ?? to.color,
        lockedOut: { actor, at, reason, generation: epoch },
      },
    },
  );
}
