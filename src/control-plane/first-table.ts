// Pure: configuration + stored state → the table that the workers are born with.

import type { Config, ServiceConfig, SideConfig } from '../config/config.ts';
import {
  COLORS,
  type Color,
  type RoutingTable,
  type Service,
  type Side,
} from '../contract/table.ts';
import type { Slots } from './slots.ts';
import type { StoredState } from './store.ts';

/**
 * Returns the first routing table. The stored color of a service wins over the configured
 * one. The stored generation goes on while the routes are the same, and grows when they
 * are not: a generation names one table, also across restarts.
 */
export function firstTable(config: Config, stored: StoredState, slots: Slots): RoutingTable {
  const sameRoutes = stored.generation > 0 && stored.fingerprint === fingerprintOf(config);
  const generation = sameRoutes ? stored.generation : stored.generation + 1;
  const services = config.services.map((service): Service => {
    const known = stored.services.get(service.name);
    return {
      name: service.name,
      hosts: service.hosts,
      paths: service.paths,
      active: known?.active ?? service.active,
      since: known?.since ?? generation,
      blue: side(service.name, 'blue', service.blue, slots),
      green: side(service.name, 'green', service.green, slots),
    };
  });
  return { generation, services };
}

function side(service: string, color: Color, config: SideConfig, slots: Slots): Side {
  return {
    color,
    release: config.release,
    block: slots.block({ service, color, release: config.release }),
    endpoints: config.targets.map((target) => ({
      slot: slots.endpoint({ service, color, url: target.url }),
      url: target.url,
      address: target.address,
      authority: target.authority,
    })),
  };
}

/** Returns a text that differs exactly when two configurations route differently. */
export function fingerprintOf(config: Config): string {
  return JSON.stringify(config.services.map(routesOf));
}

function routesOf({ name, hosts, paths, ...service }: ServiceConfig): unknown {
  const sides = COLORS.map((color) => [
    service[color].release,
    service[color].targets.map((target) => target.url),
  ]);
  return [name, hosts, paths, sides];
}
