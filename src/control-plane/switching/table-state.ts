// Pure: configuration + stored state → the table that the workers are born with, and back: what
// of a table is to be stored.

import type { Config, ServiceConfig, SideConfig } from '../../config/config.ts';
import { parseTarget } from '../../config/values/target.ts';
import { assert } from '../../base/assert.ts';
import {
  COLORS,
  type Color,
  type Draining,
  type RoutingTable,
  type Service,
  type Side,
} from '../../contract/table.ts';
import type { ServiceState, StoredDrain, StoredSide, StoredSlot } from '../store/service-state.ts';
import type { Slots } from '../memory/slots.ts';
import type { StoredService, StoredState } from '../store/store.ts';

/**
 * Returns the first routing table. What is stored of a service wins over what is configured:
 * its active color, and the release on a color for as long as the configuration of that color
 * stays the same. The stored generation goes on while the table is the same, and grows when
 * it is not: a generation names one table, also across restarts.
 */
export function firstTable(
  config: Config,
  stored: StoredState,
  slots: Slots,
  nowMs: number,
): RoutingTable {
  const services = config.services.map((service) => {
    return newService(service, stored.services.get(service.name), { slots, nowMs });
  });
  const grown = stored.generation + 1;
  const same = { generation: stored.generation, services };
  if (stored.generation > 0 && stored.fingerprint === fingerprintOf(same)) return same;
  return {
    generation: grown,
    services: services.map((one) => (one.since === 0 ? { ...one, since: grown } : one)),
  };
}

interface Context {
  readonly slots: Slots;
  readonly nowMs: number;
}

/** Returns a service as it begins; `since` is 0 where nothing was stored of it. */
export function newService(
  config: ServiceConfig,
  known: StoredService | undefined,
  { slots, nowMs }: Context,
): Service {
  const { name, hosts, paths, policy } = config;
  const active = known?.active ?? config.active;
  const side = (color: Color): Side => {
    const slot = slotOf(config[color], known?.state[color], color === active);
    return makeSide({ service: name, color, ...slot }, slots);
  };
  const sides = { blue: side('blue'), green: side('green') };
  const draining = (known?.state.draining ?? [])
    .filter(({ endsAtMs }) => endsAtMs > nowMs)
    .map((drain): Draining => {
      const { generation, resumed, startedAtMs, sessionsUntilMs, endsAtMs, longLived } = drain;
      const past = makeSide(
        { service: name, hasServed: true, lockedOut: undefined, ...drain },
        slots,
      );
      return { generation, resumed, side: past, startedAtMs, sessionsUntilMs, endsAtMs, longLived };
    });
  return {
    name,
    hosts,
    paths,
    active,
    // 0: not known before; the caller gives it the generation of the table.
    since: known?.since ?? 0,
    resumed: known?.state.resumed ?? [],
    ...sides,
    // The configuration may have brought back a side that drains.
    draining: draining.filter((one) => one.side.block !== sides[active].block),
    hold: undefined,
    maintenance: known?.state.maintenance,
    policy,
  };
}

function slotOf(
  config: SideConfig,
  known: StoredSlot | undefined,
  isActive: boolean,
): StoredSide & Pick<Side, 'hasServed' | 'lockedOut'> {
  // A color whose configuration was edited begins as configured: its registration is over.
  if (known !== undefined && known.configured === configuredText(config)) {
    const { release, urls, hasServed, lockedOut } = known;
    return { release, urls, hasServed: hasServed || isActive, lockedOut };
  }
  const { release, targets } = config;
  return { release, urls: urlsOf(targets), hasServed: isActive, lockedOut: undefined };
}

/** Returns the side of `release` at `urls`, which were checked before. */
export function makeSide(
  {
    service,
    color,
    release,
    urls,
    hasServed,
    lockedOut,
  }: StoredSide &
    Pick<Side, 'color' | 'hasServed' | 'lockedOut'> & {
      readonly service: string;
    },
  slots: Slots,
): Side {
  return {
    color,
    release,
    hasServed,
    lockedOut,
    block: slots.block({ service, color, release, urls }),
    endpoints: urls.map((url) => {
      const target = parseTarget(url);
      assert(target.ok, 'a target was checked before it was stored');
      return { slot: slots.endpoint({ service, color, url: target.value.url }), ...target.value };
    }),
  };
}

/** Returns what is stored of a service; `sinceAtMs`: when its active color last changed. */
export function storedService(
  service: Service,
  sinceAtMs: number,
  configured: ServiceConfig,
): StoredService {
  const { name, active, since, resumed, maintenance } = service;
  const slot = (color: Color): StoredSlot => ({
    ...sideText(service[color]),
    hasServed: service[color].hasServed,
    lockedOut: service[color].lockedOut,
    configured: configuredText(configured[color]),
  });
  const draining = service.draining.map(({ side, ...drain }): StoredDrain => {
    return { ...drain, color: side.color, ...sideText(side) };
  });
  const slots = { blue: slot('blue'), green: slot('green') };
  const state: ServiceState = { ...slots, resumed, draining, maintenance };
  return { name, active, since, sinceAtMs, state };
}

/** Returns what is stored of all services of a table that `config` has made. */
export function storedServices(
  table: RoutingTable,
  {
    config,
    stored,
    nowMs,
  }: {
    readonly config: Config;
    /** As they were stored before; others are new at `nowMs`. */
    readonly stored: ReadonlyMap<string, StoredService>;
    readonly nowMs: number;
  },
): StoredService[] {
  return table.services.map((service) => {
    const { name } = service;
    const configured = config.services.find((one) => one.name === name)!;
    return storedService(service, stored.get(name)?.sinceAtMs ?? nowMs, configured);
  });
}

/** Returns release and addresses of a side. */
export function sideText({ release, endpoints }: Side): StoredSide {
  return { release, urls: urlsOf(endpoints) };
}

/** Returns where targets are, in normal form. */
export function urlsOf(targets: readonly { readonly url: string }[]): string[] {
  return targets.map(({ url }) => url);
}

/** Returns a text that differs when the configuration of a color does. */
export function configuredText({ release, targets }: SideConfig): string {
  return JSON.stringify([release, urlsOf(targets)]);
}

/** Returns a text that differs exactly when two tables treat a request differently. */
export function fingerprintOf({ services }: RoutingTable): string {
  return JSON.stringify(
    services.map(({ draining, ...service }) => ({
      ...service,
      ...Object.fromEntries(COLORS.map((color) => [color, sideText(service[color])])),
      draining: draining.map(({ side, ...drain }) => [drain, sideText(side)]),
    })),
  );
}
