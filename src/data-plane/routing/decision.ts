// Where one request goes, and why. The order of the rules is written here and nowhere else:
//
//   circle ─► preview ─► maintenance, hold ─► login ─► release id ─► session ─► active
//
// One object per worker, filled for each request and read at once. Knows heads and tables, no
// sockets.

import { FAILURES } from '../../base/failures.ts';
import { HOPS_MAX } from '../../base/limits.ts';
import { DECISION, HEALTH_WORD } from '../../contract/counters.ts';
import type { Maintenance } from '../../contract/table.ts';
import { FIELD } from '../../http/field-kind.ts';
import { acceptsHtml } from '../../http/accept.ts';
import { queryValue } from '../../http/query.ts';
import type { RequestHead } from '../../http/request-head.ts';
import { text } from '../../http/text.ts';
import type { Bonds } from '../transport/bonds.ts';
import { Claims } from './claims.ts';
import { usualPage } from './maintenance-page.ts';
import { refusalFor, type Refusal } from './refusal.ts';
import { pathOf, type RouteTable } from './route-table.ts';
import type { DrainingSide, RoutedService, RoutedSide } from './routed-service.ts';
import {
  SessionKeeper,
  type HeldSession,
  type KeeperParts,
  type KeptClient,
  type MovedSession,
} from './session-keeper.ts';

/** `healthy`: the request is a health check, and the proxy says that all is well. */
type Verdict = 'forward' | 'wait' | 'healthy' | 'refuse';

/** What the rules know of the worker. */
export interface DecisionParts extends KeeperParts {
  readonly health: Int32Array;
  readonly hasRoomToWait: (service: RoutedService, bytes: number) => boolean;
  /** Takes requests that no service is configured for. */
  readonly nowhere: RoutedSide;
}

/** What the rules know of the client. */
export interface DecidedClient extends KeptClient {
  /** Its request has waited for as long as one may, or may not wait at all. */
  readonly hasWaited: boolean;
  /** Target connections that serve this client alone. */
  readonly bonds: Bonds | undefined;
}

/** What was decided on one request. */
export interface Decided {
  readonly verdict: Verdict;
  readonly refusal: Refusal | undefined;
  readonly service: RoutedService | undefined;
  readonly side: RoutedSide;
  readonly reason: number;
  readonly hasSession: boolean;
  readonly sessionField: string;
  /** Set: it may go to the active deployment, with this session, where its own can't be reached. */
  readonly fallback: HeldSession | undefined;
}

export class Decision implements Decided {
  verdict: Verdict = 'forward';
  /** Set with `refuse`. */
  refusal: Refusal | undefined = undefined;
  service: RoutedService | undefined = undefined;
  side: RoutedSide;
  /** Index into DECISIONS. */
  reason = 0;
  /** The client brought a session of `side`. */
  hasSession = false;
  /** Line of the response that gives the client its session; often empty. */
  sessionField = '';
  fallback: HeldSession | undefined = undefined;
  readonly #parts: DecisionParts;
  readonly #claims: Claims;
  readonly #keeper: SessionKeeper;

  constructor(parts: DecisionParts) {
    this.#parts = parts;
    this.#claims = new Claims(parts);
    this.#keeper = new SessionKeeper(parts, this.#claims);
    this.side = parts.nowhere;
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
    this.reason = DECISION.active;
    this.hasSession = false;
    this.sessionField = '';
    this.fallback = undefined;
    this.side = this.#parts.nowhere;
    if (head.hops >= HOPS_MAX) {
      this.verdict = 'refuse';
      this.refusal = refusalFor('LOOP_DETECTED');
      return;
    }
    if (service === undefined) return;
    this.side = service.active;
    const claims = this.#claims;
    claims.read(table, service, head, client);
    if (claims.previewed !== undefined) {
      this.side = claims.previewed;
      this.reason = DECISION.preview;
      return;
    }
    if (service.maintenance !== undefined || service.hold !== undefined) {
      this.#stopAtGate(service, head, client);
      if (this.verdict !== 'forward') return;
    }
    const isPageLoad = service.isSkewOn && isDocument(head);
    const named = service.isSkewOn && !isPageLoad ? this.#named(service, head) : undefined;
    const login = client.bonds === undefined ? undefined : this.#boundSide(service, client.bonds);
    if (login !== undefined) {
      this.side = login;
      if (login !== service.active) this.reason = DECISION.session;
    } else if (named !== undefined) {
      this.side = named;
      this.reason = DECISION.release;
    } else if (claims.side !== undefined && claims.side !== service.active) {
      this.#followSession(service, claims.side, isPageLoad);
    }
    if (this.side !== service.active && !this.#isStrict(service)) {
      this.fallback = this.#keeper.held(head);
    }
    if (!service.affinity.isOn) return;
    this.hasSession = claims.side === this.side;
    this.#keeper.keep(service, this.side, head, client);
    this.sessionField = this.#keeper.field;
  }

  /**
   * Maintenance and hold come before all rules but the preview. Health checks are answered here, but
   * no person: the health path may be the home page.
   */
  #stopAtGate(service: RoutedService, head: RequestHead, client: DecidedClient): void {
    const { maintenance, hold, healthPath } = service;
    const isHeld =
      hold !== undefined && !client.hasWaited && this.#parts.wall.untilMs(hold.untilMs) > 0;
    const isWaiting = isHeld && (hold.methods === 'all' || !head.method!.isSafe);
    if (maintenance === undefined && !isWaiting) return;
    const isRead = head.method!.name === 'GET' || head.method!.name === 'HEAD';
    const isCheck = healthPath !== '' && isRead && pathOf(head) === healthPath;
    if (isCheck && !acceptsHtml(head)) {
      this.verdict = 'healthy';
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

  #followSession({ affinity }: RoutedService, own: RoutedSide, isPageLoad: boolean): void {
    // The session moves over: a page is loaded anew, or its side cannot serve any more.
    if (isPageLoad || (!affinity.isStrict && !this.#mayServe(own))) {
      this.#claims.moveOver();
      return;
    }
    this.side = own;
    this.reason = DECISION.session;
  }

  /**
   * Returns where a client has to go on that logs in its connection: all steps of a login come on one,
   * so it counts as one request that runs, also while its deployment drains. Later it may stay there as
   * a session may, if it has none that says otherwise.
   */
  #boundSide({ active, draining }: RoutedService, bonds: Bonds): RoutedSide | undefined {
    const { loginDeployment } = bonds;
    if (loginDeployment === active.deployment) return active;
    const past = loginDeployment === undefined ? undefined : draining.get(loginDeployment);
    if (past !== undefined && !past.side.isLockedOut) return past.side;
    if (this.#claims.side !== undefined) return undefined;
    for (const deployment of bonds.deployments()) {
      const kept = draining.get(deployment);
      if (kept !== undefined && !kept.side.isLockedOut && this.#takesRequests(kept))
        return kept.side;
    }
    return undefined;
  }

  /** Returns the deployment with the release that the request asks for, if it still takes requests. */
  #named(service: RoutedService, head: RequestHead): RoutedSide | undefined {
    const { bytes, lines } = head;
    const line = lines.find(FIELD.deploymentId, 0);
    const byField = line === -1 ? '' : text(bytes, lines.valueStart(line), lines.valueEnd(line));
    return (
      this.#served(service, byField) ??
      this.#served(service, queryValue(head.target(), 'dpl') ?? '')
    );
  }

  #served({ active, earlier }: RoutedService, release: string): RoutedSide | undefined {
    if (release === '') return undefined;
    if (active.release === release) return active;
    const past = earlier.find(({ side }) => side.release === release);
    return past !== undefined && this.#takesRequests(past) ? past.side : undefined;
  }

  /** A session that must not leave its deployment brings the request there. */
  #isStrict({ affinity }: RoutedService): boolean {
    return affinity.isStrict && this.#claims.side === this.side;
  }

  /** Returns where a session goes on by `table` whose deployment can't be reached. */
  moved(table: RouteTable, { name }: RoutedService, held: HeldSession): MovedSession | undefined {
    const service = table.services.find((one) => one.name === name);
    if (service === undefined) return undefined;
    const { active: side } = service;
    return { side, field: this.#keeper.moved(service, side, held) };
  }

  /** Its sessions may still stay, and it can serve. */
  #takesRequests({ side, sessionsUntilMs }: DrainingSide): boolean {
    return this.#parts.wall.untilMs(sessionsUntilMs) > 0 && this.#mayServe(side);
  }

  /**
   * Returns where a 404 of the active deployment may be tried by `table`; undefined: nowhere. To be
   * asked of the latest table when the response has come: what was there before may have ended, and
   * what gave the response may drain itself.
   */
  rescuer(table: RouteTable, { name, active }: RoutedService): RoutedSide | undefined {
    const service = table.services.find((one) => one.name === name);
    return service?.earlier.find(
      (past) => past.side.deployment !== active.deployment && this.#takesRequests(past),
    )?.side;
  }

  /** At least one endpoint is not known to be down. */
  #mayServe({ pools }: RoutedSide): boolean {
    return pools.some(
      ({ endpoint }) => Atomics.load(this.#parts.health, endpoint.slot) !== HEALTH_WORD.down,
    );
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
