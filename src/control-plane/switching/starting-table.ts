// The table that a process begins with: made of configuration and stored state, and durable before
// a worker serves from it. What a reload would refuse is not followed here either: the service stays
// as it was stored, and that is told.

import type { Config } from '../../config/config.ts';
import type { RoutingTable } from '../../contract/table.ts';
import type { Log } from '../base/log.ts';
import { messageOf, StartError } from '../base/problems.ts';
import type { Slots } from '../memory/slots.ts';
import type { Notes, Store, StoredState } from '../store/store.ts';
import { configuredTargets } from '../targets/own-places.ts';
import type { FindPlaces, PlacedTarget } from '../targets/places.ts';
import { ChangeAgreement } from '../publishing/change-agreement.ts';
import type { Objection } from './checks/ask-first.ts';
import { placesFor } from '../deployments/address-places.ts';
import { asWritten, type PlacesOf } from '../deployments/address-use.ts';
import { changeOf, nextEpoch, type Basis } from '../deployments/change.ts';
import { followConfig, urlsOf, type Followed } from '../deployments/follow-config.ts';
import { checkNotOurs } from '../deployments/registration.ts';
import { routingTable } from '../deployments/routing-table.ts';
import { switchingFrozen, windowObjection } from './checks/switching-freeze.ts';

export interface StartingParts {
  readonly config: Config;
  readonly store: Pick<Store, 'commit' | 'outcomeOf'>;
  readonly stored: StoredState;
  readonly slots: Slots;
  /** What is written down with a new decision. */
  readonly notes: (generation: number) => Notes;
  readonly log: Log;
  readonly nowMs: number;
  readonly findPlaces: FindPlaces;
  /** Resolves with the URLs of targets that are listeners of Turnout itself. */
  readonly oursAmong: (targets: readonly PlacedTarget[]) => Promise<ReadonlySet<string>>;
  /** Asks what the configuration gives to active colors before anything is followed. */
  readonly ask: (followed: Followed) => Promise<Objection>;
  /** A process that takes over follows all of its configuration, or does not start. */
  readonly isStrict: boolean;
}

/** What a process begins with. */
export interface Beginning {
  readonly table: RoutingTable;
  /** It is a new decision, which was stored. */
  readonly isNew: boolean;
}

/** Every process numbers its tables from here on. */
const FIRST_VERSION = 1;

/** Returns what is stored, brought to what is configured. */
export async function beginning(parts: StartingParts): Promise<Beginning> {
  const { config, stored, slots, log } = parts;
  await checkTargets(parts);
  const { followed, basis } = await followStored(parts);
  for (const warning of followed.warnings) log.warn({}, warning);
  for (const { error } of followed.refusals) {
    // Without anything stored, there is nothing to go on with.
    if (parts.isStrict || stored.epoch === 0) throw new StartError(error.message, { cause: error });
    log.warn({ code: error.code }, `not followed, what was stored goes on: ${error.message}`);
  }
  const decided = changeOf(basis, followed, { answer: undefined, notes: undefined });
  const isNew = decided.epoch !== stored.epoch;
  if (isNew || followed.states.length > 0) {
    try {
      const agreement = new ChangeAgreement(parts.store);
      const change = isNew ? { ...decided, notes: parts.notes(decided.epoch) } : decided;
      await agreement.reach(change);
    } catch (error) {
      if (isNew) {
        throw new StartError(`the first decision could not be stored: ${messageOf(error)}`, {
          cause: error,
        });
      }
      // Drains that have ended meanwhile can end later: a full disk must not stop a restart.
      log.error(
        { err: error },
        'nothing can be stored; traffic is served as before, changes are refused',
      );
      const states = stored.services;
      const first = { version: FIRST_VERSION, epoch: stored.epoch };
      const table = routingTable({ ...first, configs: config.services, states }, slots);
      return { table, isNew: false };
    }
  }
  return { table: decided.table, isNew };
}

/** As with the addresses in a configuration: it is not one to start with. */
async function checkTargets({
  config,
  oursAmong,
}: Pick<StartingParts, 'config' | 'oursAmong'>): Promise<void> {
  const ours = await oursAmong(configuredTargets(config));
  try {
    checkNotOurs(ours);
  } catch (error) {
    throw new StartError(messageOf(error), { cause: error });
  }
}

async function followStored({
  config,
  stored,
  slots,
  nowMs,
  ask,
  findPlaces,
  isStrict,
}: StartingParts): Promise<{ readonly followed: Followed; readonly basis: Basis }> {
  const basis = { stored, version: FIRST_VERSION, configs: config.services, slots };
  const policies = new Map(config.services.map(({ name, policy }) => [name, policy]));
  const follow = (placesOf: PlacesOf, objection: Objection): Followed =>
    followConfig(config.services, {
      stored,
      epoch: nextEpoch(basis),
      nowMs,
      placesOf,
      allow: config.targets.allow,
      policyOf: (service) => policies.get(service)!,
      actor: ACTOR,
      request: { force: false, reason: 'the configuration has changed', actor: ACTOR },
      objection,
    });
  const atOnce = follow(asWritten, () => undefined);
  // Nothing is new, so nothing has to be looked up: a restart is quick.
  if (atOnce.isSilent && atOnce.refusals.length === 0) return { followed: atOnce, basis };
  const urls = config.services.flatMap(({ blue, green }) => [
    ...urlsOf(blue.targets),
    ...urlsOf(green.targets),
  ]);
  const kept = { states: stored.services.values(), table: NO_TABLE };
  const placesOf = await placesFor(urls, kept, findPlaces);
  const followed = follow(placesOf, () => undefined);
  const isRefused = isStrict && followed.refusals.length > 0;
  if (followed.toAsk.length === 0 || isRefused) return { followed, basis };
  const { freeze } = stored;
  if (freeze !== undefined) {
    return { followed: follow(placesOf, () => switchingFrozen(freeze, undefined)), basis };
  }
  const inWindow = windowObjection(config, nowMs);
  const asked = await ask(followed);
  const frozen: Objection = (service) => {
    const own = stored.services.get(service)?.freeze;
    return own && switchingFrozen(own, service);
  };
  const objection: Objection = (service) => frozen(service) ?? inWindow(service) ?? asked(service);
  return { followed: follow(placesOf, objection), basis };
}

const ACTOR = 'configuration';

const NO_TABLE: RoutingTable = { version: 0, epoch: 0, services: [] };
