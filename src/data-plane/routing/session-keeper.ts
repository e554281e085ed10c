// What becomes of the session of one request: it is counted where it belongs, its token is made anew
// when stale, and a client without one gets a new session. Decides nothing about where a request goes.
//
// A session counts once its token has come back: probes and clients without cookies are none. That one
// was given is noted all the same: for a moment, it may still come back.

import { markGiven, markSighting } from '../../contract/session-sightings.ts';
import type { RequestHead } from '../../http/request-head.ts';
import type { ClaimingClient, ClaimParts, Claims } from './claims.ts';
import type { SessionCarrier } from './affinity.ts';
import { mayHideCookie } from './hidden-cookie.ts';
import type { RoutedService, RoutedSide } from './routed-service.ts';
import { newSessionId, sessionToken } from './session-token.ts';

/** What sessions are kept with. */
export interface KeeperParts extends ClaimParts {
  /** Of this worker. */
  readonly sightings: Uint32Array;
}

/** A client whose connection remembers what it was given. */
export interface KeptClient extends ClaimingClient {
  /** The session that a response on this connection gave last. */
  givenSession: GivenSession | undefined;
}

interface GivenSession {
  readonly service: string;
  readonly deployment: number;
  readonly givenS: number;
  readonly field: string;
}

type SessionStart = Pick<HeldSession, 'id' | 'issuedS'>;

const NO_SESSION = { id: '', idHash: 0, issuedS: 0, epoch: 0 } as const;

/** A session that a request has brought, for the moment at which it has to move over. */
export interface HeldSession {
  /** Empty: the request has none. */
  readonly id: string;
  readonly idHash: number;
  readonly issuedS: number;
  readonly epoch: number;
  readonly carrier: SessionCarrier;
}

/** Where a session goes on, and the line of the response that tells the client; often empty. */
export interface MovedSession {
  readonly side: RoutedSide;
  readonly field: string;
}

export class SessionKeeper {
  /** Line of the response that gives the client its session; often empty. */
  field = '';
  readonly #parts: KeeperParts;
  readonly #claims: Claims;

  constructor(parts: KeeperParts, claims: Claims) {
    this.#parts = parts;
    this.#claims = claims;
  }

  /** Keeps the session of a request of `service` that goes to `side`; then see `field`. */
  keep(service: RoutedService, side: RoutedSide, head: RequestHead, client: KeptClient): void {
    this.field = '';
    const { token, side: own } = this.#claims;
    if (own !== undefined) {
      this.#mark(service, own, token.idHash);
      const isStale = service.affinity.isStale(token, this.#parts.wall.seconds);
      if (isStale || token.isLegacy) this.#giveToken(service, own, token);
      return;
    }
    // A tunnel keeps its side by itself, and a request that names its release needs no session.
    if (side !== service.active || head.upgrade) return;
    if (this.#claims.isMoved) {
      // The same session on another side: it keeps its age, and it is counted once.
      this.#mark(service, side, token.idHash);
      this.#giveToken(service, side, token);
    } else if (this.#claims.carrier === 'field') {
      // It may share its connection with others, which must not get this one.
      this.#giveNew(service, side);
    } else if (this.#claims.hasCookie || !mayHideCookie(service.affinity, head)) {
      this.#giveSession(service, side, client);
    }
  }

  /** Returns the session that the request has brought; a tunnel keeps its side by itself. */
  held({ upgrade }: RequestHead): HeldSession {
    const { token, side, carrier } = this.#claims;
    if (side === undefined || upgrade) return { ...NO_SESSION, carrier };
    const { id, idHash, issuedS, epoch } = token;
    return { id, idHash, issuedS, epoch, carrier };
  }

  /** The session goes on at `side`: it keeps its age. Returns the line that tells the client. */
  moved(service: RoutedService, side: RoutedSide, held: HeldSession): string {
    if (held.id === '' || !service.affinity.isOn || held.epoch > side.generation) return '';
    this.#mark(service, side, held.idHash);
    return service.affinity.field(this.#tokenOf(service, side, held), held.carrier);
  }

  /** A client that keeps no cookies gets the same session again on its connection for a while. */
  #giveSession(service: RoutedService, side: RoutedSide, client: KeptClient): void {
    const { name, affinity } = service;
    const { deployment } = side;
    const { wall, sightings } = this.#parts;
    const nowS = wall.seconds;
    const given = client.givenSession;
    // A connection from a trusted proxy carries many clients, and each has a session of its own.
    const isSame =
      given !== undefined &&
      !client.peer.isTrusted &&
      !this.#claims.usesField &&
      given.service === name &&
      given.deployment === deployment &&
      nowS - given.givenS <= affinity.refreshS;
    if (isSame) {
      markGiven(sightings, side.block, nowS);
      this.field = given.field;
      return;
    }
    this.#giveNew(service, side);
    if (this.#claims.usesField) return;
    client.givenSession = { service: name, deployment, givenS: nowS, field: this.field };
  }

  #giveNew(service: RoutedService, side: RoutedSide): void {
    const { wall, sightings } = this.#parts;
    markGiven(sightings, side.block, wall.seconds);
    this.#give(service, side, { id: newSessionId(), issuedS: wall.seconds });
  }

  /** Gives a token of `side` for a session, which is seen now; never one of a lower epoch. */
  #giveToken(
    service: RoutedService,
    side: RoutedSide,
    {
      id,
      issuedS,
      epoch,
    }: { readonly id: string; readonly issuedS: number; readonly epoch: number },
  ): void {
    if (epoch <= side.generation) this.#give(service, side, { id, issuedS });
  }

  #give(service: RoutedService, side: RoutedSide, session: SessionStart): void {
    this.field = service.affinity.field(
      this.#tokenOf(service, side, session),
      this.#claims.carrier,
    );
  }

  /** Returns a token of `side`, seen now. */
  #tokenOf({ name }: RoutedService, side: RoutedSide, { id, issuedS }: SessionStart): string {
    const { deployment, generation: epoch } = side;
    const seenS = this.#parts.wall.seconds;
    return sessionToken(this.#parts.signer, name, { deployment, epoch, id, issuedS, seenS });
  }

  #mark({ affinity }: RoutedService, { block }: RoutedSide, idHash: number): void {
    const slice = Math.floor(this.#parts.wall.seconds / affinity.sliceS);
    markSighting(this.#parts.sightings, { block, slice, idHash });
  }
}
