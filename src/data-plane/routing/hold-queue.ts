// Requests that wait while their service is held: bounded in number and bytes, let go in the
// order they came. Time is bounded by the clients' own timers.

import { assert } from '../../base/assert.ts';
import type { Hold } from '../../contract/table.ts';
import type { RoutedService } from './routed-service.ts';
import type { RouteTable } from './route-table.ts';
import type { Tally } from '../base/tally.ts';

/** A client whose request waits. */
export interface Waiter {
  /** Decides on its request anew. */
  resume(): void;
  /** The same, but it does not wait again. */
  waitNoLonger(): void;
  /** Nothing more of it is taken until then. */
  pauseReading(): void;
}

/** The place of one waiter in the queue; given back with `leave`. */
export interface Place {
  readonly waiter: Waiter;
  readonly service: string;
  readonly block: number;
  /** Why it waits, and until when. */
  readonly hold: Hold;
  bytes: number;
}

/** What waits for one service. */
interface Queue {
  /** In the order they came. */
  readonly places: Set<Place>;
  bytes: number;
  readonly bytesMax: number;
}

export class HoldQueue {
  readonly #tally: Tally;
  readonly #queues = new Map<string, Queue>();

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** Tells whether one more request of `bytes` may wait. */
  hasRoom(service: RoutedService, bytes: number): boolean {
    const queue = this.#queues.get(service.name);
    if (queue === undefined) return service.heldRequestsMax > 0 && bytes <= service.heldBytesMax;
    return (
      queue.places.size < service.heldRequestsMax && queue.bytes + bytes <= service.heldBytesMax
    );
  }

  enter(waiter: Waiter, service: RoutedService, bytes: number): Place {
    const { name, active, hold, heldBytesMax } = service;
    assert(hold !== undefined, 'only a service that is held has requests that wait');
    const place: Place = { waiter, service: name, block: active.block, hold, bytes };
    let queue = this.#queues.get(name);
    if (queue === undefined) this.#queues.set(name, (queue = newQueue(heldBytesMax)));
    queue.places.add(place);
    this.#tally.held(place.block, 1);
    fill(queue, bytes);
    return place;
  }

  /** More of the same client has come in. */
  grow(place: Place, bytes: number): void {
    place.bytes += bytes;
    fill(this.#queues.get(place.service)!, bytes);
  }

  /** Gives a place back; once is enough. */
  leave(place: Place | undefined): void {
    if (place === undefined) return;
    const queue = this.#queues.get(place.service);
    if (queue?.places.delete(place) !== true) return;
    queue.bytes -= place.bytes;
    if (queue.places.size === 0) this.#queues.delete(place.service);
    this.#tally.held(place.block, -1);
  }

  /** Has all of them decided on anew whose service `table` does not hold, or in another way. */
  follow(table: RouteTable): void {
    for (const [name, queue] of Array.from(this.#queues)) {
      const hold = table.services.find((one) => one.name === name)?.hold;
      const places = Array.from(queue.places);
      if (hold !== undefined && places.every((place) => isSame(place.hold, hold))) continue;
      // What still has to wait comes in again behind the others: all do, so their order stays.
      for (const { waiter } of places) waiter.resume();
    }
  }

  /** Lets all requests go for good: the worker stops. */
  letAllGo(): void {
    for (const queue of this.#queues.values()) {
      for (const { waiter } of Array.from(queue.places)) waiter.waitNoLonger();
    }
  }
}

/** Counts what has come in. Once there is as much as may be, nothing is read any more. */
function fill(queue: Queue, bytes: number): void {
  const wasFull = queue.bytes >= queue.bytesMax;
  queue.bytes += bytes;
  if (wasFull || queue.bytes < queue.bytesMax) return;
  // All of them: each could bring a whole read buffer before it is heard of again.
  for (const { waiter } of queue.places) waiter.pauseReading();
}

function isSame(a: Hold, b: Hold): boolean {
  return a.methods === b.methods && a.untilMs === b.untilMs;
}

function newQueue(bytesMax: number): Queue {
  return { places: new Set(), bytes: 0, bytesMax };
}
