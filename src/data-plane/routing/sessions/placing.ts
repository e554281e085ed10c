// Where a request goes while a rollout shifts sessions, and whether it belongs to those whom the two
// deployments are compared by. Only what would go to the active deployment, or has a session of the
// canary, comes here: previews, releases that are named and sessions that drain are decided on before.
//
// A session is placed once. It is moved only where its deployment can't serve, or where the split
// says that sessions move.

import { textHash } from '../../../base/hashes.ts';
import { DECISION } from '../../../contract/counters.ts';
import type { RequestHead } from '../../../http/heads/request-head.ts';
import type { WallClock } from '../../base/wall-clock.ts';
import type { Claims } from './claims.ts';
import { mayServe, type RoutedDeployment, type RoutedService } from '../table/routed-service.ts';
import type { KeptClient, SessionKeeper } from './session-keeper.ts';
import { newSessionId } from '../tokens/session-token.ts';
import type { RoutedSplit } from '../table/split.ts';

export interface PlacingParts {
  readonly wall: WallClock;
  readonly health: Int32Array;
  /** Returns 32 bits that tell the address of a client from others; 0: its address is not known. */
  readonly addressHash: (head: RequestHead, peer: KeptClient['peer']) => number;
}

export class Placing {
  deployment: RoutedDeployment;
  /** Index into DECISIONS. */
  reason: number = DECISION.split;
  /** Id by which it was placed, for the session that begins there; empty: none was drawn. */
  newId = '';
  /** A session may begin there. */
  mayBegin = true;
  readonly #parts: PlacingParts;
  readonly #claims: Claims;
  readonly #keeper: SessionKeeper;

  constructor(
    parts: PlacingParts,
    claims: Claims,
    { keeper, nowhere }: { readonly keeper: SessionKeeper; readonly nowhere: RoutedDeployment },
  ) {
    this.#parts = parts;
    this.#claims = claims;
    this.#keeper = keeper;
    this.deployment = nowhere;
  }

  /** Places the request of `head`; then see the fields. */
  place(service: RoutedService, split: RoutedSplit, head: RequestHead, client: KeptClient): void {
    const { deployment: own } = this.#claims;
    this.newId = '';
    this.reason = DECISION.split;
    this.mayBegin = true;
    this.deployment = service.active;
    if (split.by === 'request') {
      if (split.takesNext(this.#nowMs) && this.#mayServe(split)) this.deployment = split.canary;
      // The next request may go elsewhere: a session of the canary would mean nothing.
      this.mayBegin = this.deployment === service.active;
    } else if (own === split.canary) this.#keep(service, split, head, client);
    else if (own !== service.active || !this.#stays(split, head, client)) {
      this.#begin(service, split, head, client);
    }
  }

  get #nowMs(): number {
    return this.#parts.wall.nowMs;
  }

  /** A session of the canary: proven, because it grants a place there. */
  #keep(service: RoutedService, split: RoutedSplit, head: RequestHead, client: KeptClient): void {
    const { token } = this.#claims;
    const isPlaced = split.hasPlaced(token.issuedS);
    const mayStay = service.affinity.isStrict || this.#mayServe(split);
    // An address changes on the way: by it, a session leaves only where the share becomes smaller.
    const mayLeave = split.movesAll && (split.isShrinking || split.by === 'session');
    if (mayStay && !(mayLeave && !this.#isTaken(split, head, client))) {
      this.deployment = split.canary;
      if (!isPlaced) this.reason = DECISION.session;
      return;
    }
    this.#claims.moveOver();
    if (!isPlaced) this.reason = DECISION.active;
  }

  /** A session of the active deployment; returns false where its claim was found to be untrue. */
  #stays(split: RoutedSplit, head: RequestHead, client: KeptClient): boolean {
    if (!split.hasPlaced(this.#claims.token.issuedS)) this.reason = DECISION.active;
    const isLeaving =
      split.movesAll &&
      !split.isShrinking &&
      this.#isTaken(split, head, client) &&
      this.#mayServe(split);
    if (!isLeaving) return true;
    if (!this.#claims.prove()) return false;
    this.#claims.moveOver();
    this.deployment = split.canary;
    return true;
  }

  /** No session, or one that its deployment does not serve any more. */
  #begin(service: RoutedService, split: RoutedSplit, head: RequestHead, client: KeptClient): void {
    const { isMoved, token } = this.#claims;
    const given = isMoved ? undefined : this.#keeper.givenOn(service, client);
    if (given?.deployment === service.active.number) {
      if (!split.hasPlaced(given.givenS)) this.reason = DECISION.active;
      return;
    }
    let hash = token.idHash;
    if (!isMoved) {
      this.newId = newSessionId();
      hash = textHash(this.newId);
    }
    if (split.by === 'address') hash = this.#parts.addressHash(head, client.peer) || hash;
    const isTaken = given?.deployment === split.canary.number || split.takes(hash, this.#nowMs);
    if (isTaken && this.#mayServe(split)) this.deployment = split.canary;
    // Sessions of before are not compared with those that begin.
    if (!isMoved || split.hasPlaced(token.issuedS)) this.reason = DECISION.split;
    else this.reason = this.deployment === service.active ? DECISION.active : DECISION.session;
  }

  /** Tells whether the present session is under the share. */
  #isTaken(split: RoutedSplit, head: RequestHead, { peer }: KeptClient): boolean {
    const { idHash } = this.#claims.token;
    const address = split.by === 'address' ? this.#parts.addressHash(head, peer) : 0;
    return split.takes(address || idHash, this.#nowMs);
  }

  #mayServe({ canary }: RoutedSplit): boolean {
    return mayServe(canary, this.#parts.health);
  }
}
