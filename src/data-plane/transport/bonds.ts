// The target connections that belong to one client connection alone. NTLM and Negotiate log in a
// connection, not a request (RFC 4559 §6): what comes on it next speaks as the one that logged in.
// So a connection on which such a login was offered or begun serves that client only, and ends with
// it. Knows no decision and no socket.

import type { TargetPool } from './transport.ts';

/** More than a client has services behind one address; the one that rests longest closes. */
const BONDS_MAX = 8;

/** A connection that rests between two requests of its client. */
interface BoundConnection {
  close(): void;
}

interface Bond {
  readonly pool: TargetPool;
  readonly connection: BoundConnection;
}

export class Bonds {
  /** The request that runs brings credentials for the connection. */
  hasCredentials = false;
  /** The target has answered these by a challenge: the next request of the client goes on with it. */
  isChallenged = false;
  /** Those that rest, the one that rests longest first. */
  #bonds: readonly Bond[] = [];
  /** The one on which a login goes on. */
  #login: Bond | undefined = undefined;
  #isOver = false;

  /** Where the next request has to go, because a login goes on there: number of the deployment. */
  get loginDeployment(): number | undefined {
    return this.#login?.pool.endpoint.deployment;
  }

  /** A request of the client begins. */
  begin(hasCredentials: boolean): void {
    this.hasCredentials = hasCredentials;
    this.isChallenged = false;
    this.#login = undefined;
  }

  /** The target offers a login of connections. */
  challenge(): void {
    this.isChallenged = this.hasCredentials;
  }

  isLoggingIn(connection: BoundConnection): boolean {
    return this.#login?.connection === connection;
  }

  /** Returns the one of `pools` to which the client has a connection of its own. */
  poolIn(pools: readonly TargetPool[]): TargetPool | undefined {
    for (const { pool } of this.#bonds) if (pools.includes(pool)) return pool;
    return undefined;
  }

  /** Returns the deployments to which the client has a connection of its own. */
  *deployments(): Generator<number> {
    for (const { pool } of this.#bonds) yield pool.endpoint.deployment;
  }

  /** A request has ended: its connection rests until the next one of the client. */
  keep(pool: TargetPool, connection: BoundConnection): void {
    if (this.#isOver) {
      connection.close();
      return;
    }
    const bond = { pool, connection };
    if (this.isChallenged) this.#login = bond;
    const oldest = this.#bonds[0];
    this.#bonds = [...this.#bonds, bond];
    if (this.#bonds.length > BONDS_MAX) oldest!.connection.close();
  }

  /** The connection serves a request, or has closed. */
  drop(connection: BoundConnection): void {
    this.#bonds = this.#bonds.filter((bond) => bond.connection !== connection);
    if (this.isLoggingIn(connection)) this.#login = undefined;
  }

  /** The client sends no further request. */
  end(): void {
    this.#isOver = true;
    const bonds = this.#bonds;
    this.#bonds = [];
    this.#login = undefined;
    for (const { connection } of bonds) connection.close();
  }
}
