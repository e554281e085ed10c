// Requests that wait while their service is held: bounded in number and bytes, let go in the
// order in which they came. How long each may wait is not known here.

import { assert } from '../../base/assert.ts';
import type { Hold } from '../../contract/table.ts';
import type { RoutedService } from './table/routed-service.ts';
import type { RouteTable } from './table/route-table.ts';
import type { Tally } from '../base/tally.ts';

/** A request that waits, as the queue sees it. */
export interface Waiter {
  /** Has it decided on anew. */
  resume(): void;
  /** Stops reading from its client until one of these. */
  pauseReading(): void;
}

/** The place of one waiter in the queue; given back with `leave`. */
export interface Place {
  readonly waiter: Waiter;
  readonly service: string;
  /** Of the deployment that would get it now. */
  block: number;
  /** The hold for which it waits. */
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

  /** Gives a place back; to do it again changes nothing. */
  leave(place: Place | undefined): void {
    if (place === undefined) return;
    const queue = this.#queues.get(place.service);
    if (queue?.places.delete(place) !== true) return;
    queue.bytes -= place.bytes;
    if (queue.places.size === 0) this.#queues.delete(place.service);
    this.#tally.held(place.block, -1);
  }

  #move(place: Place, block: number): void {
    this.#tally.held(place.block, -1);
    this.#tally.held(block, 1);
    place.block = block;
  }

  /** Has the requests of a service decided on anew unless `table` holds it in the same way. */
  follow(table: RouteTable): void {
    for (const [name, queue] of Array.from(this.#queues)) {
      const service = table.services.find((one) => one.name === name);
      const hold = service?.hold;
      const places = Array.from(queue.places);
      if (hold !== undefined && places.every((place) => isSame(place.hold, hold))) {
        // A switch was made while they wait: they will go to another deployment.
        for (const place of places) this.#move(place, service!.active.block);
        continue;
      }
      // What still has to wait comes in again behind the others: all do, so their order stays.
      for (const { waiter } of places) waiter.resume();
    }
  }
}

/** Counts bytes that have come in. At the bound, reading stops for all clients of the queue. */
function fill(queue: Queue, bytes: number): void {
  const wasFull = queue.bytes >= queue.bytesMax;
  queue.bytes += bytes;
  if (wasFull || queue.bytes < queue.bytesMax) return;
  // All at once: each could bring a whole read buffer before it is its turn to be stopped.
  for (const { waiter } of queue.places) waiter.pauseReading();
}

function isSame(a: Hold, b: Hold): boolean {
  return a.methods === b.methods && a.untilMs === b.untilMs;
}

function newQueue(bytesMax: number): Queue {
  return { places: new Set(), bytes: 0, bytesMax };
}
