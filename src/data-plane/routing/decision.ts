// Where one request goes, and why. The order of the rules is written here and nowhere else:
//
//   preview ─► maintenance, hold ─► release id ─► session ─► active
//
// One object per worker, filled for each request and read at once. Knows heads and tables, no
// sockets.

import { assert } from '../../base/assert.ts';
import { FAILURES } from '../../base/failures.ts';
import { DECISION, HEALTH_WORD } from '../../contract/counters.ts';
import { claimedDeployment, opensPreview, PREVIEW_FIELD } from '../../contract/preview-token.ts';
import { markSighting } from '../../contract/session-sightings.ts';
import type { Signer } from '../../contract/signing.ts';
import type { Maintenance } from '../../contract/table.ts';
import { takeCookies, type CookieReader } from '../../http/cookies.ts';
import { FIELD } from '../../http/field-kind.ts';
import { usesTls, type Peer } from '../../http/forwarding.ts';
import { acceptsHtml } from '../../http/accept.ts';
import { queryValue } from '../../http/query.ts';
import type { RequestHead } from '../../http/request-head.ts';
import { text } from '../../http/text.ts';
import { COOKIE, SESSION_FIELD } from './affinity.ts';
import { usualPage } from './maintenance-page.ts';
import type { ProvenTokens } from './proven-tokens.ts';
import { refusalFor, type Refusal } from './refusal.ts';
import { pathOf, type RouteTable } from './route-table.ts';
import type { DrainingSide, RoutedService, RoutedSide } from './routed-service.ts';
import { hashOfId, newSessionId, SessionToken, sessionToken } from './session-token.ts';
import type { WallClock } from '../base/wall-clock.ts';

/** `healthy`: the request is a health check, and the proxy says that all is well. */
type Verdict = 'forward' | 'wait' | 'healthy' | 'refuse';

/** What the rules know of the worker. */
export interface DecisionParts {
  readonly wall: WallClock;
  readonly signer: Signer;
  /** Tokens that this signer has found right. */
  readonly proven: ProvenTokens;
  /** Of this worker. */
  readonly sightings: Uint32Array;
  readonly health: Int32Array;
  readonly hasRoomToWait: (service: RoutedService, bytes: number) => boolean;
  /** Takes requests that no service is configured for. */
  readonly nowhere: RoutedSide;
}

/** What the rules know of the client. */
export interface DecidedClient {
  readonly peer: Peer;
  /** Its requests come in where all go to the idle color. */
  readonly isPreview: boolean;
  /** Its request has waited for as long as one may, or may not wait at all. */
  readonly hasWaited: boolean;
  /** The session that a response on this connection gave last. */
  givenSession: GivenSession | undefined;
}

interface GivenSession {
  readonly service: string;
  readonly deployment: number;
  readonly givenS: number;
  readonly field: string;
}

/** Own cookies and fields of one request that are looked at; a client has one or two. */
const CLAIMS_MAX = 8;

/** A session without the deployment it belongs to. */
type Identity = Pick<SessionToken, 'id' | 'issuedS' | 'idHash'>;

/** What the claims to a session came to: nothing that holds. */
const NONE = 0;
/** A session of the active deployment. */
const ACTIVE = 1;
/** A proven session of a deployment that drains. */
const DRAINING = 2;

/** What was decided on one request. */
export interface Decided {
  readonly verdict: Verdict;
  readonly refusal: Refusal | undefined;
  readonly service: RoutedService | undefined;
  readonly side: RoutedSide;
  readonly reason: number;
  readonly hasSession: boolean;
  readonly sessionField: string;
}

export class Decision implements CookieReader, Decided {
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
  readonly #parts: DecisionParts;
  readonly #token = new SessionToken();
  #claim = NONE;
  /** Claims looked at in this request: to check one costs us more than it costs the client. */
  #claimCount = 0;
  /** A proven session that its own side does not serve any more: it moves to the active one. */
  #moved: Identity | undefined = undefined;
  /** What the preview token of the request opens, or the preview listener leads to. */
  #previewed: RoutedSide | undefined = undefined;
  #isSecure = false;
  /** The client sends its session in a field, not in a cookie. */
  #usesField = false;

  constructor(parts: DecisionParts) {
    this.#parts = parts;
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
    if (service === undefined) {
      this.side = this.#parts.nowhere;
      return;
    }
    this.side = service.active;
    this.#readClaims(table, head, client);
    if (this.#previewed !== undefined) {
      this.side = this.#previewed;
      this.reason = DECISION.preview;
      return;
    }
    if (service.maintenance !== undefined || service.hold !== undefined) {
      this.#stopAtGate(service, head, client);
      if (this.verdict !== 'forward') return;
    }
    const isPageLoad = service.isSkewOn && isDocument(head);
    const named = service.isSkewOn && !isPageLoad ? this.#named(service, head) : undefined;
    if (named !== undefined) {
      this.side = named;
      this.reason = DECISION.release;
    } else if (this.#claim === DRAINING) {
      this.#followSession(service, isPageLoad);
    }
    if (service.affinity.isOn) this.#keepSession(service, head, client);
  }

  /** Called for each of our own cookies while the claims are read. */
  onCookie(bytes: Buffer, start: number, end: number, valueStart: number, stop: number): void {
    const kind = this.service!.affinity.cookieKind(bytes, start, end, this.#isSecure);
    if (kind === COOKIE.other || ++this.#claimCount > CLAIMS_MAX) return;
    if (kind === COOKIE.preview) this.#considerPreview(bytes, valueStart, stop);
    else this.#considerSession(bytes, valueStart, stop);
  }

  #readClaims({ ownCookies }: RouteTable, head: RequestHead, client: DecidedClient): void {
    this.#claim = NONE;
    this.#claimCount = 0;
    this.#moved = undefined;
    this.#previewed = client.isPreview ? this.service!.idle : undefined;
    this.#usesField = false;
    this.#isSecure = usesTls(head, client.peer);
    const { lines } = head;
    for (let i = lines.find(FIELD.xTurnout, 0); i !== -1; i = lines.find(FIELD.xTurnout, i + 1)) {
      if (++this.#claimCount > CLAIMS_MAX) break;
      const name = text(head.bytes, lines.nameStart(i), lines.nameEnd(i)).toLowerCase();
      if (name === SESSION_FIELD) {
        this.#usesField = true;
        this.#considerSession(head.bytes, lines.valueStart(i), lines.valueEnd(i));
      } else if (name === PREVIEW_FIELD) {
        this.#considerPreview(head.bytes, lines.valueStart(i), lines.valueEnd(i));
      }
    }
    takeCookies(head, ownCookies, this);
  }

  /** The first claim that holds counts; those behind it are ignored. */
  #considerSession(bytes: Buffer, start: number, end: number): void {
    const { affinity, active, draining } = this.service!;
    const { wall, signer, proven } = this.#parts;
    if (!affinity.isOn || this.#claim !== NONE || !this.#token.read(bytes, start, end)) return;
    const token = this.#token;
    if (affinity.hasEnded(token, wall.seconds)) return;
    if (token.generation === active.deployment) {
      // All new requests go there, so it need not be proven, until it is to be signed again.
      const isTrue =
        !affinity.isStale(token, wall.seconds) || token.isSigned(signer, active.service, proven);
      if (isTrue) this.#claim = ACTIVE;
      return;
    }
    if (!token.isSigned(signer, active.service, proven)) return;
    const past = draining.get(token.generation);
    if (past !== undefined && wall.untilMs(past.sessionsUntilMs) > 0) this.#claim = DRAINING;
    else this.#moved ??= identityOf(token);
  }

  #considerPreview(bytes: Buffer, start: number, end: number): void {
    const { name, sides } = this.service!;
    const { signer, wall } = this.#parts;
    const token = text(bytes, start, end);
    const deployment = claimedDeployment(token, wall.seconds);
    const side = sides.find((one) => one.deployment === deployment && !one.isLockedOut);
    if (side === undefined) return;
    const { previewSeries } = side;
    const scope = { service: name, deployment: side.deployment, previewSeries };
    if (opensPreview(signer, token, scope)) this.#previewed = side;
  }

  /** Maintenance and hold come before all rules but the preview; health checks pass. */
  #stopAtGate(service: RoutedService, head: RequestHead, client: DecidedClient): void {
    const { maintenance, hold, healthPath } = service;
    const isHeld =
      hold !== undefined && !client.hasWaited && this.#parts.wall.untilMs(hold.untilMs) > 0;
    const isWaiting = isHeld && (hold.methods === 'all' || !head.method!.isSafe);
    if (maintenance === undefined && !isWaiting) return;
    const isRead = head.method!.name === 'GET' || head.method!.name === 'HEAD';
    if (healthPath !== '' && isRead && pathOf(head) === healthPath) {
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

  #followSession(service: RoutedService, isPageLoad: boolean): void {
    const past = service.draining.get(this.#token.generation);
    assert(past !== undefined, 'a claim was checked against this very service');
    // The session moves over: a page is loaded anew, or its side cannot serve any more.
    if (isPageLoad || (!service.affinity.isStrict && !this.#mayServe(past.side))) {
      this.#claim = NONE;
      this.#moved = identityOf(this.#token);
      return;
    }
    this.side = past.side;
    this.reason = DECISION.session;
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

  /** Counts the session, makes its token anew when stale, gives one to a client without. */
  #keepSession(service: RoutedService, head: RequestHead, client: DecidedClient): void {
    const { affinity, active } = service;
    const nowS = this.#parts.wall.seconds;
    if (this.#claim === NONE) {
      // A tunnel keeps its side by itself, and a request that names its release needs no session.
      if (this.side === active && !head.upgrade) this.#giveSession(service, client);
      return;
    }
    const token = this.#token;
    const side = this.#claim === DRAINING ? service.draining.get(token.generation)!.side : active;
    this.#mark(service, side.block, token.idHash);
    this.hasSession = side === this.side;
    if (!affinity.isStale(token, nowS) && token.generation === side.deployment) return;
    this.#giveToken(service, side, token);
  }

  /** Gives the client a token of a side for a session, which is seen now. */
  #giveToken(
    service: RoutedService,
    { deployment: generation }: RoutedSide,
    { id, issuedS }: Pick<Identity, 'id' | 'issuedS'>,
  ): void {
    const session = { generation, id, issuedS, seenS: this.#parts.wall.seconds };
    const token = sessionToken(this.#parts.signer, service.name, session);
    this.sessionField = service.affinity.field(token, this.#carrier());
  }

  /** A client that keeps no cookies gets the same session again on its connection for a while. */
  #giveSession(service: RoutedService, client: DecidedClient): void {
    const { affinity, active, name } = service;
    if (this.#moved !== undefined) {
      // The same session on another side: it keeps its age, and it is counted once.
      this.#mark(service, active.block, this.#moved.idHash);
      this.#giveToken(service, active, this.#moved);
      return;
    }
    const nowS = this.#parts.wall.seconds;
    const given = client.givenSession;
    // A connection from a trusted proxy carries many clients, and each has a session of its own.
    const isSame =
      given !== undefined &&
      !client.peer.isTrusted &&
      given.deployment === active.deployment &&
      given.service === name &&
      nowS - given.givenS <= affinity.refreshS &&
      !this.#usesField;
    if (isSame) {
      this.sessionField = given.field;
      return;
    }
    const id = newSessionId();
    const { deployment, block } = active;
    this.#mark(service, block, hashOfId(id));
    this.#giveToken(service, active, { id, issuedS: nowS });
    // A client that uses the field may share its connection with others, which must not get this.
    if (this.#usesField) return;
    client.givenSession = { service: name, deployment, givenS: nowS, field: this.sessionField };
  }

  #mark(service: RoutedService, block: number, idHash: number): void {
    const slice = Math.floor(this.#parts.wall.seconds / service.affinity.sliceS);
    markSighting(this.#parts.sightings, { block, slice, idHash });
  }

  #carrier(): 'cookie' | 'secure-cookie' | 'field' {
    if (this.#usesField) return 'field';
    return this.#isSecure ? 'secure-cookie' : 'cookie';
  }
}

function identityOf({ id, issuedS, idHash }: SessionToken): Identity {
  return { id, issuedS, idHash };
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
