// Pure: registrations and evictions. May a release be put where it is wanted, and what ends for it?

import { isDeepStrictEqual } from 'node:util';
import { parseTarget, type Target } from '../../config/values/target.ts';
import type { ServicePolicy } from '../../contract/service-policy.ts';
import { otherColor, type Color } from '../../contract/table.ts';
import { OperatorError } from '../base/problems.ts';
import {
  deploymentOf,
  isCanary,
  lockOutOf,
  type ReleaseSchema,
  type ServiceState,
  type StoredDeployment,
} from '../store/service-state.ts';
import type { StoredState } from '../store/store.ts';
import {
  type AddressUse,
  addressInUse,
  isSameRelease,
  keptAt,
  mayBeEvicted,
  leavingAt,
  nameOf,
  usesOf,
  type PlacesOf,
} from './address-use.ts';
import { checkAllowed } from './allowed-targets.ts';
import { checkNotClaimed } from './claim.ts';
import { evictedFrom, hurried, isEvictable, registered, taken, unlocked } from './state-edit.ts';

/** What an operator wants to run on a color. */
export interface Registration {
  readonly color: Color;
  readonly release: string;
  /** In normal form. */
  readonly urls: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Left out: it says nothing of the schema of the data. */
  readonly schema?: ReleaseSchema | undefined;
  /** What another release has at these addresses ends. */
  readonly evict: boolean;
  /** Services in which something may end for it, as far as the caller may say; undefined: any. */
  readonly evictIn?: readonly string[] | undefined;
  /** Where the targets may lead, as far as the caller may say; left out: anywhere. */
  readonly allow?: readonly string[] | undefined;
  /** The release may be switched to although a rollback has locked it out. */
  readonly unlock: boolean;
}

/** The same as it was typed. */
export interface RegisterRequest extends Omit<Registration, 'urls'> {
  readonly targets: readonly string[];
}

/** What a change finds as it is. */
export interface World extends Pick<StoredState, 'services' | 'nextDeployment'> {
  readonly placesOf: PlacesOf;
  /** Where targets may lead at all; empty: anywhere. */
  readonly allow: readonly string[];
  readonly policyOf: (service: string) => ServicePolicy;
  readonly actor: string;
  readonly nowMs: number;
}

/** What a change leaves. */
export interface Changed {
  /** States that have changed. */
  readonly states: readonly ServiceState[];
  readonly nextDeployment: number;
}

/** Returns what registers `wanted` for a service; undefined when it is there already. */
export function registration(
  service: ServiceState,
  wanted: Registration,
  world: World,
): Changed | undefined {
  const { color, release } = wanted;
  const there = deploymentOf(service, service[color].deployment);
  const locked = wanted.unlock ? lockOutOf(service, { release }) : undefined;
  if (there !== undefined && isThere(there, wanted)) {
    if (locked === undefined) return undefined;
    return { states: [unlocked([locked])(service)], nextDeployment: world.nextDeployment };
  }
  if (service.active === color) throw colorActive(service);
  checkNoCanary(service, color);
  checkNotClaimed(service);
  const made = newDeployment(wanted, world);
  const after = placed(service, made, { world, evict: wanted.evict, evictIn: wanted.evictIn });
  const own = after.get(service.name) ?? service;
  after.set(service.name, registered(made)(locked ? unlocked([locked])(own) : own));
  return { states: [...after.values()], nextDeployment: made.number + 1 };
}

/** Returns the deployment that is registered next. */
export function newDeployment(
  {
    color,
    release,
    urls,
    metadata,
    allow,
    schema,
  }: Pick<Registration, 'color' | 'release' | 'urls' | 'metadata' | 'allow' | 'schema'>,
  { nextDeployment, actor, nowMs }: Pick<World, 'nextDeployment' | 'actor' | 'nowMs'>,
): StoredDeployment {
  return {
    number: nextDeployment,
    color,
    release,
    urls,
    metadata,
    actor,
    atMs: nowMs,
    servedSince: 0,
    previewSeries: 0,
    takenOver: undefined,
    ...(allow === undefined ? {} : { allow }),
    ...(schema === undefined ? {} : { schema }),
  };
}

/**
 * Makes room for `made`, a new deployment of `service`: returns the states, by service, in which
 * other releases at its addresses have ended. Throws `address-in-use` where one must not end, and
 * `target-not-allowed`.
 */
export function placed(
  service: ServiceState,
  made: StoredDeployment,
  { world, evict, evictIn }: Pick<Registration, 'evict' | 'evictIn'> & { readonly world: World },
): Map<string, ServiceState> {
  const { services, placesOf, policyOf, nowMs } = world;
  checkAllowed(made.urls, [world.allow, made.allow], placesOf);
  const replaced = service[made.color].deployment;
  const uses = usesOf(made.urls, services.values(), placesOf).filter(
    (used) =>
      used.deployment.number !== made.number &&
      (used.use !== 'idle' || used.deployment.number !== replaced),
  );
  const others = uses.filter((used) => !isSameRelease(made, used));
  const mayEnd = ({ use, service: owner }: AddressUse): boolean =>
    evict && mayBeEvicted(use) && (evictIn?.includes(owner) ?? true);
  if (!others.every(mayEnd)) {
    throw addressInUse(service.name, others, evictIn);
  }
  const by = { service: service.name, deployment: made.number, release: made.release };
  const sharers = new Set(uses.map(({ deployment }) => deployment.number));
  for (const { deployment } of others) sharers.delete(deployment.number);
  const after = new Map<string, ServiceState>();
  for (const state of services.values()) {
    const gone = keptAt(made.urls, state, placesOf).filter(({ number, release }) => {
      const isOther = release === '' || release !== made.release;
      return isOther && number !== made.number && !sharers.has(number);
    });
    const numbers = new Set(gone.map(({ number }) => number));
    const leaving = leavingAt(made.urls, state, { release: made.release, placesOf }).filter(
      ({ deployment }) => deployment !== made.number,
    );
    if (numbers.size + leaving.length === 0) continue;
    const terms = { nowMs, policy: policyOf(state.name) };
    const evicted = evictedFrom(numbers, terms)(hurried(new Set(leaving), terms)(state));
    after.set(state.name, numbers.size === 0 ? evicted : taken(numbers, by)(evicted));
  }
  return after;
}

function isThere(
  there: StoredDeployment,
  { release, urls, metadata, schema }: Registration,
): boolean {
  return (
    there.takenOver === undefined &&
    there.release === release &&
    isDeepStrictEqual(there.urls.toSorted(), [...urls].toSorted()) &&
    isDeepStrictEqual(there.metadata, metadata) &&
    isDeepStrictEqual(there.schema, schema)
  );
}

function colorActive({ name, active }: ServiceState): OperatorError {
  return new OperatorError(
    'color-active',
    `${name}: ${active} gets the traffic; register on ${otherColor(active)}, then switch`,
  );
}

/** Refuses another release, or other targets, for a color while a rollout shifts sessions there. */
export function checkNoCanary(state: ServiceState, color: Color): void {
  const there = deploymentOf(state, state[color].deployment);
  if (there === undefined || !isCanary(state, there.number)) return;
  throw new OperatorError(
    'rollout-running',
    `${state.name}: a rollout shifts sessions to ${nameOf(there)} on ${color}; ` +
      'wait until it has ended, or abort it',
    { members: { deployment: there.number, color } },
  );
}

/** Returns what ends the drain of `number`, or all; undefined when they have ended. */
export function eviction(
  state: ServiceState,
  number: number | undefined,
  { nowMs, policyOf }: Pick<World, 'nowMs' | 'policyOf'>,
): ServiceState | undefined {
  const there = [...state.draining, ...state.leaving].map(({ deployment }) => deployment);
  if (number !== undefined && !there.includes(number)) {
    const told = there.length === 0 ? 'none drains' : `expected one of: ${there.join(', ')}`;
    throw new OperatorError('drain-unknown', told, { members: { deployments: there } });
  }
  const chosen = state.draining.filter(
    (one) => one.deployment === (number ?? one.deployment) && isEvictable(one, nowMs),
  );
  const leaving = state.leaving.filter(
    ({ deployment, longLived }) => deployment === (number ?? deployment) && longLived !== 'cut',
  );
  if (chosen.length + leaving.length === 0) return undefined;
  const numbers = new Set(chosen.map(({ deployment }) => deployment));
  const terms = { nowMs, policy: policyOf(state.name) };
  return evictedFrom(numbers, terms)(hurried(new Set(leaving), terms)(state));
}

/** Returns targets in normal form; throws `target-invalid` with all that is wrong. */
export function parseTargets(targets: readonly string[]): Target[] {
  const parsed = targets.map((target) => ({ target, result: parseTarget(target) }));
  const faults = parsed.flatMap(({ target, result }) =>
    result.ok ? [] : [`${target}: ${result.problem}`],
  );
  const found = parsed.flatMap(({ result }) => (result.ok ? [result.value] : []));
  if (new Set(found.map(({ url }) => url)).size < found.length) {
    faults.push('expected each target once');
  }
  if (faults.length > 0) throw invalidTargets(faults);
  return found;
}

/** Refuses targets that are listeners of Turnout itself: requests would go in circles. */
export function checkNotOurs(ours: ReadonlySet<string>): void {
  if (ours.size === 0) return;
  const faults = [...ours].map(
    (url) => `${url} is a listener of Turnout itself: expected the address of an app`,
  );
  throw invalidTargets(faults);
}

function invalidTargets(faults: readonly string[]): OperatorError {
  return new OperatorError('target-invalid', faults.join('; '), { members: { faults } });
}
