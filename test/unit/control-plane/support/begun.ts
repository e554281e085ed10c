// What a process begins with where nothing, or something, is stored: states and a table of them,
// without a store or a daemon.

import type { ServiceConfig } from '../../../../src/config/config.ts';
import type { RoutingTable } from '../../../../src/contract/table.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import type { StoredState } from '../../../../src/control-plane/store/store.ts';
import { asWritten } from '../../../../src/control-plane/deployments/address-use.ts';
import { changeOf, type Basis } from '../../../../src/control-plane/deployments/change.ts';
import {
  followConfig,
  type Followed,
  type FollowParts,
} from '../../../../src/control-plane/deployments/follow-config.ts';
import { NOTHING_STORED, QUIET, serviceConfig } from './fixtures.ts';

/** What tables are made of, beside the configuration. */
export type Stored = Basis['stored'];

/** Lets `stored` follow what is configured, and throws what is refused of it. */
export function followed(
  configs: readonly ServiceConfig[],
  stored: Stored = NOTHING_STORED,
  parts: Partial<FollowParts> = {},
): Followed {
  const found = follow(configs, stored, parts);
  if (found.refusals.length > 0) throw found.refusals[0]!.error;
  return found;
}

/** The same; what is refused is told in the result. */
export function follow(
  configs: readonly ServiceConfig[],
  stored: Stored = NOTHING_STORED,
  parts: Partial<FollowParts> = {},
): Followed {
  const request = { force: false, reason: '', actor: 'configuration' };
  return followConfig(configs, {
    stored,
    epoch: stored.epoch + 1,
    nowMs: 0,
    placesOf: asWritten,
    allow: [],
    policyOf: (name) => configs.find((one) => one.name === name)!.policy,
    actor: request.actor,
    request,
    objection: () => undefined,
    ...parts,
  });
}

/** Returns what is stored once `found` was decided on. */
export function storedAfter(before: Stored, found: Followed): Stored {
  const services = new Map(before.services);
  for (const state of found.states) services.set(state.name, state);
  const epoch = found.isSilent ? before.epoch : before.epoch + 1;
  return { epoch, nextDeployment: found.nextDeployment, services };
}

/** Returns what a process begins with. */
export function begun(
  configs: readonly ServiceConfig[] = [serviceConfig()],
  {
    slots = new Slots(QUIET),
    stored = NOTHING_STORED,
    ...parts
  }: { slots?: Slots; stored?: StoredState } & Partial<Omit<FollowParts, 'stored'>> = {},
): { readonly table: RoutingTable; readonly stored: Stored } {
  const found = followed(configs, stored, parts);
  const basis = { stored, version: 1, configs, slots };
  const { table } = changeOf(basis, found, { answer: undefined, notes: undefined });
  return { table, stored: storedAfter(stored, found) };
}
