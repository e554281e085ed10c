// A routing table made ready for requests: services sorted for look-up, pools attached, and the
// fields that every request of a color gets written out once.

import type { Color, Endpoint, RoutingTable, Service, Side } from '../contract/table.ts';
import type { RequestHead } from '../http/request-head.ts';
import { text } from '../http/text.ts';
import { hostEnd } from '../http/host.ts';
import type { EndpointPool } from './pool.ts';

/** One color of one service, as a worker uses it. */
export interface RoutedSide {
  readonly service: string;
  readonly color: Color;
  readonly release: string;
  /** Generation since which this color has been active; what the target is told. */
  readonly generation: number;
  readonly block: number;
  readonly pools: readonly EndpointPool[];
  /** Last fields of each request and the empty line. */
  readonly requestEnding: string;
  /** The same fields for answers; empty unless they are shown to clients. */
  readonly answerFields: string;
}

interface Route {
  readonly hosts: readonly string[];
  /** Empty: any path. */
  readonly path: string;
  readonly active: RoutedSide;
}

export class RouteTable {
  readonly generation: number;
  readonly pools: readonly EndpointPool[];
  readonly #active: ReadonlySet<RoutedSide>;
  /** The one service that takes everything; undefined where hosts or paths decide. */
  readonly #only: RoutedSide | undefined;
  readonly #byHost = new Map<string, Route[]>();
  /** Suffixes `.example.com` with their routes, longest first. */
  readonly #bySuffix: (readonly [string, Route[]])[] = [];
  readonly #anyHost: Route[] = [];

  constructor(
    table: RoutingTable,
    options: {
      readonly poolOf: (endpoint: Endpoint) => EndpointPool;
      readonly exposeColor: boolean;
    },
  ) {
    this.generation = table.generation;
    const pools = new Set<EndpointPool>();
    const routes = table.services.flatMap((service) => {
      const sides = (['blue', 'green'] as const).map((color) => {
        const side = routedSide(service, service[color], options);
        for (const pool of side.pools) pools.add(pool);
        return side;
      });
      const active = sides[service.active === 'blue' ? 0 : 1]!;
      const paths = service.paths.length > 0 ? service.paths : [''];
      return paths.map((path) => ({ hosts: service.hosts, path: trimSlash(path), active }));
    });
    this.pools = [...pools];
    this.#active = new Set(routes.map((route) => route.active));
    const first = routes[0];
    const takesAll = routes.length === 1 && first!.hosts.length === 0 && first!.path === '';
    this.#only = takesAll ? first!.active : undefined;
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
  route(head: RequestHead): RoutedSide | undefined {
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

  /** Pools of the colors that get new traffic. */
  activePools(): EndpointPool[] {
    return [...this.#active].flatMap((side) => side.pools);
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

function routedSide(
  service: Service,
  side: Side,
  options: { readonly poolOf: (endpoint: Endpoint) => EndpointPool; readonly exposeColor: boolean },
): RoutedSide {
  const release = side.release === '' ? '' : `x-turnout-release: ${side.release}\r\n`;
  const fields = `x-turnout-color: ${side.color}\r\n${release}x-turnout-generation: ${service.since}\r\n`;
  return {
    service: service.name,
    color: side.color,
    release: side.release,
    generation: service.since,
    block: side.block,
    pools: side.endpoints.map(options.poolOf),
    requestEnding: `${fields}\r\n`,
    answerFields: options.exposeColor ? fields : '',
  };
}

/** A prefix matches whole segments: `/shop` takes `/shop` and `/shop/x`, not `/shopping`. */
function matchPath(routes: readonly Route[], path: string): RoutedSide | undefined {
  for (const route of routes) {
    const prefix = route.path;
    if (!path.startsWith(prefix)) continue;
    if (path.length === prefix.length || path[prefix.length] === '/') return route.active;
  }
  return undefined;
}

function trimSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Host in lower case, without port and the dot of the root. */
function hostName(head: RequestHead): string {
  const end = hostEnd(head.bytes, head.hostStart, head.hostStop);
  const host = text(head.bytes, head.hostStart, Math.max(end, head.hostStart)).toLowerCase();
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

/** Path of the target, without query; of an absolute target too; `*` has none. */
function pathOf(head: RequestHead): string {
  let target = head.target();
  const query = target.indexOf('?');
  if (query !== -1) target = target.slice(0, query);
  if (target.startsWith('/')) return target;
  const authority = target.indexOf('://');
  const slash = authority === -1 ? -1 : target.indexOf('/', authority + 3);
  return slash === -1 ? '/' : target.slice(slash);
}
