// Pure: configuration + stored state → the state that follows it. A start, a restart, an upgrade and
// a reload all go through here, so that they accept and refuse the same with the same words. What the
// configuration has not changed since it was last followed stays as operators have left it.

import { isDeepStrictEqual } from 'node:util';
import type { ServiceConfig, SideConfig } from '../../config/config.ts';
import { COLORS, otherColor, type Color } from '../../contract/table.ts';
import { OperatorError } from '../base/problems.ts';
import {
  activeNumber,
  deploymentOf,
  emptyState,
  type ReleaseSchema,
  type ServiceState,
  type StoredDeployment,
} from '../store/service-state.ts';
import type { SwitchRecord } from '../store/store.ts';
import type { ChangeRequest } from './change-request.ts';
import { switchRecord, type Decided } from './change.ts';
import { checkNotClaimed } from './claim.ts';
import { checkLockedOut } from './destination.ts';
import { checkNoCanary, newDeployment, placed, type World } from './registration.ts';
import { checkData } from './schema-fit.ts';
import { mayScale, scaling, type WantedTargets } from './scaling.ts';
import {
  held,
  registered,
  replaced,
  kept,
  named,
  schemaTold,
  withoutDrains,
  leavingKey,
} from './state-edit.ts';

/** What the configuration wants, and may not have. */
interface ConfigRefusal {
  readonly service: string;
  readonly color: Color;
  readonly error: OperatorError;
}

/** What follows from a configuration. */
export interface Followed extends Required<
  Pick<Decided, 'states' | 'nextDeployment' | 'isSilent'>
> {
  readonly records: readonly SwitchRecord[];
  /** What an operator should know of. */
  readonly warnings: readonly string[];
  /** What was refused stays as it was. */
  readonly refusals: readonly ConfigRefusal[];
  /** New targets of active deployments: they are to be asked before traffic goes there. */
  readonly toAsk: readonly StoredToAsk[];
}

/** A deployment that is about to get the traffic of its service. */
interface StoredToAsk {
  readonly service: string;
  readonly color: Color;
  readonly deployment: StoredDeployment;
}

export interface FollowParts extends Omit<World, 'services' | 'nextDeployment'> {
  readonly stored: Pick<World, 'services' | 'nextDeployment'>;
  /** The epoch that the decision begins, if there is one. */
  readonly epoch: number;
  readonly request: Pick<ChangeRequest, 'force' | 'reason' | 'actor'>;
  /** Why the active deployment of a service must stay; undefined: it may be another. */
  readonly objection: (service: string) => OperatorError | undefined;
}

/** Returns what follows from `configs`. */
export function followConfig(configs: readonly ServiceConfig[], parts: FollowParts): Followed {
  const services = new Map<string, ServiceState>();
  // Services that are configured no more keep their state, but claim no address.
  for (const { name } of configs) {
    const state = parts.stored.services.get(name);
    if (state !== undefined) services.set(name, tidied(state, parts.nowMs));
  }
  const walk: Walk = {
    parts,
    services,
    nextDeployment: parts.stored.nextDeployment,
    records: [],
    warnings: [],
    refusals: [],
    toAsk: [],
    isSilent: true,
  };
  for (const config of configs) {
    if (!services.has(config.name)) begin(walk, config);
    else for (const color of COLORS) follow(walk, config, color);
  }
  const states = [...services.values()].filter(
    (state) => parts.stored.services.get(state.name) !== state,
  );
  const { nextDeployment, records, warnings, refusals, toAsk, isSilent } = walk;
  return { states, nextDeployment, records, warnings, refusals, toAsk, isSilent };
}

interface Walk extends Omit<World, keyof FollowParts> {
  readonly parts: FollowParts;
  readonly services: Map<string, ServiceState>;
  nextDeployment: number;
  readonly records: SwitchRecord[];
  readonly warnings: string[];
  readonly refusals: ConfigRefusal[];
  readonly toAsk: StoredToAsk[];
  isSilent: boolean;
}

/** What has ended while no process ran is forgotten. */
function tidied(state: ServiceState, nowMs: number): ServiceState {
  const over = state.draining.filter(({ endsAtMs }) => endsAtMs <= nowMs);
  const gone = state.leaving.filter(({ endsAtMs }) => endsAtMs <= nowMs);
  const { hold } = state;
  const isHoldOver = hold !== undefined && hold.untilMs <= nowMs;
  const after = isHoldOver ? held(undefined)(state) : state;
  return withoutDrains(after, {
    deployments: new Set(over.map(({ deployment }) => deployment)),
    leaving: new Set(gone.map((one) => leavingKey(one.deployment, one.startedAtMs))),
  });
}

/** A service that nothing is stored of begins as it is configured. */
function begin(walk: Walk, config: ServiceConfig): void {
  const { name } = config;
  const active = activeUnderOldName(walk, config) ?? config.active;
  const { nowMs, epoch } = walk.parts;
  walk.services.set(name, emptyState(name, active, nowMs));
  walk.isSilent = false;
  for (const color of COLORS) {
    orRefused(walk, { service: name, color }, () => {
      const made = register(walk, config, color);
      if (made === undefined || color !== active) return;
      set(walk, name, (state) => ({
        ...state,
        deployments: state.deployments.map((one) =>
          one.number === made.number ? { ...one, servedSince: epoch } : one,
        ),
      }));
      set(walk, name, schemaTold(made.number, made.schema));
    });
  }
}

/**
 * A service that is gone had the very same colors: this one has another name, no more, so the color
 * that operators have made active there stays active. Returns that color.
 */
function activeUnderOldName({ parts, services, warnings }: Walk, config: ServiceConfig) {
  const { name } = config;
  const before = [...parts.stored.services.values()].find(
    (state) =>
      !services.has(state.name) &&
      COLORS.every((color) => state[color].configured === configuredText(config[color])),
  );
  if (before === undefined) return undefined;
  warnings.push(
    `${name} is taken for ${before.name} under another name: ${before.active} stays active there; ` +
      'sessions, drains and history do not move along',
  );
  return before.active;
}

/** Follows what the configuration says of one color, if it says something else than before. */
function follow(walk: Walk, config: ServiceConfig, color: Color): void {
  const state = walk.services.get(config.name)!;
  const configured = configuredText(config[color]);
  if (state[color].configured === configured) return;
  orRefused(walk, { service: config.name, color }, () => {
    if (change(walk, config, color)) walk.isSilent = false;
    note(walk, config.name, color, configured);
  });
}

/** Runs `work`; what it refuses stays as it was. */
function orRefused(
  { refusals }: Walk,
  what: Pick<ConfigRefusal, 'service' | 'color'>,
  work: () => void,
): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    refusals.push({ ...what, error });
  }
}

/** Returns false where the color is as it is configured already. */
function change(walk: Walk, config: ServiceConfig, color: Color): boolean {
  const { name } = config;
  const state = walk.services.get(name)!;
  const { release, schema, targets } = config[color];
  const urls = urlsOf(targets);
  const there = deploymentOf(state, state[color].deployment);
  const isActive = state.active === color;
  if (there !== undefined && there.release === release && isSameSet(there.urls, urls)) {
    return tell(walk, config, there, schema);
  }
  checkNoCanary(state, color);
  if (urls.length === 0) {
    if (there === undefined) return false;
    if (isActive) throw wouldBeEmpty(name, color);
    set(walk, name, (one) => kept({ ...one, [color]: { ...one[color], deployment: 0 } }));
    return true;
  }
  // A file that begins to name what runs there already brings no other release, and no new address.
  if (there?.release === '' && isSameSet(there.urls, urls)) {
    set(walk, name, named(there.number, release));
    tell(walk, config, there, schema);
    return true;
  }
  if (there !== undefined && there.release === release && mayScale(there, urls)) {
    scale(walk, state, { deployment: there, urls });
    tell(walk, config, there, schema);
    return true;
  }
  checkNotClaimed(state);
  if (!isActive) return register(walk, config, color) !== undefined;
  const objection = walk.parts.objection(name);
  if (objection !== undefined) throw objection;
  replaceActive(walk, config, color);
  return true;
}

/**
 * What runs there is the same, and says something of the schema of the data. A file that says nothing
 * leaves what is known. Returns false where nothing is new.
 */
function tell(
  walk: Walk,
  { name }: ServiceConfig,
  { number, schema: before }: StoredDeployment,
  schema: ReleaseSchema | undefined,
): boolean {
  if (schema === undefined || isDeepStrictEqual(before, schema)) return false;
  set(walk, name, schemaTold(number, schema));
  return true;
}

/** A deployment goes on with other targets. */
function scale(walk: Walk, state: ServiceState, wanted: WantedTargets): void {
  const { states } = scaling(state, wanted, worldOf(walk))!;
  for (const changed of states) walk.services.set(changed.name, changed);
}

/** A new deployment takes the traffic, on the color that is active. */
function replaceActive(walk: Walk, config: ServiceConfig, color: Color): void {
  const { name, policy } = config;
  const { epoch, nowMs, request } = walk.parts;
  const before = walk.services.get(name)!;
  const made = wantedOf(walk, config, color);
  checkLockedOut(before, made);
  if (!request.force) checkData(before, made);
  place(walk, before, made);
  walk.nextDeployment = made.number + 1;
  const terms = { movesSessions: false, lockOut: undefined, longLivedCount: 0 };
  const { actor } = request;
  set(walk, name, replaced(made, { ...terms, epoch, nowMs, policy, outcome: 'switched', actor }));
  const after = walk.services.get(name)!;
  if (activeNumber(before) !== 0) {
    walk.records.push(switchRecord(before, after, { epoch, outcome: 'switched', nowMs, request }));
  }
  walk.toAsk.push({ service: name, color, deployment: made });
}

/** Registers what is configured for a color; returns the deployment, or undefined for no target. */
function register(walk: Walk, config: ServiceConfig, color: Color): StoredDeployment | undefined {
  const { name } = config;
  const configured = configuredText(config[color]);
  if (config[color].targets.length > 0) {
    const made = wantedOf(walk, config, color);
    place(walk, walk.services.get(name)!, made);
    set(walk, name, registered(made));
    walk.nextDeployment = made.number + 1;
    note(walk, name, color, configured);
    return made;
  }
  note(walk, name, color, configured);
  return undefined;
}

/** Returns the deployment that is configured for a color. */
function wantedOf({ parts, nextDeployment }: Walk, config: ServiceConfig, color: Color) {
  const { release, schema, targets } = config[color];
  const { actor } = parts.request;
  const wanted = { color, release, urls: urlsOf(targets), metadata: {}, schema };
  return newDeployment(wanted, { ...parts, nextDeployment, actor });
}

/** Makes room for a deployment; throws where another release is in the way. */
function place(walk: Walk, state: ServiceState, made: StoredDeployment): void {
  // A configuration can't say that something else shall end for it.
  const after = placed(state, made, { world: worldOf(walk), evict: false, evictIn: [] });
  for (const [name, changed] of after) walk.services.set(name, changed);
}

function worldOf({ parts, services, nextDeployment }: Walk): World {
  return { ...parts, services, nextDeployment };
}

function note({ services }: Walk, name: string, color: Color, configured: string): void {
  const state = services.get(name)!;
  services.set(name, { ...state, [color]: { ...state[color], configured } });
}

function set({ services }: Walk, name: string, edit: (state: ServiceState) => ServiceState): void {
  services.set(name, edit(services.get(name)!));
}

function wouldBeEmpty(name: string, color: Color): OperatorError {
  return new OperatorError(
    'no-targets',
    `${name}: ${color} gets the traffic and would have no target; ` +
      `switch to ${otherColor(color)} before, or keep the targets of ${color} in the configuration`,
  );
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return isDeepStrictEqual(a.toSorted(), b.toSorted());
}

/** Tells whether everything that is configured was followed once; what was refused was not. */
export function isFollowed(
  configs: readonly ServiceConfig[],
  states: ReadonlyMap<string, ServiceState>,
): boolean {
  return configs.every((config) => {
    const state = states.get(config.name);
    return COLORS.every((color) => state?.[color].configured === configuredText(config[color]));
  });
}

/** Returns where targets are, in normal form. */
export function urlsOf(targets: readonly { readonly url: string }[]): string[] {
  return targets.map(({ url }) => url);
}

/** Returns a text that differs when the configuration of a color does. */
function configuredText({ release, schema, targets }: SideConfig): string {
  // Without a schema it is what earlier versions have stored.
  const told = schema === undefined ? [] : [schema];
  return JSON.stringify([release, urlsOf(targets), ...told]);
}
