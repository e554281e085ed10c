// One service of a routing table as a worker uses it: its sides with their pools, the generations
// that drain, and what its policy means for a request.

import {
  otherColor,
  type Color,
  type Endpoint,
  type Hold,
  type Maintenance,
} from '../../contract/table.ts';
import type { Service, Side } from '../../contract/table.ts';
import { Affinity } from './affinity.ts';
import { PathPatterns } from './path-patterns.ts';
import type { TargetPool } from '../transport/transport.ts';

/** One color of one service, or a generation of it that drains. */
export interface RoutedSide {
  readonly service: string;
  readonly color: Color;
  readonly release: string;
  /** Generation since which this side is, or was, active; what the target is told. */
  readonly generation: number;
  readonly block: number;
  /** As the table names them. */
  readonly endpoints: readonly Endpoint[];
  /** Where they lead; replaced when a name leads elsewhere. */
  pools: readonly TargetPool[];
  /** Last fields of each request and the empty line. */
  readonly requestEnding: string;
  /** The same fields for responses; empty unless they are shown to clients. */
  readonly responseFields: string;
}

export interface RoutedService {
  readonly name: string;
  readonly active: RoutedSide;
  readonly idle: RoutedSide;
  /** Active, idle and draining. */
  readonly sides: readonly RoutedSide[];
  /** Earlier generations of the active side. */
  readonly resumed: ReadonlySet<number>;
  /** By the generations that their cookies hold. */
  readonly draining: ReadonlyMap<number, DrainingSide>;
  readonly affinity: Affinity;
  readonly isSkewOn: boolean;
  /** Sides that are or were active, the active one first: requests may ask for their release. */
  readonly served: readonly RoutedSide[];
  readonly rescue: PathPatterns;
  /** Where a 404 of the active side is tried; undefined: nowhere. */
  readonly rescuer: RoutedSide | undefined;
  readonly hold: Hold | undefined;
  readonly maintenance: Maintenance | undefined;
  readonly maintenancePage: string;
  /** Requests that may wait, and their bytes, in this worker. */
  readonly heldRequestsMax: number;
  readonly heldBytesMax: number;
  readonly healthPath: string;
}

interface DrainingSide {
  readonly side: RoutedSide;
  /** In ms since the epoch. */
  readonly sessionsUntilMs: number;
}

export interface RouteOptions {
  readonly poolsOf: (endpoints: readonly Endpoint[]) => readonly TargetPool[];
  readonly exposeColor: boolean;
  /** Stands in the names of cookies. */
  readonly instance: string;
}

/** Returns `service` made ready for requests. */
export function routedService(service: Service, options: RouteOptions): RoutedService {
  const { name, since, policy } = service;
  const idleColor = otherColor(service.active);
  const active = routedSide(service, service[service.active], since, options);
  const idle = routedSide(service, service[idleColor], since, options);
  const draining = service.draining.map(({ generation, resumed, side, sessionsUntilMs }) => ({
    side: routedSide(service, side, generation, options),
    sessionsUntilMs,
    generations: [generation, ...resumed],
  }));
  // The latest release first: that is the one most pages are of.
  const past = draining.map(({ side }) => side).toReversed();
  const hasServed = service[idleColor].hasServed && idle.endpoints.length > 0;
  const served = [active, ...past, ...(hasServed ? [idle] : [])];
  return {
    name,
    active,
    idle,
    sides: [active, idle, ...past],
    resumed: new Set(service.resumed),
    draining: new Map(
      draining.flatMap((one) => one.generations.map((generation) => [generation, one])),
    ),
    affinity: new Affinity(service, options.instance),
    isSkewOn: policy.skew.isOn,
    served,
    rescue: new PathPatterns(policy.skew.rescue),
    rescuer: served[1],
    hold: service.hold,
    maintenance: service.maintenance,
    maintenancePage: policy.maintenance.page,
    heldRequestsMax: policy.hold.requestsMax,
    heldBytesMax: policy.hold.bytesMax,
    healthPath: policy.healthPath,
  };
}

function routedSide(
  service: Service,
  side: Side,
  generation: number,
  options: RouteOptions,
): RoutedSide {
  const release = side.release === '' ? '' : `x-turnout-release: ${side.release}\r\n`;
  const fields = `x-turnout-color: ${side.color}\r\n${release}x-turnout-generation: ${generation}\r\n`;
  return {
    service: service.name,
    color: side.color,
    release: side.release,
    generation,
    block: side.block,
    endpoints: side.endpoints,
    pools: options.poolsOf(side.endpoints),
    requestEnding: `${fields}\r\n`,
    responseFields: options.exposeColor ? fields : '',
  };
}
