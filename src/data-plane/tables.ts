// The routing tables of one worker with their pools: those that were prepared, and the one that
// the shared pointer names. Knows no clients and no requests.

import { assert } from '../base/assert.ts';
import type { NameAddresses, RoutingTable } from '../contract/table.ts';
import type { DataPlaneSettings, Listener } from '../contract/worker-settings.ts';
import { RouteTable } from './routing/table/route-table.ts';
import { Pools } from './targets/pools.ts';
import type { TargetServices } from './targets/target-services.ts';

export class Tables {
  readonly #pointer: Int32Array;
  readonly #pools: Pools;
  readonly #targetTls: TargetServices['targetTls'];
  /** Stands in the names of cookies. */
  readonly #instance: string;
  /** By version, in the order in which they were prepared. */
  readonly #tables = new Map<number, RouteTable>();
  #current: RouteTable | undefined;

  constructor(services: TargetServices, pointer: Int32Array, instance: string) {
    this.#pools = new Pools(services);
    this.#targetTls = services.targetTls;
    this.#pointer = pointer;
    this.#instance = instance;
  }

  /** Returns the table that the pointer names now: one atomic load. */
  current(): RouteTable {
    const version = Atomics.load(this.#pointer, 0);
    if (version !== this.#current?.version) {
      const next = this.#tables.get(version);
      assert(next !== undefined, 'a table is prepared before the pointer names it');
      this.#current = next;
    }
    return this.#current;
  }

  /** Of all tables, also of those that may never come into force. */
  get listeners(): Listener[] {
    return [...this.#tables.values()].flatMap(({ settings }) => settings.listeners);
  }

  /** Makes `table` ready. Without settings it gets those of the latest table, or `usual`. */
  install(table: RoutingTable, usual: DataPlaneSettings): RouteTable {
    const latest = [...this.#tables.values()].at(-1)?.settings ?? usual;
    const settings = table.settings ?? latest;
    this.#targetTls.makeReady(table);
    const routes = new RouteTable(table, settings, {
      poolsOf: (endpoints) => this.#pools.of(endpoints),
      instance: this.#instance,
    });
    this.#tables.set(table.version, routes);
    return routes;
  }

  has(version: number): boolean {
    return this.#tables.has(version);
  }

  /** Says what names lead to, before the first table. */
  learn(names: readonly NameAddresses[]): void {
    this.#pools.learn(names);
  }

  /** Names lead elsewhere: new requests go there in every table, those that run end where they are. */
  resolve(names: readonly NameAddresses[]): void {
    this.#pools.learn(names);
    for (const table of this.#tables.values()) table.renewPools();
    this.#retainPools();
  }

  /**
   * Drops a table and the pools that no other table names; running requests keep theirs. Returns
   * whether it was one that never came into force.
   */
  forget(version: number): boolean {
    if (version === Atomics.load(this.#pointer, 0)) return false;
    this.#tables.delete(version);
    this.#retainPools();
    return version > this.#current!.version;
  }

  /** Closes what may not be used again: see `H1Target.isOutdated`. */
  closeOutdated(): void {
    this.#pools.closeOutdated();
  }

  /** Lets all connections go that carry nothing; for the end of the worker. */
  retire(): void {
    this.#pools.retain([]);
  }

  #retainPools(): void {
    this.#pools.retain([...this.#tables.values()].flatMap((table) => table.pools()));
  }
}
