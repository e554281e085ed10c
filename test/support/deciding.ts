// Decisions on requests of one service whose table, clock and health the test sets.
//
//   color   release   deployment
//   green   r3        20           active
//   blue    r4        21           idle, was never active
//   blue    r2        15           drains for ten minutes more; two endpoints
//   green   r1        12           drains, but its sessions are over
//   blue    r0        11           on no color any more, but previewed

import { NO_ENTRANCE } from './no-entrance.ts';
import type { EntranceParts } from '../../src/data-plane/routing/entrance.ts';
import { HEALTH_WORD, ENDPOINTS_MAX, DECISIONS } from '../../src/contract/counters.ts';
import type { ServicePolicy } from '../../src/contract/service-policy.ts';
import { countSightings, SIGHTING_WORDS } from '../../src/contract/session-sightings.ts';
import { Signer } from '../../src/contract/signing.ts';
import type { Deployment, Draining, Endpoint, Service } from '../../src/contract/table.ts';
import { Decision, type DecidedClient } from '../../src/data-plane/routing/decision.ts';
import type { EndpointPool } from '../../src/data-plane/targets/pool.ts';
import { ProvenTokens } from '../../src/data-plane/routing/tokens/proven-tokens.ts';
import type { Refusal } from '../../src/data-plane/routing/responses/refusal.ts';
import { RouteTable } from '../../src/data-plane/routing/table/route-table.ts';
import {
  NOWHERE,
  type RoutedDeployment,
} from '../../src/data-plane/routing/table/routed-service.ts';
import { SessionToken, sessionToken } from '../../src/data-plane/routing/tokens/session-token.ts';
import { describePeer, Forwarder } from '../../src/http/forward/forwarding.ts';
import { RequestIds } from '../../src/http/forward/request-ids.ts';
import { parsedRequest } from './heads.ts';
import { legacyToken } from './legacy-token.ts';
import { testSettings } from './plane.ts';
import { TEST_INSTANCE, testPolicy, type PolicyPatch } from './policy.ts';

export const NOW_S = 1_700_000_000;

/** Numbers of deployments; `past` is not kept any more, `future` was not given yet. */
export const DEPLOYMENT = {
  nowhere: 0,
  active: 20,
  idle: 21,
  draining: 15,
  over: 12,
  previewed: 11,
  past: 14,
  future: 22,
} as const;

/** Epochs in which they became active; none is the number of a deployment. */
export const SERVED_SINCE = {
  nowhere: 0,
  active: 40,
  idle: 0,
  draining: 35,
  over: 32,
  previewed: 0,
} as const satisfies Record<Place, number>;

const PLACES = ['nowhere', 'draining', 'active', 'over', 'idle', 'previewed'] as const;
/** A deployment by its counter block. */
export type Place = (typeof PLACES)[number];

/** Slot of the endpoint of the active deployment. */
export const ACTIVE_SLOT = 2;

/** Slots of the endpoints of the deployment that drains. */
export const DRAINING_SLOTS = [0, 1] as const;

const OWN_KEY = new Uint8Array(32).fill(1);
const PREVIOUS_KEY = new Uint8Array(32).fill(2);
const UNKNOWN_KEY = new Uint8Array(32).fill(3);
const PREVIEW_KEY = new Uint8Array(32).fill(4);

/** The key that signs: the present one of ours, the one before it, a foreign one. */
export const SIGNERS = {
  own: new Signer({ signing: OWN_KEY, accepted: [OWN_KEY, PREVIOUS_KEY] }),
  previous: new Signer({ signing: PREVIOUS_KEY, accepted: [PREVIOUS_KEY] }),
  unknown: new Signer({ signing: UNKNOWN_KEY, accepted: [UNKNOWN_KEY] }),
  previews: new Signer({ signing: PREVIEW_KEY, accepted: [PREVIEW_KEY] }),
} as const;

export const SESSION_ID = 'abcdefghijkl';

/** Generations of versions before deployments; no deployment or epoch has the same number. */
export const LEGACY = { active: 9, draining: 8, over: 7, unknown: 6 } as const;

interface TokenDetails {
  readonly seenAgoS?: number;
  readonly ageS?: number;
  readonly by?: keyof typeof SIGNERS;
  readonly service?: string;
  readonly id?: string;
  /** Unless it is said, the one in which the deployment became active. */
  readonly epoch?: number;
}

/** Returns a token; what is not said is a session of `deployment` that was seen a moment ago. */
export function tokenOf(deployment: number, details: TokenDetails = {}): string {
  const { by = 'own', service = 'shop', epoch = servedSince(deployment) } = details;
  return sessionToken(SIGNERS[by], service, { deployment, epoch, ...sessionOf(details) });
}

/** Returns a token as versions before deployments gave it. */
export function legacyTokenOf(generation: number, details: TokenDetails = {}): string {
  const { by = 'own', service = 'shop' } = details;
  return legacyToken(SIGNERS[by], service, { generation, ...sessionOf(details) });
}

function sessionOf({ seenAgoS = 10, ageS = Math.max(seenAgoS, 3_600), id }: TokenDetails) {
  return { id: id ?? SESSION_ID, issuedS: NOW_S - ageS, seenS: NOW_S - seenAgoS };
}

/** What no table has was active before all that one has. */
function servedSince(deployment: number): number {
  const place = PLACES.find((one) => DEPLOYMENT[one] === deployment);
  return place === undefined ? 30 : SERVED_SINCE[place];
}

/** Returns the token with another signature of the same form. */
export function forged(token: string): string {
  return token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A');
}

export interface GivenToken {
  readonly by: 'cookie' | 'secure-cookie' | 'field';
  readonly deployment: number;
  readonly epoch: number;
  readonly id: string;
  readonly issuedS: number;
  readonly seenS: number;
}

export interface Outcome {
  readonly verdict: Decision['verdict'];
  readonly refusal: Refusal | undefined;
  /** Where the client is sent; empty: nowhere. */
  readonly location: string;
  /** What the proxy says itself; empty: nothing. */
  readonly body: string;
  readonly to: Place;
  readonly reason: string;
  readonly hasSession: boolean;
  readonly gives: GivenToken | undefined;
  /** The line that gives it, without its end; often empty. */
  readonly line: string;
  /** What the target is sent. */
  readonly sent: string;
}

export interface Asking {
  readonly method?: string;
  readonly target?: string;
  /** Empty: an HTTP/1.0 request that names none. */
  readonly host?: string;
  readonly client?: DecidedClient;
}

/** Nothing but what is decided on. */
const NO_IDS = new RequestIds({ field: '', traces: 'off', newTraces: 'none' });
const FORWARDER = new Forwarder({ xForwarded: false, forwarded: false, via: '' });

/** Returns a client; `isProxy`: its forwarding fields are believed. */
export function clientOf(
  options: {
    readonly isProxy?: boolean;
    readonly isPreview?: boolean;
    readonly isSecure?: boolean;
    readonly redirectPort?: number | undefined;
    hasWaited?: boolean;
    /** Undefined: a Unix socket. */
    readonly address?: string | undefined;
  } = {},
): DecidedClient {
  const { isProxy = false, isPreview = false, isSecure = false, hasWaited = false } = options;
  const peer = describePeer({
    remoteAddress: 'address' in options ? options.address : '192.0.2.1',
    isTrusted: isProxy,
    isSecure,
  });
  return {
    peer,
    isPreview,
    redirectPort: options.redirectPort,
    hasWaited,
    givenSession: undefined,
    bonds: undefined,
  };
}

export class Deciding {
  /** Bytes that the parking was asked for room for. */
  readonly roomAsked: number[] = [];
  hasRoom = true;
  readonly wall = {
    seconds: NOW_S,
    get nowMs(): number {
      return this.seconds * 1_000;
    },
    update(): void {},
    untilMs(atMs: number): number {
      return Math.max(0, atMs - this.seconds * 1_000);
    },
  };
  readonly health = new Int32Array(ENDPOINTS_MAX);
  readonly sightings = new Uint32Array(SIGHTING_WORDS);
  readonly #decision: Decision;
  readonly policy: ServicePolicy;
  table: RouteTable;

  constructor(
    policy: PolicyPatch,
    service: Partial<Service> = {},
    entrance: Partial<EntranceParts> = {},
  ) {
    this.policy = testPolicy(policy);
    this.table = routes([{ ...shop(), policy: this.policy, ...service }]);
    this.#decision = new Decision({
      wall: this.wall,
      signer: SIGNERS.own,
      previewSigner: SIGNERS.previews,
      proven: new ProvenTokens(),
      sightings: this.sightings,
      health: this.health,
      entrance: { ...NO_ENTRANCE, ...entrance },
      addressHash: (_head, peer) => peer.addressHash,
      hasRoomToWait: (_service, bytes) => {
        this.roomAsked.push(bytes);
        return this.hasRoom;
      },
      nowhere: NOWHERE,
    });
  }

  /** Decides on a request with `fields`. */
  ask(fields: readonly string[], asking: Asking = {}): Outcome {
    const { method = 'GET', target = '/', host = 'shop.test', client = clientOf() } = asking;
    const named = host === '' ? fields : [`Host: ${host}`, ...fields];
    const head = parsedRequest(`${method} ${target} HTTP/1.${host === '' ? 0 : 1}\r\n`, named);
    const decision = this.#decision;
    decision.decide(this.table, head, client);
    const { verdict, refusal, response, deployment, reason, hasSession, sessionField } = decision;
    return {
      verdict,
      refusal,
      location: response?.location ?? '',
      body: response?.body ?? '',
      to: PLACES[deployment.block]!,
      reason: DECISIONS[reason]!,
      hasSession,
      gives: givenToken(sessionField),
      line: sessionField.trimEnd(),
      sent: FORWARDER.requestHead(head, client.peer, '', deployment.requestEnding, NO_IDS),
    };
  }

  /** Returns where a 404 of `asked` is tried by the present table. */
  rescuer(asked: RoutedDeployment = this.table.services[0]!.active): Place | undefined {
    const deployment = this.#decision.rescuer(this.table, asked);
    return deployment === undefined ? undefined : PLACES[deployment.block];
  }

  /** Returns where the session of the last request goes on, as it is told; undefined: it has to stay. */
  moved(): Pick<Outcome, 'to' | 'gives'> | undefined {
    const { fallback, service } = this.#decision;
    if (fallback === undefined) return undefined;
    const { deployment, field } = this.#decision.moved(this.table, service!, fallback)!;
    return { to: PLACES[deployment.block]!, gives: givenToken(field) };
  }

  setDown(slots: readonly number[]): void {
    for (const slot of slots) this.health[slot] = HEALTH_WORD.down;
  }

  /** Returns how many sessions were seen at each place; places without any are left out. */
  sessionsSeen(): Partial<Record<Place, number>> {
    const seen: Partial<Record<Place, number>> = {};
    for (const [block, place] of PLACES.entries()) {
      const range = { block, firstSlice: 0, lastSlice: Infinity };
      const count = countSightings([this.sightings], range);
      if (count > 0) seen[place] = count;
    }
    return seen;
  }
}

/** Returns the service as it is drawn above. */
export function shop(): Service {
  return {
    name: 'shop',
    hosts: [],
    paths: [],
    active: 'green',
    green: deploymentAt('active', { color: 'green', release: 'r3', slots: [ACTIVE_SLOT] }),
    blue: deploymentAt('idle', { color: 'blue', release: 'r4', slots: [4] }),
    draining: [
      drain(deploymentAt('over', { color: 'green', release: 'r1', slots: [3] }), -60),
      drain(deploymentAt('draining', { color: 'blue', release: 'r2', slots: DRAINING_SLOTS }), 600),
    ],
    leaving: [],
    previewed: [deploymentAt('previewed', { color: 'blue', release: 'r0', slots: [5] })],
    legacy: [
      [LEGACY.over, DEPLOYMENT.over],
      [LEGACY.draining, DEPLOYMENT.draining],
      [LEGACY.active, DEPLOYMENT.active],
    ],
    split: undefined,
    shadow: undefined,
    hold: undefined,
    maintenance: undefined,
    policy: testPolicy(),
  };
}

/** Returns a table of `services`, with pools that can be looked at, not used. */
export function routes(services: readonly Service[]): RouteTable {
  const served = services.flatMap(({ blue, green }) => [blue.servedSince, green.servedSince]);
  const epoch = Math.max(...served);
  return new RouteTable({ version: 3, epoch, services }, testSettings({}), {
    poolsOf: (endpoints) => endpoints.map((endpoint) => ({ endpoint }) as EndpointPool),
    instance: TEST_INSTANCE,
  });
}

/** Returns the deployment that is drawn at `place`, with what is said of it. */
export function deploymentAt(
  place: Place,
  said: { readonly slots: readonly number[] } & Pick<Deployment, 'color' | 'release'>,
): Deployment {
  const { color, release, slots } = said;
  const number = DEPLOYMENT[place];
  const endpoints = slots.map((slot): Endpoint => {
    const port = 3_000 + slot;
    const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
    const authority = `127.0.0.1:${port}`;
    return { slot, deployment: number, url: `http://${authority}`, address, authority };
  });
  return {
    number,
    color,
    release,
    block: PLACES.indexOf(place),
    endpoints,
    servedSince: SERVED_SINCE[place],
    previewSeries: 0,
    lockedOut: undefined,
  };
}

/** Returns `deployment` locked out, as a rollback leaves it. */
export function lockedOut(deployment: Deployment): Deployment {
  const { number, release } = deployment;
  const lockOut = { release, deployment: number, reason: '', actor: 'anna', atMs: 0, epoch: 41 };
  return { ...deployment, lockedOut: lockOut };
}

/** Returns a deployment that drains; `sessionsLeftS` seconds are left for its sessions. */
export function drain(deployment: Deployment, sessionsLeftS: number): Draining {
  const sessionsUntilMs = (NOW_S + sessionsLeftS) * 1_000;
  return {
    deployment,
    startedAtMs: sessionsUntilMs - 1_800_000,
    sessionsUntilMs,
    endsAtMs: sessionsUntilMs + 90_000,
    longLived: 'spread',
  };
}

const COOKIE_LINE =
  /^Set-Cookie: (__Host-|__Secure-)?[\w-]+=([^;]+); Path=[^;]+; HttpOnly; SameSite=\w+(; Secure)?\r\n$/;
const FIELD_LINE = /^X-Turnout-Session: (\S+)\r\n$/;

/** Reads a line that gives a token; whatever is not quite one throws. */
function givenToken(line: string): GivenToken | undefined {
  if (line === '') return undefined;
  const [, prefix, inCookie, secure] = COOKIE_LINE.exec(line) ?? [];
  const text = inCookie ?? FIELD_LINE.exec(line)?.[1] ?? '';
  const token = new SessionToken();
  const isRead = token.read(Buffer.from(text, 'latin1'), 0, text.length);
  const isWhole = (prefix === undefined) === (secure === undefined);
  if (!isWhole || !isRead || !token.isSigned(SIGNERS.own, 'shop', new ProvenTokens())) {
    throw new Error(`expected a line with a token of ours, got ${JSON.stringify(line)}`);
  }
  const { deployment, epoch, id, issuedS, seenS } = token;
  const cookie = secure === undefined ? 'cookie' : 'secure-cookie';
  return { by: inCookie === undefined ? 'field' : cookie, deployment, epoch, id, issuedS, seenS };
}
