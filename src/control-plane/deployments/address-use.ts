// Pure: which deployments use an address. An address runs one thing today and another tomorrow, so
// two deployments may share one only where they are of the same release.

import { someText } from '../../base/count-text.ts';
import { COLORS } from '../../contract/table.ts';
import { OperatorError } from '../base/problems.ts';
import {
  deploymentOf,
  isCanary,
  type ReleasePlace,
  type ServiceState,
  type StoredDeployment,
  type StoredLeaving,
} from '../store/service-state.ts';

/** Tells where a target leads: two that have a place in common are the same. */
export type PlacesOf = (url: string) => ReadonlySet<string>;

/** Targets are compared as they are written. */
export const asWritten: PlacesOf = (url) => new Set([url]);

export interface AddressUse {
  readonly service: string;
  readonly deployment: StoredDeployment;
  readonly use: 'active' | 'canary' | 'idle' | 'draining';
  /** Those of its targets that are meant. */
  readonly urls: readonly string[];
}

/** Returns every deployment in use, of any service, that shares an address with `urls`. */
export function usesOf(
  urls: readonly string[],
  states: Iterable<ServiceState>,
  placesOf: PlacesOf,
): AddressUse[] {
  const places = new Set(urls.flatMap((url) => [...placesOf(url)]));
  const sharedWith = ({ urls: own }: ReleasePlace): string[] =>
    own.filter((url) => [...placesOf(url)].some((place) => places.has(place)));
  return [...states].flatMap((state) =>
    inUse(state).flatMap(({ deployment, use }): AddressUse[] => {
      const shared = sharedWith(deployment);
      return shared.length === 0 ? [] : [{ service: state.name, deployment, use, urls: shared }];
    }),
  );
}

/** Returns the numbers of all deployments of `state`, also of those that are only kept, at `urls`. */
export function keptAt(
  urls: readonly string[],
  state: ServiceState,
  placesOf: PlacesOf,
): StoredDeployment[] {
  const places = new Set(urls.flatMap((url) => [...placesOf(url)]));
  return state.deployments.filter(({ urls: own }) =>
    own.some((url) => [...placesOf(url)].some((place) => places.has(place))),
  );
}

/** Returns what leaves a deployment of another release than `release`, of `state`, at `urls`. */
export function leavingAt(
  urls: readonly string[],
  state: ServiceState,
  { release, placesOf }: Pick<ReleasePlace, 'release'> & { readonly placesOf: PlacesOf },
): StoredLeaving[] {
  const places = new Set(urls.flatMap((url) => [...placesOf(url)]));
  return state.leaving.filter(({ deployment, urls: own }) => {
    const left = deploymentOf(state, deployment);
    const isOther = left !== undefined && (release === '' || left.release !== release);
    return isOther && own.some((url) => [...placesOf(url)].some((place) => places.has(place)));
  });
}

/** Tells whether two registrations are of one release, so that they may share an address. */
export function isSameRelease(wanted: Pick<ReleasePlace, 'release'>, used: AddressUse): boolean {
  // Without a name, nothing tells a release that was left from the one that came after it.
  if (wanted.release === '') return used.deployment.release === '' && used.use !== 'draining';
  return wanted.release === used.deployment.release;
}

/** Tells whether what is used so may end for another release: new traffic goes there no more. */
export function mayBeEvicted(use: AddressUse['use']): boolean {
  return use !== 'active' && use !== 'canary';
}

/**
 * Returns what refuses a registration of `service` because of other releases at its addresses.
 * `evictIn`: the services in which the caller may end something; undefined: in any.
 */
export function addressInUse(
  service: string,
  uses: readonly AddressUse[],
  evictIn?: readonly string[],
): OperatorError {
  const told = uses.map(
    ({ service: owner, deployment, use, urls }) =>
      `${someText(urls, NAMED_MAX)} ${VERBS[use]} ${nameOf(deployment)}${owner === service ? '' : ` of ${owner}`}`,
  );
  const canEvict = uses.every(({ use, service: owner }) => {
    return mayBeEvicted(use) && (evictIn?.includes(owner) ?? true);
  });
  const mayEnd = uses.every(({ use }) => mayBeEvicted(use));
  const next = canEvict
    ? 'wait until it has ended, use other addresses, or say "evict": true to take them over'
    : `${mayEnd && evictIn?.length === 0 ? 'wait until it has ended, or ' : ''}use other addresses`;
  return new OperatorError('address-in-use', `${someText(told, NAMED_MAX, '; ')}: ${next}`, {
    members: {
      uses: uses.map(({ service: owner, deployment: { number, release }, use, urls }) => {
        return { service: owner, deployment: number, release, use, targets: urls };
      }),
    },
  });
}

const VERBS = {
  active: 'gets the traffic of',
  canary: 'gets a share of the traffic of',
  idle: 'is registered for',
  draining: 'is still drained by',
} as const;

/** Returns the name of a deployment for people: `v42 (deployment 17)`. */
export function nameOf({ number, release }: Pick<StoredDeployment, 'number' | 'release'>): string {
  return release === '' ? `deployment ${number}` : `${release} (deployment ${number})`;
}

/** Returns the names of several. */
export function namesOf(deployments: readonly StoredDeployment[]): string {
  return someText(deployments.map(nameOf), NAMED_MAX);
}

const NAMED_MAX = 4;

function inUse(state: ServiceState): Pick<AddressUse, 'deployment' | 'use'>[] {
  const found: Pick<AddressUse, 'deployment' | 'use'>[] = [];
  const add = (number: number, use: AddressUse['use']): void => {
    const deployment = deploymentOf(state, number);
    if (deployment !== undefined) found.push({ deployment, use });
  };
  const draining = new Set(state.draining.map(({ deployment }) => deployment));
  for (const color of COLORS) {
    const number = state[color].deployment;
    if (color === state.active) add(number, 'active');
    else if (isCanary(state, number)) add(number, 'canary');
    // What drains is told as that, also where its color still has it.
    else if (!draining.has(number)) add(number, 'idle');
  }
  for (const number of draining) add(number, 'draining');
  const leaving = state.leaving.flatMap(({ deployment: number, urls }): typeof found => {
    const deployment = deploymentOf(state, number);
    return deployment ? [{ deployment: { ...deployment, urls }, use: 'draining' }] : [];
  });
  return [...found.filter(({ deployment }) => deployment.takenOver === undefined), ...leaving];
}
