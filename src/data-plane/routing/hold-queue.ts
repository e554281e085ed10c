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

/** The place of one waiter; given back with `leave`. */
export interface Ticket {
  readonly waiter: Waiter;
  readonly service: string;
  readonly block: number;
  /** Why it waits, and until when. */
  readonly hold: Hold;
  bytes: number;
}

/** What waits for one service. */
interface Lot {
  /** In the order they came. */
  readonly tickets: Set<Ticket>;
  bytes: number;
  readonly bytesMax: number;
}

export class HoldQueue {
  readonly #tally: Tally;
  readonly #lots = new Map<string, Lot>();

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** Tells whether one more request of `bytes` may wait. */
  hasRoom(service: RoutedService, bytes: number): boolean {
    const lot = this.#lots.get(service.name);
    if (lot === undefined) return service.heldRequestsMax > 0 && bytes <= service.heldBytesMax;
    return lot.tickets.size < service.heldRequestsMax && lot.bytes + bytes <= service.heldBytesMax;
  }

  enter(waiter: Waiter, service: RoutedService, bytes: number): Ticket {
    const { name, active, hold, heldBytesMax } = service;
    assert(hold !== undefined, 'nobody waits for a service that is not held');
    const ticket: Ticket = { waiter, service: name, block: active.block, hold, bytes };
    let lot = this.#lots.get(name);
    if (lot === undefined) this.#lots.set(name, (lot = newLot(heldBytesMax)));
    lot.tickets.add(ticket);
    this.#tally.held(ticket.block, 1);
    fill(lot, bytes);
    return ticket;
  }

  /** More of the same client has come in. */
  grow(ticket: Ticket, bytes: number): void {
    ticket.bytes += bytes;
    fill(this.#lots.get(ticket.service)!, bytes);
  }

  /** Gives a place back; once is enough. */
  leave(ticket: Ticket | undefined): void {
    if (ticket === undefined) return;
    const lot = this.#lots.get(ticket.service);
    if (lot?.tickets.delete(ticket) !== true) return;
    lot.bytes -= ticket.bytes;
    if (lot.tickets.size === 0) this.#lots.delete(ticket.service);
    this.#tally.held(ticket.block, -1);
  }

  /** Has all of them decided on anew whose service `table` does not hold, or in another way. */
  follow(table: RouteTable): void {
    for (const [name, lot] of Array.from(this.#lots)) {
      const hold = table.services.find((one) => one.name === name)?.hold;
      const tickets = Array.from(lot.tickets);
      if (hold !== undefined && tickets.every((ticket) => isSame(ticket.hold, hold))) continue;
      // Who still has to wait comes in again behind the others: all do, so their order stays.
      for (const { waiter } of tickets) waiter.resume();
    }
  }

  /** Lets everybody go for good: the worker stops. */
  letAllGo(): void {
    for (const lot of this.#lots.values()) {
      for (const { waiter } of Array.from(lot.tickets)) waiter.waitNoLonger();
    }
  }
}

/** Counts what has come in. Once there is as much as may be, nothing is read any more. */
function fill(lot: Lot, bytes: number): void {
  const wasFull = lot.bytes >= lot.bytesMax;
  lot.bytes += bytes;
  if (wasFull || lot.bytes < lot.bytesMax) return;
  // All of them: each could bring a whole read buffer before it is heard of again.
  for (const { waiter } of lot.tickets) waiter.pauseReading();
}

function isSame(a: Hold, b: Hold): boolean {
  return a.methods === b.methods && a.untilMs === b.untilMs;
}

function newLot(bytesMax: number): Lot {
  return { tickets: new Set(), bytes: 0, bytesMax };
}
