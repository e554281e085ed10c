// Which deployment or target has which block or row of the shared counters. A number keeps its owner
// for as long as a table names it, and beyond that until it is needed: then the one that was given
// back first gets another owner. No service can take what is kept for the others. Knows nothing of the
// memory itself.

import { BLOCKS_MAX, ENDPOINTS_MAX } from '../../contract/counters.ts';
import { runningOf, type Color, type RoutingTable } from '../../contract/table.ts';
import { OperatorError } from '../base/problems.ts';

export interface BlockOwner {
  readonly service: string;
  readonly color: Color;
  /** Its number; 0 for a color on which nothing is registered. */
  readonly deployment: number;
  readonly release: string;
}

export interface EndpointOwner {
  readonly service: string;
  readonly color: Color;
  readonly deployment: number;
  readonly url: string;
  /** One address of a target that is a name. */
  readonly place?: string;
}

/** What slots must know and do about the memory behind the numbers. */
export interface SlotMemory {
  /** Nothing counts there any more: no request, no connection. */
  isBlockQuiet(block: number): boolean;
  isEndpointQuiet(slot: number): boolean;
  /** Puts everything there back to zero. */
  clearBlock(block: number): void;
  clearEndpoint(slot: number): void;
}

/** A block that has an owner. */
export interface OwnedBlock extends BlockOwner {
  readonly block: number;
  /** Undefined while a table names it; else the higher, the later the last one has gone. */
  readonly leftAt: number | undefined;
}

/** Gives out block numbers (from 1; 0 takes what reached no service) and endpoint slots. */
export class Slots {
  readonly #blocks: Numbers<BlockOwner>;
  readonly #endpoints: Numbers<EndpointOwner>;
  #onClearing: (owner: BlockOwner, block: number) => void = () => {};

  constructor(memory: SlotMemory) {
    this.#blocks = new Numbers<BlockOwner>({
      first: 1,
      end: BLOCKS_MAX,
      what: 'deployments',
      // A deployment that comes back may get another color, and goes on counting.
      keyOf: ({ service, color, deployment }) =>
        deployment === 0 ? `${color} ${service}` : `${deployment}`,
      isQuiet: (block) => memory.isBlockQuiet(block),
      clear: (block, owner) => {
        this.#onClearing(owner, block);
        memory.clearBlock(block);
      },
    });
    this.#endpoints = new Numbers<EndpointOwner>({
      first: 0,
      end: ENDPOINTS_MAX,
      what: 'targets',
      keyOf: ({ deployment, url, place = '' }) => `${deployment} ${url} ${place}`,
      isQuiet: (slot) => memory.isEndpointQuiet(slot),
      clear: (slot) => memory.clearEndpoint(slot),
    });
  }

  /** Returns the block of a deployment. Throws `no-slot`. */
  block(owner: BlockOwner): number {
    return this.#blocks.of(owner);
  }

  /** Returns the slot of one target of a deployment. Throws `no-slot`. */
  endpoint(owner: EndpointOwner): number {
    return this.#endpoints.of(owner);
  }

  /** Says which tables still count; what none of them names may be given to others. */
  retain(tables: readonly RoutingTable[]): void {
    const services = new Set(tables.at(-1)?.services.map(({ name }) => name));
    this.#blocks.share(services);
    this.#endpoints.share(services);
    const named = tables.flatMap(({ services }) => services.flatMap(runningOf));
    this.#blocks.retain(new Set(named.map(({ block }) => block)), () => true);
    this.#endpoints.retain(
      new Set(named.flatMap(({ endpoints }) => endpoints.map(({ slot }) => slot))),
      ({ place }) => place === undefined,
    );
  }

  /** The same for the addresses of names, which tables do not name: `slots` still count. */
  retainPlaces(slots: ReadonlySet<number>): void {
    this.#endpoints.retain(slots, ({ place }) => place !== undefined);
  }

  /** Returns every block that has an owner. */
  blocks(): OwnedBlock[] {
    return this.#blocks.all().map(({ owner, number, leftAt }) => ({
      ...owner,
      block: number,
      leftAt,
    }));
  }

  /** Calls `listener` each time that a block is about to be put back to zero for another owner. */
  onClearing(listener: (owner: BlockOwner, block: number) => void): void {
    this.#onClearing = listener;
  }
}

/** What each service is sure of: both colors and one release that comes. */
const KEPT_MIN = 3;

interface NumbersParts<Owner> {
  readonly first: number;
  readonly end: number;
  readonly what: string;
  /** Differs for owners that are not the same. */
  readonly keyOf: (owner: Owner) => string;
  readonly isQuiet: (number: number) => boolean;
  readonly clear: (number: number, owner: Owner) => void;
}

interface Given<Owner> {
  owner: Owner;
  readonly number: number;
}

/** Numbers and their owners. */
class Numbers<Owner extends { readonly service: string }> {
  readonly #parts: NumbersParts<Owner>;
  readonly #given = new Map<string, Given<Owner>>();
  /** Keys that no table names, in the order in which they were given back. */
  readonly #unused = new Map<string, number>();
  #next: number;
  #left = 0;
  #services: ReadonlySet<string> = new Set();

  constructor(parts: NumbersParts<Owner>) {
    this.#parts = parts;
    this.#next = parts.first;
  }

  of(owner: Owner): number {
    const key = this.#parts.keyOf(owner);
    const known = this.#given.get(key);
    // In use again; the next `retain` says for how long.
    this.#unused.delete(key);
    if (known) {
      known.owner = owner;
      return known.number;
    }
    this.#checkShare(owner);
    const number = this.#next < this.#parts.end ? this.#next++ : this.#takeBack();
    this.#given.set(key, { owner, number });
    return number;
  }

  /** Of those that `isMeant` tells, only `used` count from here on. */
  retain(used: ReadonlySet<number>, isMeant: (owner: Owner) => boolean): void {
    for (const [key, { owner, number }] of this.#given) {
      if (!isMeant(owner)) continue;
      if (used.has(number)) this.#unused.delete(key);
      else if (!this.#unused.has(key)) this.#unused.set(key, this.#left++);
    }
  }

  /** Says which services share the numbers. */
  share(services: ReadonlySet<string>): void {
    this.#services = services;
  }

  /** Half of all numbers is shared out evenly and kept; the other half is for those that come first. */
  #checkShare({ service }: Owner): void {
    const others = [...this.#services].filter((name) => name !== service);
    if (others.length === 0) return;
    const { first, end, what } = this.#parts;
    const count = end - first;
    const kept = Math.max(KEPT_MIN, Math.floor(count / 2 / (others.length + 1)));
    const used = new Map<string, number>();
    for (const [key, { owner }] of this.#given) {
      if (!this.#unused.has(key)) used.set(owner.service, (used.get(owner.service) ?? 0) + 1);
    }
    const own = used.get(service) ?? 0;
    if (own < kept) return;
    const free = count - this.#given.size + this.#unused.size;
    const owed = others.reduce((sum, name) => sum + Math.max(0, kept - (used.get(name) ?? 0)), 0);
    if (free > owed) return;
    throw new OperatorError(
      'no-slot',
      `${service} has ${own} of ${count} ${what}, and what is free is kept for the other services; ` +
        'wait until a drain of it has ended, or evict it',
    );
  }

  all(): (Given<Owner> & { readonly leftAt: number | undefined })[] {
    return Array.from(this.#given, ([key, given]) => ({ ...given, leftAt: this.#unused.get(key) }));
  }

  #takeBack(): number {
    for (const key of this.#unused.keys()) {
      const { number, owner } = this.#given.get(key)!;
      if (!this.#parts.isQuiet(number)) continue;
      this.#given.delete(key);
      this.#unused.delete(key);
      this.#parts.clear(number, owner);
      return number;
    }
    const count = this.#parts.end - this.#parts.first;
    throw new OperatorError(
      'no-slot',
      `${count} ${this.#parts.what} serve, idle or drain already; wait until a drain has ended, or evict it`,
    );
  }
}
