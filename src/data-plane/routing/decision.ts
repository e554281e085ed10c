// Where one request goes, and why. The order of the rules is written here and nowhere else:
//
//   circle ─► entrance ─► preview ─► canonical host ─► maintenance, hold ─► login ─► release id ─► session ─► split ─► active
//
// One object per worker, filled for each request and read at once. Knows heads and tables, no
// sockets.

import { FAILURES } from '../../base/failures.ts';
import { HOPS_MAX } from '../../base/limits.ts';
import { DECISION } from '../../contract/counters.ts';
import type { Maintenance } from '../../contract/table.ts';
import { FIELD } from '../../http/grammar/field-kind.ts';
import { acceptsHtml } from '../../http/heads/accept.ts';
import { queryValue } from '../../http/heads/query.ts';
import { usesTls } from '../../http/forward/forwarding.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import { text } from '../../http/grammar/text.ts';
import type { Bonds } from '../transport/bonds.ts';
import { toCanonicalHost } from './canonical-host.ts';
import { Claims } from './sessions/claims.ts';
import { isHealthCheck } from './health-check.ts';
import { usualPage } from './responses/maintenance-page.ts';
import { Placing, type PlacingParts } from './sessions/placing.ts';
import { challengeIn, httpsFor, type EnteringClient, type EntranceParts } from './entrance.ts';
import { HEALTHY, type OwnResponse } from './responses/own-response.ts';
import { refusalFor, type Refusal } from './responses/refusal.ts';
import type { RouteTable } from './table/route-table.ts';
import {
  mayServe,
  type DrainingDeployment,
  type RoutedService,
  type RoutedDeployment,
} from './table/routed-service.ts';
import {
  SessionKeeper,
  type HeldSession,
  type KeeperParts,
  type KeptClient,
  type MovedSession,
  type SessionPlace,
} from './sessions/session-keeper.ts';

/** `respond`: the proxy itself does, and nothing is wrong. */
type Verdict = 'forward' | 'wait' | 'respond' | 'refuse';

/** What the rules know of the worker. */
export interface DecisionParts extends KeeperParts, PlacingParts {
  readonly entrance: EntranceParts;
  readonly hasRoomToWait: (service: RoutedService, bytes: number) => boolean;
  /** Takes requests that no service is configured for. */
  readonly nowhere: RoutedDeployment;
}

/** What the rules know of the client. */
export interface DecidedClient extends KeptClient, EnteringClient {
  /** Its request has waited for as long as one may, or may not wait at all. */
  readonly hasWaited: boolean;
  /** Target connections that serve this client alone. */
  readonly bonds: Bonds | undefined;
}

/** What was decided on one request. */
export interface Decided {
  readonly verdict: Verdict;
  /** Set with `refuse`. */
  readonly refusal: Refusal | undefined;
  /** Set with `respond`. */
  readonly response: OwnResponse | undefined;
  readonly service: RoutedService | undefined;
  readonly deployment: RoutedDeployment;
  readonly reason: number;
  readonly hasSession: boolean;
  readonly sessionField: string;
  /** Set: it may go to the active deployment, with this session, where its own can't be reached. */
  readonly fallback: HeldSession | undefined;
}

export class Decision implements Decided, SessionPlace {
  verdict: Verdict = 'forward';
  refusal: Refusal | undefined = undefined;
  response: OwnResponse | undefined = undefined;
  service: RoutedService | undefined = undefined;
  deployment: RoutedDeployment;
  /** Index into DECISIONS. */
  reason = 0;
  /** The client brought a session of `deployment`. */
  hasSession = false;
  /** Line of the response that gives the client its session; often empty. */
  sessionField = '';
  fallback: HeldSession | undefined = undefined;
  mayBegin = false;
  newId = '';
  readonly #parts: DecisionParts;
  readonly #claims: Claims;
  readonly #keeper: SessionKeeper;
  readonly #placing: Placing;

  constructor(parts: DecisionParts) {
    this.#parts = parts;
    this.#claims = new Claims(parts);
    this.#keeper = new SessionKeeper(parts, this.#claims);
    const { nowhere } = parts;
    this.#placing = new Placing(parts, this.#claims, { keeper: this.#keeper, nowhere });
    this.deployment = nowhere;
  }

  /**
   * Decides on the request of `head`; the result is good until the next one. Own cookies and
   * fields are left out of what is sent on.
   */
  decide(table: RouteTable, head: RequestHead, client: DecidedClient): Decided {
    this.#decide(table, head, client);
    return this;
  }

  #decide(table: RouteTable, head: RequestHead, client: DecidedClient): void {
    const service = table.route(head);
    this.service = service;
    this.verdict = 'forward';
    this.refusal = undefined;
    this.response = undefined;
    this.reason = DECISION.active;
    this.hasSession = false;
    this.sessionField = '';
    this.fallback = undefined;
    this.deployment = this.#parts.nowhere;
    if (head.hops >= HOPS_MAX) {
      this.verdict = 'refuse';
      this.refusal = refusalFor('LOOP_DETECTED');
      return;
    }
    if (client.redirectPort !== undefined || this.#parts.entrance.hasChallenges) {
      this.#meetAtEntrance(table, service, head, client);
      if (this.verdict !== 'forward') return;
    }
    if (service === undefined) return;
    this.deployment = service.active;
    const claims = this.#claims;
    claims.read(table, service, head, client);
    if (claims.previewed !== undefined) {
      this.deployment = claims.previewed;
      this.reason = DECISION.preview;
      return;
    }
    if (service.canonicalHost !== '') {
      this.response = toCanonicalHost(service, head, client.peer);
      if (this.response !== undefined) {
        this.verdict = 'respond';
        return;
      }
    }
    if (service.maintenance !== undefined || service.hold !== undefined) {
      this.#stopAtGate(service, head, client);
      if (this.verdict !== 'forward') return;
    }
    const isPageLoad = service.isSkewOn && isDocument(head);
    const named = service.isSkewOn && !isPageLoad ? this.#named(service, head) : undefined;
    let isPlaced = false;
    const login =
      client.bonds === undefined ? undefined : this.#boundDeployment(service, client.bonds);
    if (login !== undefined) {
      this.deployment = login;
      if (login !== service.active) this.reason = DECISION.session;
    } else if (named !== undefined) {
      this.deployment = named;
      this.reason = DECISION.release;
    } else {
      this.#followSession(service, isPageLoad);
      isPlaced = service.split !== undefined && this.deployment === service.active;
      if (isPlaced) this.#place(service, head, client);
    }
    if (this.deployment !== service.active && !this.#isStrict(service)) {
      this.fallback = this.#keeper.held(head);
    }
    if (!service.affinity.isOn) return;
    this.hasSession = claims.deployment === this.deployment;
    // What was not placed by a split must not begin on one side of it.
    if (service.split === undefined) this.mayBegin = this.deployment === service.active;
    else if (!isPlaced) this.mayBegin = false;
    this.#keeper.keep(service, this, head, client);
    this.sessionField = this.#keeper.field;
  }

  /**
   * ACME authorities ask in the clear; other clients are told to come by https. One that has done so, by
   * the word of a trusted proxy that ends its TLS, would be sent round in a circle: it is served.
   */
  #meetAtEntrance(
    table: RouteTable,
    service: RoutedService | undefined,
    head: RequestHead,
    client: DecidedClient,
  ): void {
    const { entrance } = this.#parts;
    const { peer, redirectPort: port } = client;
    this.response = peer.isSecure ? undefined : challengeIn(entrance, head);
    if (this.response === undefined && port !== undefined && !usesTls(head, peer)) {
      const told = httpsFor(entrance, table, service, { head, client, port });
      if ('code' in told) this.refusal = told;
      else this.response = told;
    }
    if (this.response !== undefined) this.verdict = 'respond';
    else if (this.refusal !== undefined) this.verdict = 'refuse';
  }

  /**
   * Maintenance and hold come before all rules but the preview and the host. Health checks are
   * answered here.
   */
  #stopAtGate(service: RoutedService, head: RequestHead, client: DecidedClient): void {
    const { maintenance, hold, healthPath } = service;
    const isHeld =
      hold !== undefined && !client.hasWaited && this.#parts.wall.untilMs(hold.untilMs) > 0;
    const isWaiting = isHeld && (hold.methods === 'all' || !head.method!.isSafe);
    if (maintenance === undefined && !isWaiting) return;
    if (isHealthCheck(healthPath, head)) {
      this.verdict = 'respond';
      this.response = HEALTHY;
    } else if (maintenance !== undefined) {
      this.verdict = 'refuse';
      this.refusal = maintenanceRefusal(service, maintenance, head);
    } else if (this.#parts.hasRoomToWait(service, head.end - head.start)) {
      this.verdict = 'wait';
    } else {
      this.verdict = 'refuse';
      this.refusal = refusalFor('HOLD_FULL');
    }
  }

  /** A session of a deployment that drains goes on there, unless it moves over. */
  #followSession({ active, split, affinity }: RoutedService, isPageLoad: boolean): void {
    const own = this.#claims.deployment;
    if (own === undefined || own === active || own === split?.canary) return;
    // The session moves over: a page is loaded anew, or its deployment cannot serve any more.
    if (isPageLoad || (!affinity.isStrict && !this.#mayServe(own))) {
      this.#claims.moveOver();
      return;
    }
    this.deployment = own;
    this.reason = DECISION.session;
  }

  /** A rollout shifts sessions: it says on which color this one is. */
  #place(service: RoutedService, head: RequestHead, client: DecidedClient): void {
    const placing = this.#placing;
    placing.place(service, service.split!, head, client);
    this.deployment = placing.deployment;
    this.reason = placing.reason;
    this.newId = placing.newId;
    this.mayBegin = placing.mayBegin;
  }

  /**
   * Returns where a client has to go on that logs in its connection: all steps of a login come on one,
   * so it counts as one request that runs, also while its deployment drains. Later it may stay there as
   * a session may, if it has none that says otherwise.
   */
  #boundDeployment(
    { active, split, draining }: RoutedService,
    bonds: Bonds,
  ): RoutedDeployment | undefined {
    const { loginDeployment } = bonds;
    if (loginDeployment === active.number) return active;
    if (loginDeployment !== undefined && loginDeployment === split?.canary.number)
      return split.canary;
    const past = loginDeployment === undefined ? undefined : draining.get(loginDeployment);
    if (past !== undefined && !past.deployment.isLockedOut) return past.deployment;
    if (this.#claims.deployment !== undefined) return undefined;
    for (const number of bonds.deployments()) {
      const kept = draining.get(number);
      if (kept !== undefined && !kept.deployment.isLockedOut && this.#takesRequests(kept))
        return kept.deployment;
    }
    if (split === undefined) return undefined;
    // It has logged in on one of the two, and would have to do so again on the other.
    const both = [active, split.canary];
    return both.find((one) => bonds.poolIn(one.pools) !== undefined && this.#mayServe(one));
  }

  /** Returns the deployment with the release that the request asks for, if it still takes requests. */
  #named(service: RoutedService, head: RequestHead): RoutedDeployment | undefined {
    const { bytes, lines } = head;
    const line = lines.find(FIELD.deploymentId, 0);
    const byField = line === -1 ? '' : text(bytes, lines.valueStart(line), lines.valueEnd(line));
    return (
      this.#served(service, byField) ??
      this.#served(service, queryValue(head.target(), 'dpl') ?? '')
    );
  }

  #served({ active, split, earlier }: RoutedService, release: string) {
    if (release === '') return undefined;
    if (active.release === release) return active;
    if (split?.canary.release === release && this.#mayServe(split.canary)) return split.canary;
    const past = earlier.find(({ deployment }) => deployment.release === release);
    return past !== undefined && this.#takesRequests(past) ? past.deployment : undefined;
  }

  /** A session that must not leave its deployment brings the request there. */
  #isStrict({ affinity }: RoutedService): boolean {
    return affinity.isStrict && this.#claims.deployment === this.deployment;
  }

  /** Returns where a session goes on by `table` whose deployment can't be reached. */
  moved(table: RouteTable, { name }: RoutedService, held: HeldSession): MovedSession | undefined {
    const service = table.services.find((one) => one.name === name);
    if (service === undefined) return undefined;
    const { active: deployment } = service;
    return { deployment, field: this.#keeper.moved(service, deployment, held) };
  }

  /** Its sessions may still stay, and it can serve. */
  #takesRequests({ deployment, sessionsUntilMs }: DrainingDeployment): boolean {
    return this.#parts.wall.untilMs(sessionsUntilMs) > 0 && this.#mayServe(deployment);
  }

  /**
   * Returns where a 404 of `asked` may be tried by `table`; undefined: nowhere. To be asked of the
   * latest table when the response has come: what was there before may have ended, and what gave the
   * response may drain itself.
   */
  rescuer(table: RouteTable, asked: RoutedDeployment): RoutedDeployment | undefined {
    const service = table.services.find((one) => one.name === asked.service);
    if (service === undefined) return undefined;
    const { active, split, earlier } = service;
    // While sessions are shifted, a page may be of either release: the other one is the next to ask.
    const other = split?.canary.number === asked.number ? active : split?.canary;
    if (other !== undefined && other.number !== asked.number && this.#mayServe(other)) return other;
    return earlier.find(
      (past) => past.deployment.number !== asked.number && this.#takesRequests(past),
    )?.deployment;
  }

  #mayServe(deployment: RoutedDeployment): boolean {
    return mayServe(deployment, this.#parts.health);
  }
}

/** Browsers get a page, programs get a line. */
function maintenanceRefusal(
  { maintenancePage }: RoutedService,
  { message, retryAfterSeconds }: Maintenance,
  head: RequestHead,
): Refusal {
  const { detail } = FAILURES.MAINTENANCE;
  const line = message === '' ? detail : message;
  const page = acceptsHtml(head) ? maintenancePage || usualPage(line) : '';
  return { code: 'MAINTENANCE', detail: line, retryAfterSeconds, page };
}

/** The browser loads a page (W3C Fetch Metadata §2.1). */
function isDocument({ bytes, lines }: RequestHead): boolean {
  const line = lines.find(FIELD.secFetchDest, 0);
  return line !== -1 && text(bytes, lines.valueStart(line), lines.valueEnd(line)) === 'document';
}
