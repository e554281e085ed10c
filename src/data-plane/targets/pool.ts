// The connections of one worker to one endpoint: idle ones for reuse, a bound on all of them,
// and a bounded queue of requests that wait for one.

import { assert } from '../../base/assert.ts';
import { LOGIN_STEP_MS, UNREPEATABLE_REUSE_MS } from '../../base/limits.ts';
import type { LiveEndpoint } from '../../contract/table.ts';
import type { Bonds } from '../transport/bonds.ts';
import type { SentRequest, TargetPool } from '../transport/transport.ts';
import { H1Target, type TargetOwner } from './h1-target.ts';
import type { TargetServices } from './target-services.ts';

export class EndpointPool implements TargetPool, TargetOwner {
  readonly endpoint: LiveEndpoint;
  readonly #services: TargetServices;
  /** Most recently used last: reuse keeps few connections warm and lets the rest time out. */
  readonly #idle: H1Target[] = [];
  /** Idle ones, by the client that each serves alone; the one that rests longest first. */
  readonly #bound = new Map<Bonds, H1Target>();
  readonly #waiting: SentRequest[] = [];
  /** Those among them that were held before; the hold queue bounds their number. */
  #heldCount = 0;
  #open = 0;
  /** Its connections begin with a PROXY header: each serves the client that is named there alone. */
  readonly #isTold: boolean;
  #isRetired = false;
  /** Number of the latest trial that was taken. */
  #trial = 0;

  constructor(endpoint: LiveEndpoint, services: TargetServices) {
    this.endpoint = endpoint;
    this.#isTold = endpoint.sendProxy !== undefined;
    this.#services = services;
  }

  serve(request: SentRequest, fresh: boolean): boolean {
    const reusable = fresh ? undefined : (this.#takeBound(request) ?? this.#takeIdle(request));
    if (reusable !== undefined) {
      reusable.carry(request);
      return true;
    }
    const { connectionsMax, waitingMax } = this.#services.settings.upstream;
    if (this.#open >= connectionsMax) this.#makeRoom();
    if (this.#open < connectionsMax) {
      this.#connect(request);
      return true;
    }
    // Requests that were held all come at once: none may fail for that, nor make others fail.
    const { wasHeld } = request;
    if (!wasHeld && this.#waiting.length - this.#heldCount >= waitingMax) return false;
    if (wasHeld) this.#heldCount++;
    this.#waiting.push(request);
    return true;
  }

  takesTrial(trial: number): boolean {
    const isNew = trial !== this.#trial;
    this.#trial = trial;
    return isNew;
  }

  /** Takes back a connection after its request has ended well, or one that was opened ahead. */
  release(connection: H1Target): void {
    if (connection.bonds !== undefined) {
      this.#keepBound(connection, connection.bonds);
      return;
    }
    if (connection.isOutdated) {
      connection.close(); // Opens another where a request waits.
      return;
    }
    const next = this.#nextWaiting();
    if (next !== undefined) connection.carry(next);
    else if (this.#isRetired) connection.close();
    else {
      connection.rest();
      this.#idle.push(connection);
    }
  }

  /** Forgets a connection that has closed, and opens another where a request waits. */
  closed(connection: H1Target): void {
    this.#open--;
    this.#services.tally.endpointConnections(this.endpoint.slot, -1);
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
    this.#dropBound(connection);
    const next = this.#nextWaiting();
    if (next === undefined) return;
    try {
      this.#connect(next);
    } catch (error) {
      next.receiver.onFault(error); // The connection that has closed was not its own.
    }
  }

  leaveQueue(request: SentRequest): void {
    const index = this.#waiting.indexOf(request);
    if (index === -1) return;
    this.#waiting.splice(index, 1);
    if (request.wasHeld) this.#heldCount--;
  }

  /** Opens idle connections up to `count`; `done` is called when each is open or has failed. */
  preconnect(count: number, done: () => void): void {
    this.#isRetired = false;
    for (let missing = this.missing(count); missing > 0; missing--) {
      this.#connect(undefined).onceSettled = done;
    }
  }

  /** How many `preconnect` would open: none where a connection is for a client that has to be named. */
  missing(count: number): number {
    return this.#isTold ? 0 : Math.max(0, count - this.#open);
  }

  /** No table names the endpoint any more: idle connections close, busy ones when they end. */
  retire(): void {
    this.#isRetired = true;
    for (const connection of [...this.#idle, ...this.#bound.values()]) connection.close();
  }

  /** Closes what carries nothing and was made by terms that are over; a login that goes on keeps its own. */
  closeOutdated(): void {
    for (const connection of [...this.#idle, ...this.#bound.values()]) {
      if (connection.isOutdated && !isLoggingIn(connection)) connection.close();
    }
  }

  leave(): void {
    this.retire();
    const waiting = this.#waiting.splice(0);
    this.#heldCount = 0;
    for (const request of waiting) {
      try {
        request.receiver.sendElsewhere();
      } catch (error) {
        request.receiver.onFault(error);
      }
    }
  }

  stay(): void {
    this.#isRetired = false;
  }

  #nextWaiting(): SentRequest | undefined {
    if (this.#waiting.length === 0) return undefined;
    const next = this.#waiting.shift()!;
    if (next.wasHeld) this.#heldCount--;
    return next;
  }

  #takeBound(request: SentRequest): H1Target | undefined {
    if (this.#bound.size === 0) return undefined;
    // It goes on with a login: it is taken however long it has been idle.
    const { bonds } = request;
    const ofLogin = bonds === undefined ? undefined : this.#bound.get(bonds);
    const taken = ofLogin ?? (this.#isTold ? this.#toldOf(request) : undefined);
    if (taken !== undefined) this.#dropBound(taken);
    return taken;
  }

  /** Returns the connection that was told of the client of `request`, if it may still be open. */
  #toldOf(request: SentRequest): H1Target | undefined {
    const connection = this.#bound.get(request.client!.bonds);
    return connection !== undefined && mayReuse(connection, request) ? connection : undefined;
  }

  /** It rests no longer. */
  #dropBound(connection: H1Target): void {
    const { bonds } = connection;
    if (bonds === undefined || this.#bound.get(bonds) !== connection) return;
    this.#bound.delete(bonds);
    bonds.drop(connection);
  }

  #keepBound(connection: H1Target, bonds: Bonds): void {
    if (this.#isRetired) {
      connection.close();
      return;
    }
    // It may have one that rests for too long to be used for what can't be sent again.
    this.#bound.get(bonds)?.close();
    connection.rest();
    this.#bound.set(bonds, connection);
    bonds.keep(this, connection);
    // Once its login has ended: that has to come on one connection.
    if (connection.isOutdated && !isLoggingIn(connection)) connection.close();
    else if (this.#waiting.length > 0) this.#makeRoom();
  }

  /**
   * Closes a connection that rests for one client, so that another can be served: the first has to log
   * in again. Not where a login goes on, unless its next step is overdue.
   */
  #makeRoom(): void {
    for (const connection of this.#bound.values()) {
      if (isLoggingIn(connection) && connection.idleMs() < LOGIN_STEP_MS) continue;
      connection.close();
      return;
    }
  }

  #takeIdle(request: SentRequest): H1Target | undefined {
    const newest = this.#idle.at(-1);
    if (newest === undefined) return undefined;
    return mayReuse(newest, request) ? this.#idle.pop() : undefined;
  }

  #connect(request: SentRequest | undefined): H1Target {
    assert(!this.#isTold || request?.client !== undefined, 'a header names a client');
    const connection = new H1Target(this.#services, this, request);
    this.#open++;
    this.#services.tally.endpointConnections(this.endpoint.slot, 1);
    return connection;
  }
}

function isLoggingIn(connection: H1Target): boolean {
  return connection.bonds?.isLoggingIn(connection) === true;
}

/** The target may be closing it just now: what can't be sent again goes on one that was used lately. */
function mayReuse(connection: H1Target, { mayRepeat }: SentRequest): boolean {
  return mayRepeat || connection.idleMs() <= UNREPEATABLE_REUSE_MS;
}
