// The connections of one worker to one endpoint: idle ones for reuse, a bound on all of them,
// and a bounded queue of exchanges that wait for one.

import { UNREPEATABLE_REUSE_MS } from '../../base/limits.ts';
import type { LiveEndpoint } from '../../contract/table.ts';
import type { Exchange } from '../exchange/exchange.ts';
import type { Plane } from '../plane.ts';
import { H1Target } from './h1-target.ts';

export class EndpointPool {
  readonly endpoint: LiveEndpoint;
  readonly #plane: Plane;
  /** Most recently used last: reuse keeps few connections warm and lets the rest time out. */
  readonly #idle: H1Target[] = [];
  readonly #waiting: Exchange[] = [];
  /** Those among them that were held before: how many those are is bounded already. */
  #heldCount = 0;
  #open = 0;
  #isRetired = false;

  constructor(endpoint: LiveEndpoint, plane: Plane) {
    this.endpoint = endpoint;
    this.#plane = plane;
  }

  /**
   * Gives `exchange` a connection, now or when one is free; `fresh` asks for a new one. Returns
   * false when every connection is busy and the queue is full. The connection reports to the
   * exchange from then on, a failure to connect included.
   */
  serve(exchange: Exchange, fresh: boolean): boolean {
    const reusable = fresh ? undefined : this.#takeIdle(exchange);
    if (reusable !== undefined) {
      reusable.carry(exchange);
      return true;
    }
    const { connectionsMax, waitingMax } = this.#plane.settings.upstream;
    if (this.#open < connectionsMax) {
      this.#connect(exchange);
      return true;
    }
    // All that were held are let go at once: none of them may fail for that, nor make others fail.
    const { wasHeld } = exchange.client;
    if (!wasHeld && this.#waiting.length - this.#heldCount >= waitingMax) return false;
    if (wasHeld) this.#heldCount++;
    this.#waiting.push(exchange);
    return true;
  }

  /** Takes back a connection whose exchange has ended well. */
  release(connection: H1Target): void {
    const next = this.#nextWaiting();
    if (next !== undefined) connection.carry(next);
    else if (this.#isRetired) connection.close();
    else {
      connection.rest();
      this.#idle.push(connection);
    }
  }

  /** Forgets a connection that has closed, and opens another where somebody waits. */
  closed(connection: H1Target): void {
    this.#open--;
    this.#plane.tally.endpointConnections(this.endpoint.slot, -1);
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
    const next = this.#nextWaiting();
    if (next !== undefined) this.#connect(next);
  }

  /** Removes an exchange that waits no longer. */
  leaveQueue(exchange: Exchange): void {
    const index = this.#waiting.indexOf(exchange);
    if (index === -1) return;
    this.#waiting.splice(index, 1);
    if (exchange.client.wasHeld) this.#heldCount--;
  }

  /** Opens idle connections up to `count`; `done` is called when each is open or has failed. */
  preconnect(count: number, done: () => void): void {
    this.#isRetired = false;
    for (let missing = count - this.#open; missing > 0; missing--) {
      this.#connect(undefined).onceSettled = done;
    }
  }

  /** How many `preconnect` would open. */
  missing(count: number): number {
    return Math.max(0, count - this.#open);
  }

  /** No table names the endpoint any more: idle connections close, busy ones when they end. */
  retire(): void {
    this.#isRetired = true;
    for (const connection of this.#idle.slice()) connection.close();
  }

  #nextWaiting(): Exchange | undefined {
    if (this.#waiting.length === 0) return undefined;
    const next = this.#waiting.shift()!;
    if (next.client.wasHeld) this.#heldCount--;
    return next;
  }

  #takeIdle(exchange: Exchange): H1Target | undefined {
    const newest = this.#idle.at(-1);
    if (newest === undefined) return undefined;
    if (!exchange.mayRepeat && newest.idleMs() > UNREPEATABLE_REUSE_MS) return undefined;
    return this.#idle.pop();
  }

  #connect(exchange: Exchange | undefined): H1Target {
    this.#open++;
    this.#plane.tally.endpointConnections(this.endpoint.slot, 1);
    return new H1Target(this.#plane, this, exchange);
  }
}
