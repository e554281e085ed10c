// A routing table made ready for requests: services sorted for look-up, pools attached, and what
// every request of a deployment or service needs worked out once.

import type { DataPlaneSettings } from '../../../contract/worker-settings.ts';
import { instanceCookies } from '../../../contract/cookie-names.ts';
import type { LongLived } from '../../../contract/service-policy.ts';
import {
  otherColor,
  type Endpoint,
  type QuietTime,
  type RoutingTable,
  type Service,
} from '../../../contract/table.ts';
import type { RequestHead } from '../../../http/heads/request-head.ts';
import { hostEnd } from '../../../http/grammar/host.ts';
import { OwnCookies } from '../../../http/forward/own-cookies.ts';
import { text } from '../../../http/grammar/text.ts';
import type { TargetPool } from '../../transport/transport.ts';
import { isUnder, trimSlash } from '../paths/path-prefix.ts';
import {
  routedService,
  type RoutedService,
  type RoutedDeployment,
  type RouteOptions,
} from './routed-service.ts';

/** Where ACME authorities look whether a name is ours (RFC 8555 §8.3). */
export const CHALLENGE_PREFIX = '/.well-known/acme-challenge/';

interface Route {
  readonly hosts: readonly string[];
  /** Empty: any path. */
  readonly path: string;
  readonly service: RoutedService;
}

/** Targets that leave a deployment. */
export interface LeavingTargets {
  readonly deployment: number;
  readonly urls: ReadonlySet<string>;
}

/** What a table says about one counter block that drains, or about some targets of it. */
export interface DrainOrder {
  readonly block: number;
  /** Only what runs at these; the rest of the block goes on. */
  readonly leaving?: LeavingTargets;
  readonly longLived: LongLived;
  /** Window of `spread`, deadline of `linger`. */
  readonly streamsMs: number;
  readonly closesPerSecond: number;
  /** Times in ms since the epoch: see contract/table.ts. */
  readonly startedAtMs: number;
  readonly sessionsUntilMs: number;
  readonly requestsUntilMs: number;
  readonly endsAtMs: number;
}

/** What a worker makes a table ready with. */
type RouteParts = Omit<RouteOptions, 'epoch' | 'exposeColor'>;

/** What a table says about that which still runs on a service that is held or in maintenance. */
export interface HoldOrder {
  readonly service: string;
  /** Of its active deployment, of a canary, and of those that drain. */
  readonly blocks: ReadonlySet<number>;
  /** What runs must end in this time; undefined: uploads are closed at once. */
  readonly quiet: QuietTime | undefined;
}

export class RouteTable {
  readonly version: number;
  readonly settings: DataPlaneSettings;
  readonly services: readonly RoutedService[];
  readonly drains: readonly DrainOrder[];
  readonly holds: readonly HoldOrder[];
  /** Of all services: no target is sent one of them. */
  readonly ownCookies: OwnCookies;
  /** The one service that takes everything; undefined where hosts or paths decide. */
  readonly #only: RoutedService | undefined;
  readonly #byHost = new Map<string, Route[]>();
  /** Suffixes `.example.com` with their routes, longest first. */
  readonly #bySuffix: (readonly [string, Route[]])[] = [];
  readonly #anyHost: Route[] = [];
  readonly #poolsOf: RouteOptions['poolsOf'];
  readonly #leaving: readonly Endpoint[];
  /** Of targets that leave. */
  #leavingPools: readonly TargetPool[];

  /** `settings`: those of the table, or what was in force before it. */
  constructor(table: RoutingTable, settings: DataPlaneSettings, parts: RouteParts) {
    this.version = table.version;
    this.settings = settings;
    const { exposeColor } = settings;
    const options = { ...parts, epoch: table.epoch, exposeColor };
    this.services = table.services.map((service) => routedService(service, options));
    this.ownCookies = new OwnCookies(instanceCookies(parts.instance, table.services));
    this.#poolsOf = parts.poolsOf;
    this.#leaving = table.services.flatMap(({ leaving }) =>
      leaving.flatMap(({ deployment }) => deployment.endpoints),
    );
    this.#leavingPools = parts.poolsOf(this.#leaving);
    this.drains = table.services.flatMap(drainOrders);
    this.holds = table.services.filter(closesLongLived).map(holdOrder);
    const routes = table.services.flatMap(({ hosts, paths }, index) => {
      const service = this.services[index]!;
      const prefixes = paths.length > 0 ? paths : [''];
      return prefixes.map((path): Route => ({ hosts, path: trimSlash(path), service }));
    });
    const first = routes[0];
    const takesAll = routes.length === 1 && first!.hosts.length === 0 && first!.path === '';
    this.#only = takesAll ? first!.service : undefined;
    for (const route of routes) this.#add(route);
    this.#bySuffix.sort(([a], [b]) => b.length - a.length);
    const lists = [
      this.#anyHost,
      ...this.#byHost.values(),
      ...this.#bySuffix.map(([, list]) => list),
    ];
    for (const list of lists) list.sort((a, b) => b.path.length - a.path.length);
  }

  /**
   * Returns where the request goes: exact host before wildcard before any host; in each, the
   * longest path prefix. Paths are compared as the client wrote them, without normalising.
   */
  route(head: RequestHead): RoutedService | undefined {
    if (this.#only !== undefined) return this.#only;
    const host = hostName(head);
    const path = pathOf(head);
    const exact = this.#byHost.get(host);
    const found = exact === undefined ? undefined : matchPath(exact, path);
    if (found !== undefined) return found;
    for (const [suffix, routes] of this.#bySuffix) {
      if (host.length <= suffix.length || !host.endsWith(suffix)) continue;
      const wild = matchPath(routes, path);
      if (wild !== undefined) return wild;
    }
    return matchPath(this.#anyHost, path);
  }

  /** Tells whether a service is for `host` by name. */
  names(host: string): boolean {
    if (this.#byHost.has(host)) return true;
    return this.#bySuffix.some(([suffix]) => host.length > suffix.length && host.endsWith(suffix));
  }

  /** Pools of the deployments that get new traffic. */
  activePools(): TargetPool[] {
    return this.services.flatMap(({ active, split }) =>
      split === undefined ? active.pools : [...active.pools, ...split.canary.pools],
    );
  }

  /** Every pool that the table leads to at the moment. */
  pools(): TargetPool[] {
    return [...this.#sidePools(), ...this.#leavingPools];
  }

  /** Returns where requests of `deployment`, which another table may have made, go by this one. */
  poolsNow(deployment: RoutedDeployment): readonly TargetPool[] {
    const service = this.services.find(({ name }) => name === deployment.service);
    const now = service?.deployments.find(({ number }) => number === deployment.number);
    return (now ?? deployment).pools;
  }

  /** The table is in force: no new request goes to targets that leave. */
  settlePools(): void {
    const sidePools = new Set(this.#sidePools());
    for (const pool of sidePools) pool.stay();
    for (const pool of this.#leavingPools) if (!sidePools.has(pool)) pool.leave();
  }

  /** Names lead elsewhere: every deployment gets the pools of its endpoints anew. */
  renewPools(): void {
    for (const { deployments } of this.services) {
      for (const deployment of deployments) deployment.pools = this.#poolsOf(deployment.endpoints);
    }
    this.#leavingPools = this.#poolsOf(this.#leaving);
  }

  #sidePools(): TargetPool[] {
    return this.services.flatMap(({ deployments }) =>
      deployments.flatMap((deployment) => deployment.pools),
    );
  }

  #add(route: Route): void {
    if (route.hosts.length === 0) this.#anyHost.push(route);
    for (const host of route.hosts) {
      if (!host.startsWith('*.')) {
        const list = this.#byHost.get(host);
        if (list === undefined) this.#byHost.set(host, [route]);
        else list.push(route);
        continue;
      }
      const suffix = host.slice(1);
      const list = this.#bySuffix.find(([known]) => known === suffix)?.[1];
      if (list === undefined) this.#bySuffix.push([suffix, [route]]);
      else list.push(route);
    }
  }
}

/** A hold or maintenance ends what it can end of that which still runs. */
function closesLongLived({ hold, maintenance }: Service): boolean {
  return hold?.closesLongLived === true || maintenance?.closesLongLived === true;
}

function holdOrder(service: Service): HoldOrder {
  const { name: serviceName, hold } = service;
  return { service: serviceName, blocks: new Set(blocksInUse(service)), quiet: hold?.quiet };
}

function blocksInUse({ draining, split, ...service }: Service): number[] {
  const left = draining.map(({ deployment }) => deployment.block);
  const canary = split === undefined ? [] : [service[otherColor(service.active)].block];
  return [service[service.active].block, ...canary, ...left];
}

function drainOrders(service: Service): DrainOrder[] {
  const { draining, leaving, policy } = service;
  const { streamsMs, requestsMs, closesPerSecond } = policy.drain;
  const left = leaving.map(({ deployment, longLived, startedAtMs, endsAtMs }): DrainOrder => ({
    block: deployment.block,
    leaving: {
      deployment: deployment.number,
      urls: new Set(deployment.endpoints.map(({ url }) => url)),
    },
    longLived,
    streamsMs,
    closesPerSecond,
    startedAtMs,
    // Sessions belong to the deployment, not to its targets.
    sessionsUntilMs: startedAtMs,
    requestsUntilMs: startedAtMs + requestsMs,
    endsAtMs,
  }));
  const drains = draining.map(
    ({ deployment, longLived, startedAtMs, sessionsUntilMs, endsAtMs }): DrainOrder => ({
      block: deployment.block,
      longLived,
      streamsMs,
      closesPerSecond,
      startedAtMs,
      sessionsUntilMs,
      requestsUntilMs: sessionsUntilMs + requestsMs,
      endsAtMs,
    }),
  );
  const orders = [...left, ...drains];
  if (!closesLongLived(service)) return orders;
  // Nothing shall run any more after a while: tunnels and event streams are closed now.
  return blocksInUse(service).map((block) => ({
    block,
    longLived: 'cut',
    streamsMs: 0,
    closesPerSecond,
    startedAtMs: 0,
    sessionsUntilMs: 0,
    requestsUntilMs: Infinity,
    endsAtMs: Infinity,
  }));
}

function matchPath(routes: readonly Route[], path: string): RoutedService | undefined {
  for (const route of routes) if (isUnder(path, route.path)) return route.service;
  return undefined;
}

/** Returns the host that is asked for in lower case, without port and the dot of the root; may be empty. */
export function hostName(head: RequestHead): string {
  const end = hostEnd(head.bytes, head.hostStart, head.hostStop);
  const host = text(head.bytes, head.hostStart, Math.max(end, head.hostStart)).toLowerCase();
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

/** Returns the path of the request target, relative or absolute, without query; `/` for `*`. */
export function pathOf(head: RequestHead): string {
  let target = head.target();
  const query = target.indexOf('?');
  if (query !== -1) target = target.slice(0, query);
  if (target.startsWith('/')) return target;
  const authority = target.indexOf('://');
  const slash = authority === -1 ? -1 : target.indexOf('/', authority + 3);
  return slash === -1 ? '/' : target.slice(slash);
}
