// The client connections of one worker by the network that they come from, so that no network keeps
// the others out: when all places are taken, the longest idle connection of the network that has
// most of them makes room. Each step costs the same however many connections there are, but for
// the search: it looks at each different number of connections that networks have.
//
//   buckets:   1 ◄─► 2 ◄─► 300      networks that have so many connections,
//              │     │      │       those with an idle one apart
//   networks:  a b   c      d ──► idle seats of d, the longest idle first

import { networkOf } from '../../base/network.ts';
import { LinkedList, type Linked } from './linked-list.ts';

/** Looked at among the idle ones of a network: a response may still be on its way to some. */
const TRIES_MAX = 8;

/** A connection that has a seat. */
export interface SeatHolder {
  /** Closes; false: it has something to do after all. */
  makeRoom(): boolean;
}

/** The place of one connection. */
export class Seat implements Linked<Seat> {
  readonly holder: SeatHolder;
  readonly network: Network;
  isIdle = false;
  hasLeft = false;
  previous: Seat | undefined = undefined;
  next: Seat | undefined = undefined;

  constructor(holder: SeatHolder, network: Network) {
    this.holder = holder;
    this.network = network;
  }
}

class Network implements Linked<Network> {
  readonly name: string;
  readonly idle = new LinkedList<Seat>();
  bucket: Bucket | undefined = undefined;
  previous: Network | undefined = undefined;
  next: Network | undefined = undefined;

  constructor(name: string) {
    this.name = name;
  }
}

/** Networks that have `count` connections. */
class Bucket implements Linked<Bucket> {
  readonly count: number;
  /** The one that got its idle connection first stands first. */
  readonly withIdle = new LinkedList<Network>();
  readonly busy = new LinkedList<Network>();
  /** With fewer, and with more. */
  previous: Bucket | undefined = undefined;
  next: Bucket | undefined = undefined;

  constructor(count: number) {
    this.count = count;
  }

  listOf(network: Network): LinkedList<Network> {
    return network.idle.first === undefined ? this.busy : this.withIdle;
  }

  get isEmpty(): boolean {
    return this.busy.first === undefined && this.withIdle.first === undefined;
  }
}

export class Crowd {
  readonly #networks = new Map<string, Network>();
  /** Below the lowest; has no network. */
  readonly #floor = new Bucket(0);
  #highest: Bucket = this.#floor;

  /** Takes in a connection, which is idle at first; without an address it is a network of its own. */
  enter(holder: SeatHolder, address: string | undefined): Seat {
    const network = this.#networkAt(address) ?? new Network(nameOf(address));
    if (address !== undefined) this.#networks.set(network.name, network);
    const seat = new Seat(holder, network);
    this.#moveTo(network, this.#bucketAbove(network.bucket ?? this.#floor));
    this.rest(seat);
    return seat;
  }

  leave(seat: Seat): void {
    if (seat.hasLeft) return;
    this.wake(seat);
    seat.hasLeft = true;
    const { network } = seat;
    const bucket = network.bucket!;
    if (bucket.count > 1) {
      this.#moveTo(network, this.#bucketBelow(bucket));
      return;
    }
    bucket.listOf(network).remove(network);
    network.bucket = undefined;
    this.#drop(bucket);
    if (this.#networks.get(network.name) === network) this.#networks.delete(network.name);
  }

  /** The connection waits for a request from now on. */
  rest(seat: Seat): void {
    const { network } = seat;
    if (seat.isIdle || seat.hasLeft) return;
    seat.isIdle = true;
    const isFirst = network.idle.first === undefined;
    if (isFirst) network.bucket!.busy.remove(network);
    network.idle.append(seat);
    if (isFirst) network.bucket!.withIdle.append(network);
  }

  /** The connection has something to do from now on. */
  wake(seat: Seat): void {
    if (!seat.isIdle) return;
    seat.isIdle = false;
    const { network } = seat;
    const isOnly = seat.previous === undefined && seat.next === undefined;
    if (isOnly) network.bucket!.withIdle.remove(network);
    network.idle.remove(seat);
    if (isOnly) network.bucket!.busy.append(network);
  }

  /**
   * Closes an idle connection so that one from `address` finds room: of the network with most among
   * those with more than its own, else of its own. Returns that network; undefined: there is none.
   */
  makeRoom(address: string | undefined): string | undefined {
    const own = this.#networkAt(address);
    const ownCount = own?.bucket?.count ?? 0;
    for (let bucket = this.#highest; bucket.count > ownCount; bucket = bucket.previous!) {
      const crowded = bucket.withIdle.first;
      if (crowded !== undefined) return closeOneOf(crowded) ? crowded.name : undefined;
    }
    return own?.idle.first !== undefined && closeOneOf(own) ? own.name : undefined;
  }

  #networkAt(address: string | undefined): Network | undefined {
    return address === undefined ? undefined : this.#networks.get(networkOf(address));
  }

  #moveTo(network: Network, bucket: Bucket): void {
    const before = network.bucket;
    before?.listOf(network).remove(network);
    network.bucket = bucket;
    bucket.listOf(network).append(network);
    if (before !== undefined) this.#drop(before);
  }

  #bucketAbove(bucket: Bucket): Bucket {
    const { next, count } = bucket;
    return next?.count === count + 1 ? next : this.#insert(new Bucket(count + 1), bucket);
  }

  #bucketBelow(bucket: Bucket): Bucket {
    const previous = bucket.previous!;
    const count = bucket.count - 1;
    return previous.count === count ? previous : this.#insert(new Bucket(count), previous);
  }

  #insert(bucket: Bucket, below: Bucket): Bucket {
    bucket.previous = below;
    bucket.next = below.next;
    if (below.next === undefined) this.#highest = bucket;
    else below.next.previous = bucket;
    below.next = bucket;
    return bucket;
  }

  #drop(bucket: Bucket): void {
    if (!bucket.isEmpty) return;
    const { previous, next } = bucket;
    previous!.next = next;
    if (next === undefined) this.#highest = previous!;
    else next.previous = previous;
  }
}

/** Many clients may be behind these, so each connection counts as a network of its own. */
const UNNAMED = 'a Unix socket or a trusted proxy';

/** Returns how the network of `address` is called. */
export function nameOf(address: string | undefined): string {
  return address === undefined ? UNNAMED : networkOf(address);
}

function closeOneOf({ idle }: Network): boolean {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const seat = idle.first!;
    if (seat.holder.makeRoom()) return true;
    idle.remove(seat);
    idle.append(seat);
  }
  return false;
}
