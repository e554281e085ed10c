// Connections for copies to one endpoint: never those of clients, never more than there are places for,
// and no request waits for one. What happens on them is counted nowhere: an idle deployment has no
// traffic, and a copy must not make it unhealthy.

import type { LiveEndpoint } from '../../contract/table.ts';
import { H1Target, type TargetOwner } from '../targets/h1-target.ts';
import type { ConnectionServices } from '../targets/target-services.ts';
import type { SentRequest } from '../transport/transport.ts';

/** The places for connections, which all pools of a worker share. */
export interface ShadowPlaces {
  openCount: number;
  readonly max: number;
}

export class ShadowPool implements TargetOwner {
  readonly endpoint: LiveEndpoint;
  readonly #services: ConnectionServices;
  readonly #places: ShadowPlaces;
  readonly #idle: H1Target[] = [];
  #isRetired = false;

  constructor(endpoint: LiveEndpoint, services: ConnectionServices, places: ShadowPlaces) {
    this.endpoint = endpoint;
    this.#services = services;
    this.#places = places;
  }

  /** Gives `request` a connection now, or returns false; `fresh` asks for a new one. */
  serve(request: SentRequest, fresh: boolean): boolean {
    const idle = fresh ? undefined : this.#idle.pop();
    if (idle !== undefined) {
      idle.carry(request);
      return true;
    }
    if (this.#places.openCount >= this.#places.max) return false;
    this.#connect(request);
    return true;
  }

  release(connection: H1Target): void {
    if (this.#isRetired || connection.isOutdated) {
      connection.close();
      return;
    }
    connection.rest();
    this.#idle.push(connection);
  }

  closed(connection: H1Target): void {
    this.#places.openCount--;
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  get hasIdle(): boolean {
    return this.#idle.length > 0;
  }

  /** Closes a connection that carries nothing; false: there is none. */
  closeIdle(): boolean {
    const oldest = this.#idle[0];
    oldest?.close();
    return oldest !== undefined;
  }

  /** Closes what carries nothing and may not be used again. */
  closeOutdated(): void {
    for (const one of this.#idle.filter(({ isOutdated }) => isOutdated)) one.close();
  }

  /** No copy is sent any more: connections close as soon as they carry nothing. */
  retire(): void {
    this.#isRetired = true;
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  #connect(request: SentRequest): H1Target {
    const connection = new H1Target(this.#services, this, request);
    this.#places.openCount++;
    return connection;
  }
}
