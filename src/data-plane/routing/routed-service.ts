// One service of a routing table as a worker uses it: its deployments with their pools, those that
// drain, and what its policy means for a request.

import {
  otherColor,
  type Color,
  type Endpoint,
  type Hold,
  type Maintenance,
} from '../../contract/table.ts';
import type { Deployment, Service } from '../../contract/table.ts';
import { Affinity } from './affinity.ts';
import { PathPatterns } from './path-patterns.ts';
import type { TargetPool } from '../transport/transport.ts';

/** One deployment of one service. */
export interface RoutedSide {
  readonly service: string;
  readonly color: Color;
  readonly release: string;
  /** Its number; 0: nothing is registered on the color. */
  readonly deployment: number;
  /** Epoch since which it is, or was, active; what the target is told. */
  readonly generation: number;
  readonly previewSeries: number;
  /** A rollback has left it: only the preview listener still leads there. */
  readonly isLockedOut: boolean;
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

/** Takes requests that no service is configured for; block 0 counts them. */
export const NOWHERE: RoutedSide = {
  service: '',
  color: 'blue',
  release: '',
  deployment: 0,
  generation: 0,
  previewSeries: 0,
  isLockedOut: false,
  block: 0,
  endpoints: [],
  pools: [],
  requestEnding: '\r\n',
  responseFields: '',
};

export interface RoutedService {
  readonly name: string;
  readonly active: RoutedSide;
  readonly idle: RoutedSide;
  /** Active, idle, draining and previewed. */
  readonly sides: readonly RoutedSide[];
  /** By number of the deployment. */
  readonly draining: ReadonlyMap<number, DrainingSide>;
  /** What cookies of versions before deployments hold → number of the deployment. */
  readonly legacy: ReadonlyMap<number, number>;
  readonly affinity: Affinity;
  readonly isSkewOn: boolean;
  /** Those that drain and are not locked out, the latest first: requests may ask for their release. */
  readonly earlier: readonly DrainingSide[];
  readonly rescue: PathPatterns;
  readonly hold: Hold | undefined;
  readonly maintenance: Maintenance | undefined;
  readonly maintenancePage: string;
  /** For browsers, where no target could answer; empty: none. */
  readonly errorPage: string;
  /** Requests that may wait, and their bytes, in this worker. */
  readonly heldRequestsMax: number;
  readonly heldBytesMax: number;
  readonly healthPath: string;
}

export interface DrainingSide {
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
  const { name, policy } = service;
  const since = service[service.active].servedSince;
  const routed = (deployment: Deployment): RoutedSide =>
    routedSide(service, deployment, deployment.servedSince || since, options);
  const active = routed(service[service.active]);
  const idle = routed(service[otherColor(service.active)]);
  const draining = service.draining.map(({ deployment, sessionsUntilMs }) => {
    // One that its color still has is the same as that.
    const side = deployment.number === idle.deployment ? idle : routed(deployment);
    return { side, sessionsUntilMs };
  });
  // The latest release first: that is the one most pages are of.
  const earlier = draining.filter(({ side }) => !side.isLockedOut).toReversed();
  const sides = [
    active,
    idle,
    ...draining.map(({ side }) => side),
    ...service.previewed.map(routed),
  ];
  return {
    name,
    active,
    idle,
    sides: [...new Set(sides)],
    draining: new Map(draining.map((one) => [one.side.deployment, one])),
    legacy: new Map(service.legacy),
    affinity: new Affinity(service, options.instance),
    isSkewOn: policy.skew.isOn,
    earlier,
    rescue: new PathPatterns(policy.skew.rescue),
    hold: service.hold,
    maintenance: service.maintenance,
    maintenancePage: policy.maintenance.page,
    errorPage: policy.errors.page,
    heldRequestsMax: policy.hold.requestsMax,
    heldBytesMax: policy.hold.bytesMax,
    healthPath: policy.healthPath,
  };
}

function routedSide(
  service: Service,
  side: Deployment,
  generation: number,
  options: RouteOptions,
): RoutedSide {
  const release = side.release === '' ? '' : `x-turnout-release: ${side.release}\r\n`;
  const fields = `x-turnout-color: ${side.color}\r\n${release}x-turnout-generation: ${generation}\r\n`;
  return {
    service: service.name,
    color: side.color,
    release: side.release,
    deployment: side.number,
    generation,
    previewSeries: side.previewSeries,
    isLockedOut: side.lockedOut !== undefined,
    block: side.block,
    endpoints: side.endpoints,
    pools: options.poolsOf(side.endpoints),
    requestEnding: `${fields}\r\n`,
    responseFields: options.exposeColor ? fields : '',
  };
}
