// What a request claims about itself: the session that it belongs to, and the deployment that it may
// preview. One object per worker, filled for each request and read at once; knows what the claims come
// to, not what is decided by them.
//
// A claim counts once it is proven. One alone is believed without proof: a fresh session of the active
// deployment, because all new requests go there anyway.

import { claimedDeployment, opensPreview, PREVIEW_FIELD } from '../../../contract/preview-token.ts';
import type { Signer } from '../../../contract/signing.ts';
import { takeCookies, type CookieReader } from '../../../http/forward/cookies.ts';
import { FIELD } from '../../../http/grammar/field-kind.ts';
import { usesTls, type Peer } from '../../../http/forward/forwarding.ts';
import type { RequestHead } from '../../../http/heads/request-head.ts';
import { text } from '../../../http/grammar/text.ts';
import type { WallClock } from '../../base/wall-clock.ts';
import { COOKIE, SESSION_FIELD, type SessionCarrier } from '../tokens/affinity.ts';
import type { ProvenTokens } from '../tokens/proven-tokens.ts';
import type { RouteTable } from '../table/route-table.ts';
import type { RoutedService, RoutedDeployment } from '../table/routed-service.ts';
import { SessionToken } from '../tokens/session-token.ts';

/** What claims are checked with. */
export interface ClaimParts {
  readonly wall: WallClock;
  readonly signer: Signer;
  readonly previewSigner: Signer;
  /** Tokens that this signer has found right. */
  readonly proven: ProvenTokens;
}

/** What the rules know of the client. */
export interface ClaimingClient {
  readonly peer: Peer;
  /** Its requests come in where all go to the idle color. */
  readonly isPreview: boolean;
}

/** Own cookies and fields of one request that are looked at; a client has one or two. */
const CLAIMS_MAX = 8;

/**
 * How much a claim to a session is worth: one that is worth more takes the place of another. Cookies
 * of earlier versions stay in the browser beside the new one, and know less.
 */
const WORTH = { none: 0, legacyMoved: 1, legacyHeld: 2, moved: 3, held: 4 } as const;

export class Claims implements CookieReader {
  /** The session that counts, if there is one: of `deployment`, or one that `isMoved`. */
  token = new SessionToken();
  /** The active deployment, the canary or one that drains, to which the session belongs. */
  deployment: RoutedDeployment | undefined = undefined;
  /** The request brings a cookie for sessions, whatever it holds. */
  hasCookie = false;
  /** The client sends a field for its session. */
  usesField = false;
  /** What a preview token opens, or the preview listener leads to. */
  previewed: RoutedDeployment | undefined = undefined;
  readonly #parts: ClaimParts;
  #service: RoutedService | undefined = undefined;
  #spare = new SessionToken();
  #worth: number = WORTH.none;
  #isProven = false;
  #isByField = false;
  #isSecure = false;
  /** Claims looked at in this request: to check one costs us more than it costs the client. */
  #count = 0;

  constructor(parts: ClaimParts) {
    this.#parts = parts;
  }

  /** A proven session whose deployment does not serve it any more: it goes on at another. */
  get isMoved(): boolean {
    return this.#worth !== WORTH.none && this.deployment === undefined;
  }

  /** How the client is told its session: as it has brought it, and by cookie if it may have any. */
  get carrier(): SessionCarrier {
    const isByField =
      this.#worth === WORTH.none ? this.usesField && !this.hasCookie : this.#isByField;
    if (isByField) return 'field';
    return this.#isSecure ? 'secure-cookie' : 'cookie';
  }

  /**
   * Reads what `head` claims; good until the next call. Own cookies and fields are left out of what is
   * sent on.
   */
  read(table: RouteTable, service: RoutedService, head: RequestHead, client: ClaimingClient): void {
    this.#service = service;
    this.deployment = undefined;
    this.hasCookie = false;
    this.usesField = false;
    this.previewed = client.isPreview ? service.idle : undefined;
    this.#worth = WORTH.none;
    this.#count = 0;
    this.#isSecure = usesTls(head, client.peer);
    const sessionLine = this.#readFields(head);
    takeCookies(head, table.ownCookies, this);
    // Scripts of a page can set the field, but not read the cookie: it counts only where that does not.
    if (sessionLine === -1 || this.#worth !== WORTH.none) return;
    const { bytes, lines } = head;
    this.#considerSession(bytes, lines.valueStart(sessionLine), lines.valueEnd(sessionLine), true);
  }

  /** The session is not served where it belongs: it goes on as one of another deployment. */
  moveOver(): void {
    this.deployment = undefined;
  }

  /** Tells whether the session is one of ours; if it is not, there is none. */
  prove(): boolean {
    this.#isProven ||= this.#isSigned(this.token);
    if (!this.#isProven) {
      this.#worth = WORTH.none;
      this.deployment = undefined;
    }
    return this.#isProven;
  }

  /** Called for each own cookie while the claims are read. */
  onCookie(bytes: Buffer, start: number, end: number, valueStart: number, stop: number): void {
    const kind = this.#service!.affinity.cookieKind(bytes, start, end, this.#isSecure);
    if (kind === COOKIE.session) {
      this.hasCookie = true;
      this.#considerSession(bytes, valueStart, stop, false);
    } else if (kind === COOKIE.preview) this.#considerPreview(bytes, valueStart, stop);
  }

  /** Reads the fields of ours and returns the line that has the session; -1: there is none. */
  #readFields(head: RequestHead): number {
    const { bytes, lines } = head;
    let sessionLine = -1;
    for (let i = lines.find(FIELD.xTurnout, 0); i !== -1; i = lines.find(FIELD.xTurnout, i + 1)) {
      const name = text(bytes, lines.nameStart(i), lines.nameEnd(i)).toLowerCase();
      if (name === SESSION_FIELD && sessionLine === -1) sessionLine = i;
      else if (name === PREVIEW_FIELD) {
        this.#considerPreview(bytes, lines.valueStart(i), lines.valueEnd(i));
      }
    }
    this.usesField = sessionLine !== -1;
    return sessionLine;
  }

  #considerSession(bytes: Buffer, start: number, stop: number, isByField: boolean): void {
    const { affinity } = this.#service!;
    if (!affinity.isOn || ++this.#count > CLAIMS_MAX || this.#isSettled()) return;
    const next = this.#spare;
    if (!next.read(bytes, start, stop) || affinity.hasEnded(next, this.#parts.wall.seconds)) return;
    if (next.isLegacy && this.#worth >= WORTH.moved) return;
    const deployment = this.#deploymentOf(next);
    const isProven = this.#needsProof(next, deployment);
    if (isProven && !this.#isSigned(next)) return;
    const worth = worthOf(next, deployment);
    if (worth <= this.#worth) return;
    this.#spare = this.token;
    this.token = next;
    this.deployment = deployment;
    this.#worth = worth;
    this.#isProven = isProven;
    this.#isByField = isByField;
  }

  /**
   * Tells whether no other claim can take the place of the present one. Where there are several, none is
   * believed without proof: one that was planted must not stand before the client's own.
   */
  #isSettled(): boolean {
    return this.#worth === WORTH.held && this.prove();
  }

  /** Returns the deployment that serves a session with `token`; undefined: none does any more. */
  #deploymentOf(token: SessionToken): RoutedDeployment | undefined {
    const { active, split, draining, legacy } = this.#service!;
    const number = token.isLegacy ? legacy.get(token.legacyGeneration) : token.deployment;
    if (number === undefined) return undefined;
    if (number === active.number) return active;
    if (number === split?.canary.number) return split.canary;
    const past = draining.get(number);
    const isOver = past === undefined || this.#parts.wall.untilMs(past.sessionsUntilMs) === 0;
    return isOver ? undefined : past.deployment;
  }

  /** A fresh token of the active deployment grants nothing, so it need not be proven. */
  #needsProof(token: SessionToken, deployment: RoutedDeployment | undefined): boolean {
    const { active, affinity } = this.#service!;
    const nowS = this.#parts.wall.seconds;
    const isOfActive = deployment === active && !token.isLegacy && token.epoch <= active.generation;
    const isFresh = token.seenS <= nowS && !affinity.isStale(token, nowS);
    return !isOfActive || !isFresh || this.#worth !== WORTH.none;
  }

  #isSigned(token: SessionToken): boolean {
    const { signer, proven } = this.#parts;
    return token.isSigned(signer, this.#service!.name, proven);
  }

  #considerPreview(bytes: Buffer, start: number, end: number): void {
    if (++this.#count > CLAIMS_MAX) return;
    const { name, deployments } = this.#service!;
    const { previewSigner, wall } = this.#parts;
    const token = text(bytes, start, end);
    const number = claimedDeployment(token, wall.seconds);
    const deployment = deployments.find((one) => one.number === number && !one.isLockedOut);
    if (deployment === undefined) return;
    const { previewSeries } = deployment;
    const scope = { service: name, deployment: deployment.number, previewSeries };
    if (opensPreview(previewSigner, token, scope)) this.previewed = deployment;
  }
}

function worthOf(token: SessionToken, deployment: RoutedDeployment | undefined): number {
  if (token.isLegacy) return deployment === undefined ? WORTH.legacyMoved : WORTH.legacyHeld;
  return deployment === undefined ? WORTH.moved : WORTH.held;
}
