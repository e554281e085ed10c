// The pools of one worker: one per live endpoint, for as long as any table leads to it. What a name
// leads to is told apart from the tables, and may change while they stay.

import {
  connectedAs,
  isLive,
  type Endpoint,
  type LiveEndpoint,
  type NameAddresses,
} from '../../contract/table.ts';
import type { TargetPool } from '../transport/transport.ts';
import { EndpointPool } from './pool.ts';
import type { TargetServices } from './target-services.ts';

export class Pools {
  readonly #services: TargetServices;
  /** By slot of the live endpoint, and by what its connections begin with: tables may differ in that. */
  readonly #pools = new Map<string, EndpointPool>();
  /** By slot of the name. */
  #names: ReadonlyMap<number, readonly LiveEndpoint[]> = new Map();

  constructor(services: TargetServices) {
    this.#services = services;
  }

  /** What all names lead to from here on; those that are not among them lead nowhere. */
  learn(names: readonly NameAddresses[]): void {
    this.#names = new Map(names.map(({ slot, endpoints }) => [slot, endpoints]));
  }

  /**
   * Returns the pools of `endpoints` as names lead now, new ones where there is none. Pools outlive
   * tables, so a switch back finds its connections still open.
   */
  of(endpoints: readonly Endpoint[]): readonly EndpointPool[] {
    return endpoints.flatMap((endpoint) => {
      const live = isLive(endpoint) ? [endpoint] : (this.#names.get(endpoint.slot) ?? []);
      return live.map((one) => this.#pool(connectedAs(one, endpoint)));
    });
  }

  /** Drops all but `named`; running requests keep theirs. */
  retain(named: Iterable<TargetPool>): void {
    const kept = new Set(named);
    for (const [key, pool] of this.#pools) {
      if (kept.has(pool)) continue;
      pool.retire();
      this.#pools.delete(key);
    }
  }

  /** Closes idle connections that may not be used again. */
  closeOutdated(): void {
    for (const pool of this.#pools.values()) pool.closeOutdated();
  }

  #pool(endpoint: LiveEndpoint): EndpointPool {
    const key = `${endpoint.slot} ${endpoint.sendProxy ?? ''}`;
    const known = this.#pools.get(key);
    if (known !== undefined && isSame(known.endpoint, endpoint)) return known;
    known?.retire();
    const pool = new EndpointPool(endpoint, this.#services);
    this.#pools.set(key, pool);
    return pool;
  }
}

function isSame(a: LiveEndpoint, b: LiveEndpoint): boolean {
  return a.deployment === b.deployment && a.url === b.url && a.place === b.place;
}
