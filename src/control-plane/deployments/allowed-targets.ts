// Pure: whether targets lead where they may. The setting `targets.allow` is for all of them, the rules of
// a token for what is registered with it. A name that is not among the rules is judged by the addresses
// it leads to, now and after each lookup.

import { isIP } from 'node:net';
import { parseTarget } from '../../config/values/target.ts';
import { TargetRules } from '../../config/values/target-rule.ts';
import { OperatorError } from '../base/problems.ts';
import { hostOf, isLimit, type Allowed } from '../targets/may-lead-to.ts';
import { pathIn, placesIn } from '../targets/places.ts';
import type { PlacesOf } from './address-use.ts';

/** Refuses those of `urls` that lead elsewhere than each of `rules` says. */
export function checkAllowed(
  urls: readonly string[],
  rules: readonly Allowed[],
  placesOf: PlacesOf,
): void {
  const limits = rules.flatMap((one) => (isLimit(one) ? [one] : []));
  const refused = urls.flatMap((url) => {
    const limit = limits.find((one) => !isAllowed(url, new TargetRules(one), placesOf));
    return limit === undefined ? [] : [`${url} is not within ${limit.join(', ')}`];
  });
  if (refused.length === 0) return;
  const detail = `${refused.join('; ')}: targets may lead nowhere else`;
  throw new OperatorError('target-not-allowed', detail, { members: { faults: refused } });
}

function isAllowed(url: string, rules: TargetRules, placesOf: PlacesOf): boolean {
  const target = parseTarget(url);
  if (!target.ok) return false;
  const { address } = target.value;
  const places = [...placesOf(url)];
  if (address.kind === 'unix') return places.some((text) => rules.hasPath(pathIn(text) ?? ''));
  if (rules.hasName(hostOf(address))) return true;
  const hosts = places.flatMap(placesIn).map(({ host }) => host);
  // What a name leads to later is judged then; an address is known, whatever was found.
  if (address.kind === 'tcp' && (isIP(address.host) !== 0 || hosts.length === 0)) {
    hosts.push(address.host);
  }
  return hosts.every((host) => rules.hasAddress(host));
}
