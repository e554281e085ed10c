// The routing table: the immutable and complete picture from which a worker can serve alone; only
// the addresses of names are told apart from it (NameAddresses). Only the control plane makes one;
// it is replaced whole, never patched. It crosses threads by structured clone, so it holds plain
// data only.

import type { ProxyVersion } from '../base/proxy-greeting.ts';
import type { DataPlaneSettings } from './worker-settings.ts';
import type { LongLived, ServicePolicy } from './service-policy.ts';
import type { ShadowRules } from './shadow-rules.ts';

export type Color = 'blue' | 'green';

export const COLORS = ['blue', 'green'] as const satisfies readonly Color[];

/** Returns the color that `color` is not. */
export function otherColor(color: Color): Color {
  return color === 'blue' ? 'green' : 'blue';
}

/** Where a connection can be opened. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** A name that is looked up while running: by A and AAAA records, or by SRV records. */
export type NamedAddress =
  | { readonly kind: 'name'; readonly host: string; readonly port: number }
  | { readonly kind: 'srv'; readonly name: string };

/** TLS to a target. What is secret of it, and its authorities, come with the certificates. */
interface EndpointTls {
  /** Name or address that its certificate has to be for, unless the terms of the service say another. */
  readonly name: string;
  /** Whose terms hold (`CertificateSet.upstreams`); empty: those of the system. */
  readonly service: string;
}

/** One target of a deployment; a name stands for as many live endpoints as it has addresses. */
export interface Endpoint {
  /** Index of its row in the shared endpoint counters and in the health words. */
  readonly slot: number;
  /** Number of the deployment that it belongs to: the same address of another one is another endpoint. */
  readonly deployment: number;
  /** As configured, for people: `http://127.0.0.1:3001`, `https://app:3443`, `unix:/run/app.sock`. */
  readonly url: string;
  readonly address: Address | NamedAddress;
  /** `Host` for requests that come without one (HTTP/1.0). */
  readonly authority: string;
  /** How TLS is spoken to it; left out: it gets plain HTTP. */
  readonly tls?: EndpointTls;
  /** Where a name or a path may lead, beside what holds for all; left out: anywhere. */
  readonly allow?: readonly string[];
  /** Connections to it begin with a PROXY header of this version; left out: with none. */
  readonly sendProxy?: ProxyVersion;
}

/** An endpoint that can be connected to: a target, or one address of a target that is a name. */
export interface LiveEndpoint extends Endpoint {
  readonly address: Address;
  /** `10.0.0.2:3000` where a name has led to it. */
  readonly place?: string;
}

/** Returns an address of a name as it is connected to: where `target`, which has the name, says how. */
export function connectedAs(live: LiveEndpoint, { sendProxy }: Endpoint): LiveEndpoint {
  const { sendProxy: before, ...rest } = live;
  if (before === sendProxy) return live;
  return sendProxy === undefined ? rest : { ...rest, sendProxy };
}

/** The addresses that a name has at the moment. */
export interface NameAddresses {
  /** Slot of the endpoint that has the name as its address in the table. */
  readonly slot: number;
  readonly endpoints: readonly LiveEndpoint[];
}

/** A release that was left because it failed, and must not come back by mistake. */
export interface LockOut {
  /** What is locked out, wherever it is registered; never empty. */
  readonly release: string;
  /** Its deployment that was left. */
  readonly deployment: number;
  /** As the rollback gave it; may be empty. */
  readonly reason: string;
  readonly actor: string;
  /** In ms since the epoch. */
  readonly atMs: number;
  /** The decision by which it was left. */
  readonly epoch: number;
}

/** One registration of a release on a color of a service. */
export interface Deployment {
  /** Given once, to no other deployment of any service; 0: nothing is registered on the color. */
  readonly number: number;
  readonly color: Color;
  /** Release id; empty where none was named. */
  readonly release: string;
  /** Index of its block in the shared counters. */
  readonly block: number;
  readonly endpoints: readonly Endpoint[];
  /** Epoch in which it last became the active one: cookies hold it. 0: it never was. */
  readonly servedSince: number;
  /** Counts how often its preview links were revoked; a link opens it in its own series alone. */
  readonly previewSeries: number;
  /** Why no switch to it is allowed; undefined: it is. */
  readonly lockedOut: LockOut | undefined;
}

/** A deployment that was active once and still has sessions, requests or connections. */
export interface Draining {
  readonly deployment: Deployment;
  /** Times in ms since the epoch. Long-lived connections without a session begin to close here. */
  readonly startedAtMs: number;
  /** Sessions stay, and release ids lead there, until here; then what they have begins to close. */
  readonly sessionsUntilMs: number;
  /** What still runs is cut. */
  readonly endsAtMs: number;
  readonly longLived: LongLived;
}

/** Targets that a deployment has no more; what runs there goes on for a while. */
export interface Leaving {
  /** The deployment, with those of its targets alone that leave. */
  readonly deployment: Deployment;
  /** Times in ms since the epoch. Tunnels and event streams begin to close here. */
  readonly startedAtMs: number;
  /** What still runs is cut. */
  readonly endsAtMs: number;
  readonly longLived: LongLived;
}

/** Requests wait instead of being sent. */
export interface Hold {
  /** `writes`: only unsafe methods (RFC 9110 §9.2.1) wait. */
  readonly methods: 'all' | 'writes';
  /** In ms since the epoch; requests that still wait then go on as if there were no hold. */
  readonly untilMs: number;
  /** Tunnels and event streams are closed meanwhile; without `quiet`, uploads are closed too. */
  readonly closesLongLived: boolean;
  /** The hold of a switch: everything that runs has to end in this time. */
  readonly quiet?: QuietTime;
}

/** Times in ms since the epoch. At half of the time, requests of clients that are too slow are cut. */
export interface QuietTime {
  readonly fromMs: number;
  readonly byMs: number;
}

export interface Maintenance {
  /** One line for people; empty: the usual one. */
  readonly message: string;
  readonly retryAfterSeconds: number;
  /** Tunnels, event streams and uploads are closed as well. */
  readonly closesLongLived?: boolean;
}

/** Whether sessions of the active deployment move over, too, once their place falls under the share. */
type SplitSessions = 'new' | 'all';

/** What is placed: a session, all that comes from one address, or each request by itself. */
type SplitUnit = 'session' | 'address' | 'request';

/** The share is on its way: it changes evenly between two moments, without further tables. */
export interface Ramp {
  /** Of 10,000; the share before `startsAtMs`. */
  readonly from: number;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
}

/** While a rollout shifts: sessions that begin go to the deployment on the idle color in this share. */
export interface Split {
  /** Number of the deployment on the idle color. */
  readonly deployment: number;
  /** Salt of the placement, drawn from the epoch in which it began: not the same clients each time. */
  readonly salt: number;
  /** Seconds since the epoch: sessions issued from here on were placed by it, on either color. */
  readonly sinceS: number;
  /** Of 10,000; where there is a ramp, the share at its end. */
  readonly share: number;
  readonly ramp: Ramp | undefined;
  readonly sessions: SplitSessions;
  readonly by: SplitUnit;
}

/**
 * Copies of live requests go to the deployment on the idle color; their responses are compared and
 * thrown away.
 */
export interface Shadow extends ShadowRules {
  readonly deployment: number;
  /** Of 10,000. */
  readonly share: number;
}

export interface Service {
  readonly name: string;
  /** Lower-case names without port; `*.example.com` for one label or more; none: any host. */
  readonly hosts: readonly string[];
  /** Prefixes that end at a segment border; none: any path. */
  readonly paths: readonly string[];
  readonly active: Color;
  readonly blue: Deployment;
  readonly green: Deployment;
  /** In the order in which they were left; none is the active one. */
  readonly draining: readonly Draining[];
  /** In the order in which they were taken away; no request is sent there any more. */
  readonly leaving: readonly Leaving[];
  /** Deployments that only a preview link leads to: kept ones that no color has any more. */
  readonly previewed: readonly Deployment[];
  /** What the cookies of versions before deployments hold, and the deployment that it means. */
  readonly legacy: readonly LegacyGeneration[];
  readonly split: Split | undefined;
  readonly shadow: Shadow | undefined;
  readonly hold: Hold | undefined;
  readonly maintenance: Maintenance | undefined;
  readonly policy: ServicePolicy;
}

/** A generation of the versions before deployments, and the deployment that was active in it. */
export type LegacyGeneration = readonly [generation: number, deployment: number];

export interface RoutingTable {
  /** Number of this table in this process: grows with each one that is published; above 0. */
  readonly version: number;
  /** Number of the last decision; operators know it as the generation. */
  readonly epoch: number;
  readonly services: readonly Service[];
  /** Come into force together with this table; undefined: the settings stay as they are. */
  readonly settings?: DataPlaneSettings;
}

/** Returns every deployment that a service names: active, idle, draining, previewed. */
export function deploymentsOf({ blue, green, draining, previewed }: Service): Deployment[] {
  return [blue, green, ...draining.map(({ deployment }) => deployment), ...previewed];
}

/** Returns the same, and what of deployments is at targets that leave: all that may still run. */
export function runningOf(service: Service): Deployment[] {
  return [...deploymentsOf(service), ...service.leaving.map(({ deployment }) => deployment)];
}

/** Tells whether `endpoint` is looked up. */
export function isNamed(
  endpoint: Endpoint,
): endpoint is Endpoint & { readonly address: NamedAddress } {
  return endpoint.address.kind === 'name' || endpoint.address.kind === 'srv';
}

/** Tells whether `endpoint` can be connected to as it is. */
export function isLive(endpoint: Endpoint): endpoint is LiveEndpoint {
  return !isNamed(endpoint);
}
