// What becomes of the session of one request: it is counted where it belongs, its token is made anew
// when stale, and a client without one gets a new session. Decides nothing about where a request goes.
//
// A session counts once its token has come back: probes and clients without cookies are none. That one
// was given is noted all the same: for a moment, it may still come back.

import { markGiven, markSighting } from '../../../contract/session-sightings.ts';
import type { RequestHead } from '../../../http/heads/request-head.ts';
import type { ClaimingClient, ClaimParts, Claims } from './claims.ts';
import type { SessionCarrier } from '../tokens/affinity.ts';
import { mayHideCookie } from './hidden-cookie.ts';
import type { RoutedService, RoutedDeployment } from '../table/routed-service.ts';
import { newSessionId, sessionToken } from '../tokens/session-token.ts';

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
  readonly deployment: RoutedDeployment;
  readonly field: string;
}

/** Where a request goes, as far as sessions are concerned. */
export interface SessionPlace {
  readonly deployment: RoutedDeployment;
  /** A session may begin, or go on, there. */
  readonly mayBegin: boolean;
  /** Id of the session that begins; empty: any new one. */
  readonly newId: string;
}

export class SessionKeeper {
  /** Line of the response that gives the client its session; often empty. */
  field = '';
  #newId = '';
  readonly #parts: KeeperParts;
  readonly #claims: Claims;

  constructor(parts: KeeperParts, claims: Claims) {
    this.#parts = parts;
    this.#claims = claims;
  }

  /** Keeps the session of a request of `service` that goes `to` a deployment; then see `field`. */
  keep(service: RoutedService, to: SessionPlace, head: RequestHead, client: KeptClient): void {
    const { deployment } = to;
    this.field = '';
    this.#newId = to.newId;
    const { token, deployment: own } = this.#claims;
    if (own !== undefined) {
      this.#mark(service, own, token.idHash);
      const isStale = service.affinity.isStale(token, this.#parts.wall.seconds);
      const isKnown = token.epoch <= own.generation;
      if (isKnown && (isStale || token.isLegacy)) this.#give(service, own, token);
      return;
    }
    // A tunnel keeps its deployment by itself, and a request that names its release needs no session.
    if (!to.mayBegin || head.upgrade) return;
    if (this.#claims.isMoved) {
      // The same session on another deployment: it keeps its age, and it is counted once.
      this.#mark(service, deployment, token.idHash);
      if (token.epoch <= service.epoch) this.#give(service, deployment, token);
    } else if (this.#claims.carrier === 'field') {
      // It may share its connection with others, which must not get this one.
      this.#giveNew(service, deployment);
    } else if (this.#claims.hasCookie || !mayHideCookie(service.affinity, head)) {
      this.#giveSession(service, deployment, client);
    }
  }

  /** Returns the session that the request has brought; a tunnel keeps its deployment by itself. */
  held({ upgrade }: RequestHead): HeldSession {
    const { token, deployment, carrier } = this.#claims;
    if (deployment === undefined || upgrade) return { ...NO_SESSION, carrier };
    const { id, idHash, issuedS, epoch } = token;
    return { id, idHash, issuedS, epoch, carrier };
  }

  /** The session goes on at `deployment`: it keeps its age. Returns the line that tells the client. */
  moved(service: RoutedService, deployment: RoutedDeployment, held: HeldSession): string {
    if (held.id === '' || !service.affinity.isOn || held.epoch > service.epoch) return '';
    this.#mark(service, deployment, held.idHash);
    return service.affinity.field(this.#tokenOf(service, deployment, held), held.carrier);
  }

  /** Returns the session that counts for a request without one, as its connection was given it lately. */
  givenOn({ name, affinity }: RoutedService, { peer, givenSession }: KeptClient) {
    // A connection from a trusted proxy carries many clients, and each has a session of its own.
    const isMeant =
      givenSession !== undefined &&
      !peer.isTrusted &&
      !this.#claims.usesField &&
      givenSession.service === name &&
      this.#parts.wall.seconds - givenSession.givenS <= affinity.refreshS;
    return isMeant ? givenSession : undefined;
  }

  /** A client that keeps no cookies gets the same session again on its connection for a while. */
  #giveSession(service: RoutedService, deployment: RoutedDeployment, client: KeptClient): void {
    const { number } = deployment;
    const { wall, sightings } = this.#parts;
    const nowS = wall.seconds;
    const given = this.givenOn(service, client);
    if (given?.deployment === number) {
      markGiven(sightings, deployment.block, nowS);
      this.field = given.field;
      return;
    }
    this.#giveNew(service, deployment);
    if (this.#claims.usesField) return;
    const { name } = service;
    client.givenSession = { service: name, deployment: number, givenS: nowS, field: this.field };
  }

  #giveNew(service: RoutedService, deployment: RoutedDeployment): void {
    const { wall, sightings } = this.#parts;
    markGiven(sightings, deployment.block, wall.seconds);
    const id = this.#newId || newSessionId();
    this.#give(service, deployment, { id, issuedS: wall.seconds });
  }

  /** Gives a token of `deployment`; to be asked for only by a table that is not older than the last one. */
  #give(service: RoutedService, deployment: RoutedDeployment, session: SessionStart): void {
    this.field = service.affinity.field(
      this.#tokenOf(service, deployment, session),
      this.#claims.carrier,
    );
  }

  /** Returns a token of `deployment`, seen now. */
  #tokenOf(
    { name }: RoutedService,
    deployment: RoutedDeployment,
    { id, issuedS }: SessionStart,
  ): string {
    const { number, generation: epoch } = deployment;
    const seenS = this.#parts.wall.seconds;
    return sessionToken(this.#parts.signer, name, {
      deployment: number,
      epoch,
      id,
      issuedS,
      seenS,
    });
  }

  #mark({ affinity }: RoutedService, { block }: RoutedDeployment, idHash: number): void {
    const slice = Math.floor(this.#parts.wall.seconds / affinity.sliceS);
    markSighting(this.#parts.sightings, { block, slice, idHash });
  }
}
