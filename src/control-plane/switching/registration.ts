// Pure: registrations and evictions. May a release take the place of another, and which drains
// end for it?

import { parseTarget } from '../../config/values/target.ts';
import { otherColor, type Color, type Service } from '../../contract/table.ts';
import { makeSide, sideText } from './table-state.ts';
import type { IsOurs } from '../targets/own-places.ts';
import { OperatorError } from '../base/problems.ts';
import type { Slots } from '../memory/slots.ts';
import { evictedFrom, registered, type Edit } from './table-edit.ts';

/** What an operator wants to run on a color. */
export interface Registration {
  readonly color: Color;
  readonly release: string;
  readonly targets: readonly string[];
  /** Drains that use one of the addresses are ended. */
  readonly evict: boolean;
}

interface RegistrationContext {
  readonly slots: Slots;
  readonly isOurs: IsOurs;
  readonly nowMs: number;
}

/** Returns the edit that registers `wanted`; undefined when it is there already. */
export function registration(
  service: Service,
  wanted: Registration,
  { slots, isOurs, nowMs }: RegistrationContext,
): Edit | undefined {
  const { release, color } = wanted;
  const urls = parseTargets(wanted.targets, isOurs);
  if (JSON.stringify(sideText(service[color])) === JSON.stringify({ release, urls }))
    return undefined;
  checkColor(service, color, urls);
  const busy = drainsAt(service, urls, nowMs);
  if (busy.length > 0 && !wanted.evict) throw stillDrains(service, busy);
  const fresh = { hasServed: false, lockedOut: undefined };
  const side = makeSide({ service: service.name, color, release, urls, ...fresh }, slots);
  return registered(side, new Set(busy), nowMs);
}

/** Returns the edit that ends the drain of `generation`, or all; undefined when they have ended. */
export function eviction(
  { draining }: Service,
  generation: number | undefined,
  nowMs: number,
): Edit | undefined {
  const generations = draining.map((one) => one.generation);
  if (generation !== undefined && !generations.includes(generation)) {
    const there =
      generations.length === 0 ? 'none drains' : `expected one of: ${generations.join(', ')}`;
    throw new OperatorError('drain-unknown', there, { members: { generations } });
  }
  const chosen = draining.filter(
    (one) => one.generation === (generation ?? one.generation) && one.sessionsUntilMs > nowMs,
  );
  if (chosen.length === 0) return undefined;
  return evictedFrom(new Set(chosen.map((one) => one.generation)), nowMs);
}

/** Returns the addresses in normal form; throws `target-invalid` with all that is wrong. */
function parseTargets(targets: readonly string[], isOurs: IsOurs): string[] {
  const parsed = targets.map((target) => ({ target, result: parseTarget(target) }));
  const faults = parsed.flatMap(({ target, result }) => {
    if (!result.ok) return [`${target}: ${result.problem}`];
    if (!isOurs(result.value.address)) return [];
    return [`${target} is a listener of Turnout itself: expected the address of an app`];
  });
  const urls = parsed.flatMap(({ result }) => (result.ok ? [result.value.url] : []));
  if (new Set(urls).size < urls.length) faults.push('expected each target once');
  if (faults.length === 0) return urls;
  throw new OperatorError('target-invalid', faults.join('; '), { members: { faults } });
}

function checkColor(service: Service, color: Color, urls: readonly string[]): void {
  const { name, active } = service;
  if (active === color) {
    throw new OperatorError(
      'color-active',
      `${name}: ${color} gets the traffic; register on ${otherColor(color)}, then switch`,
    );
  }
  const served = urlsOf(service[active].endpoints);
  const shared = urls.filter((url) => served.has(url));
  if (shared.length === 0) return;
  throw new OperatorError(
    'address-in-use',
    `${shared.join(', ')} serves ${active}: a switch to ${color} would change nothing there`,
  );
}

/** Generations with sessions that may still go to one of `urls`. */
export function drainsAt({ draining }: Service, urls: readonly string[], nowMs: number): number[] {
  return draining
    .filter(({ side, sessionsUntilMs }) => {
      const used = urlsOf(side.endpoints);
      return sessionsUntilMs > nowMs && urls.some((url) => used.has(url));
    })
    .map(({ generation }) => generation);
}

function stillDrains({ name }: Service, generations: readonly number[]): OperatorError {
  return new OperatorError(
    'address-in-use',
    `generation ${generations.join(', ')} of ${name} still drains there; ` +
      'wait until it has ended, use other addresses, or say "evict": true',
    { members: { generations } },
  );
}

function urlsOf(endpoints: readonly { readonly url: string }[]): Set<string> {
  return new Set(endpoints.map(({ url }) => url));
}
