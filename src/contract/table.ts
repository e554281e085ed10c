// The routing table: the immutable and complete picture from which a worker can serve alone; only
// the addresses of names are told apart from it (NameAddresses). Only the control plane makes one;
// it is replaced whole, never patched. It crosses threads by structured clone, so it holds plain
// data only.

import type { DataPlaneSettings } from './worker-settings.ts';
import type { LongLived, ServicePolicy } from './service-policy.ts';

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

/** One target as configured; a name stands for as many live endpoints as it has addresses. */
export interface Endpoint {
  /** Index of its row in the shared endpoint counters and in the health words. */
  readonly slot: number;
  /** As configured, for people: `http://127.0.0.1:3001` or `unix:/run/app.sock`. */
  readonly url: string;
  readonly address: Address | NamedAddress;
  /** `Host` for requests that come without one (HTTP/1.0). */
  readonly authority: string;
}

/** An endpoint that can be connected to: a target, or one address of a target that is a name. */
export interface LiveEndpoint extends Endpoint {
  readonly address: Address;
  /** `10.0.0.2:3000` where a name has led to it. */
  readonly place?: string;
}

/** The addresses that a name has at the moment. */
export interface NameAddresses {
  /** Slot of the endpoint that has the name as its address in the table. */
  readonly slot: number;
  readonly endpoints: readonly LiveEndpoint[];
}

/** A release that was left because it failed, and must not come back by mistake. */
export interface LockOut {
  /** As the rollback gave it; may be empty. */
  readonly reason: string;
  readonly actor: string;
  /** In ms since the epoch. */
  readonly atMs: number;
  /** The table with which it was left. */
  readonly generation: number;
}

/** One color of one service. */
export interface Side {
  readonly color: Color;
  /** Release id; empty until one was named. */
  readonly release: string;
  /** Index of its block in the shared counters: one per service, color, release and targets. */
  readonly block: number;
  readonly endpoints: readonly Endpoint[];
  /** It has been active: pages and cookies of it are out there. */
  readonly hasServed: boolean;
  /** Why no switch to this side is allowed; undefined: it is. Only an idle color has one. */
  readonly lockedOut: LockOut | undefined;
}

/** A side that was active once and still has sessions, requests or connections. */
export interface Draining {
  /** `since` of the service while it was active: what its cookies hold. */
  readonly generation: number;
  /** Earlier generations in which the same side was active: their sessions belong here, too. */
  readonly resumed: readonly number[];
  readonly side: Side;
  /** Times in ms since the epoch. Long-lived connections without a session begin to close here. */
  readonly startedAtMs: number;
  /** Sessions stay until here; then theirs begin to close too. */
  readonly sessionsUntilMs: number;
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
  /** Tunnels and event streams are closed meanwhile: the colors must not run side by side. */
  readonly closesLongLived: boolean;
}

export interface Maintenance {
  /** One line for people; empty: the usual one. */
  readonly message: string;
  readonly retryAfterSeconds: number;
}

export interface Service {
  readonly name: string;
  /** Lower-case names without port; `*.example.com` for one label or more; none: any host. */
  readonly hosts: readonly string[];
  /** Prefixes that end at a segment border; none: any path. */
  readonly paths: readonly string[];
  readonly active: Color;
  /** Generation in which `active` last changed. */
  readonly since: number;
  /** Earlier generations in which the active side was active: their sessions have come back. */
  readonly resumed: readonly number[];
  readonly blue: Side;
  readonly green: Side;
  /** In order of generation; none is the active one. */
  readonly draining: readonly Draining[];
  readonly hold: Hold | undefined;
  readonly maintenance: Maintenance | undefined;
  readonly policy: ServicePolicy;
}

export interface RoutingTable {
  /** Grows with each published table; above 0. */
  readonly generation: number;
  readonly services: readonly Service[];
  /** Come into force together with this table; undefined: the settings stay as they are. */
  readonly settings?: DataPlaneSettings;
}

/** Returns every side that a service has: active, idle, draining. */
export function sidesOf({ blue, green, draining }: Service): Side[] {
  return [blue, green, ...draining.map(({ side }) => side)];
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
