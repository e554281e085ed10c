// Pure: the table in force + another configuration → the next table. What the configuration has not
// changed stays as it is: active colors, registered releases, drains, holds.

import { isDeepStrictEqual } from 'node:util';
import type { Config, ServiceConfig } from '../../config/config.ts';
import {
  COLORS,
  otherColor,
  type Color,
  type RoutingTable,
  type Service,
} from '../../contract/table.ts';
import {
  configuredText,
  makeSide,
  newService,
  sideText,
  urlsOf,
} from '../switching/table-state.ts';
import { OperatorError } from '../base/problems.ts';
import { drainsAt } from '../switching/registration.ts';
import type { Slots } from '../memory/slots.ts';
import type { StoredService } from '../store/store.ts';

export interface ReloadContext {
  readonly before: Config;
  readonly after: Config;
  /** Services that were configured once come back as they were. */
  readonly stored: ReadonlyMap<string, StoredService>;
  readonly slots: Slots;
  readonly nowMs: number;
}

/** Returns the table of `generation`. Throws `address-in-use` where sessions are in the way. */
export function reloadedTable(
  table: RoutingTable,
  generation: number,
  context: ReloadContext,
): RoutingTable {
  const { before, after, stored, slots, nowMs } = context;
  const services = after.services.map((config): Service => {
    const known = table.services.find(({ name }) => name === config.name);
    const old = before.services.find(({ name }) => name === config.name);
    if (known !== undefined && old !== undefined) return reloaded(known, old, config, context);
    const added = newService(config, stored.get(config.name), { slots, nowMs });
    return added.since === 0 ? { ...added, since: generation } : added;
  });
  const settings = after.dataPlane;
  if (isDeepStrictEqual(settings, before.dataPlane)) return { generation, services };
  return { generation, services, settings };
}

function reloaded(
  service: Service,
  before: ServiceConfig,
  after: ServiceConfig,
  context: ReloadContext,
): Service {
  const { hosts, paths, policy } = after;
  const changed = COLORS.filter((color) => {
    return configuredText(before[color]) !== configuredText(after[color]);
  });
  for (const color of changed) checkSide(service, color, { after, changed, context });
  const sides = changed.map((color) => [color, configuredSide(service, color, after, context)]);
  return { ...service, ...Object.fromEntries(sides), hosts, paths, policy };
}

interface Side {
  readonly after: ServiceConfig;
  /** Colors that are configured in another way. */
  readonly changed: readonly Color[];
  readonly context: ReloadContext;
}

function checkSide(service: Service, color: Color, { after, changed, context }: Side): void {
  const { name, active } = service;
  const urls = urlsOf(after[color].targets);
  if (color === active && urls.length === 0) {
    const why = `${name}: ${color} gets the traffic and would have no target; switch before`;
    throw new OperatorError('no-targets', why);
  }
  const other = otherColor(color);
  const served = changed.includes(other) ? [] : sideText(service[other]).urls;
  const shared = urls.filter((url) => served.includes(url));
  if (shared.length > 0) {
    const why = `${name}: ${shared.join(', ')} is on ${other} already, so a switch would change nothing`;
    throw new OperatorError('address-in-use', why);
  }
  const busy = color === active ? [] : drainsAt(service, urls, context.nowMs);
  if (busy.length === 0) return;
  throw new OperatorError(
    'address-in-use',
    `generation ${busy.join(', ')} of ${name} still drains at a target of ${color}; ` +
      'wait until it has ended, or end it with `turnout drain --evict`',
    { members: { generations: busy } },
  );
}

/** The active color keeps its sessions: its endpoints are exchanged, running requests end there. */
function configuredSide(
  service: Service,
  color: Color,
  after: ServiceConfig,
  { slots }: ReloadContext,
): Service[Color] {
  const { release, targets } = after[color];
  const urls = urlsOf(targets);
  const known = service[color];
  const isSame = isDeepStrictEqual(sideText(known), { release, urls });
  const hasServed = color === service.active || (isSame && known.hasServed);
  const lockedOut = isSame ? known.lockedOut : undefined;
  return makeSide({ service: service.name, color, release, urls, hasServed, lockedOut }, slots);
}
