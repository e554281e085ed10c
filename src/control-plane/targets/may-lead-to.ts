// Pure: whether a name may lead where DNS says. Rules come from the setting `targets.allow` and from the
// token that registered the target; a name that is a rule itself is believed.

import type { Address, NamedAddress } from '../../contract/table.ts';
import { TargetRules } from '../../config/values/target-rule.ts';
import type { Place } from './lookup.ts';

/** Rules; undefined and empty: any target will do. */
export type Allowed = readonly string[] | undefined;

/** A name, and where the token that registered it lets it lead. */
interface LeadingName {
  readonly address: Address | NamedAddress;
  readonly allow?: Allowed;
}

/** Tells whether requests may be sent to `place`, to which a name leads; `allow`: the setting. */
export function mayLeadTo(name: LeadingName, place: Place, allow: Allowed): boolean {
  return [name.allow, allow].every((rules) => {
    if (!isLimit(rules)) return true;
    const limit = new TargetRules(rules);
    return limit.hasName(hostOf(name.address)) || limit.hasAddress(place.host);
  });
}

/** Tells whether there is a rule at all. */
export function isLimit(rules: Allowed): rules is readonly string[] {
  return rules !== undefined && rules.length > 0;
}

/** Returns the name or address that an address is written with; empty for a socket. */
export function hostOf(address: Address | NamedAddress): string {
  if (address.kind === 'unix') return '';
  return address.kind === 'srv' ? address.name : address.host;
}
