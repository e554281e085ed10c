// One service of a routing table as a worker uses it: its deployments with their pools, those that
// drain, and what its policy means for a request.

import {
  otherColor,
  type Color,
  type Endpoint,
  type Hold,
  type Maintenance,
} from '../../../contract/table.ts';
import type { Deployment, Service } from '../../../contract/table.ts';
import { HEALTH_WORD } from '../../../contract/counters.ts';
import type { ErrorPages } from '../../../contract/service-policy.ts';
import { Affinity } from '../tokens/affinity.ts';
import { errorPagesOf } from './error-page.ts';
import { hstsField } from './hsts.ts';
import { Judging, NOT_JUDGED } from './judging.ts';
import { PathPatterns } from '../paths/path-patterns.ts';
import { stripped } from '../paths/path-prefix.ts';
import { RetryBudget } from './retry-budget.ts';
import { routedShadow, type RoutedShadow } from './routed-shadow.ts';
import { RoutedSplit } from './split.ts';
import type { TargetPool } from '../../transport/transport.ts';

/** One deployment of one service. */
export interface RoutedDeployment {
  readonly service: string;
  readonly color: Color;
  readonly release: string;
  /** Its number; 0: nothing is registered on the color. */
  readonly number: number;
  /** Epoch since which it is, or was, active; what the target is told. */
  readonly generation: number;
  readonly previewSeries: number;
  /** A rollback has left it: only the preview listener still leads there. */
  readonly isLockedOut: boolean;
  readonly block: number;
  /** What of its requests counts for or against it. */
  readonly judging: Judging;
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
export const NOWHERE: RoutedDeployment = {
  service: '',
  color: 'blue',
  release: '',
  number: 0,
  generation: 0,
  previewSeries: 0,
  isLockedOut: false,
  block: 0,
  judging: NOT_JUDGED,
  endpoints: [],
  pools: [],
  requestEnding: '\r\n',
  responseFields: '',
};

/** What a deployment is for new traffic, as its app is told. */
type Role = 'active' | 'canary' | 'draining' | 'idle';

export interface RoutedService {
  readonly name: string;
  /** Of its table: no session has a token of a later one. */
  readonly epoch: number;
  readonly active: RoutedDeployment;
  readonly idle: RoutedDeployment;
  /** A rollout shifts sessions to the deployment on the idle color. */
  readonly split: RoutedSplit | undefined;
  /** Active, idle, draining and previewed. */
  readonly deployments: readonly RoutedDeployment[];
  /** By number of the deployment. */
  readonly draining: ReadonlyMap<number, DrainingDeployment>;
  /** What cookies of versions before deployments hold → number of the deployment. */
  readonly legacy: ReadonlyMap<number, number>;
  readonly affinity: Affinity;
  readonly isSkewOn: boolean;
  /** Those that drain and are not locked out, the latest first: requests may ask for their release. */
  readonly earlier: readonly DrainingDeployment[];
  readonly rescue: PathPatterns;
  /** Undefined for almost all services: no request is copied. */
  readonly shadow: RoutedShadow | undefined;
  readonly retries: RetryBudget;
  readonly hold: Hold | undefined;
  readonly maintenance: Maintenance | undefined;
  readonly maintenancePage: string;
  /** For browsers, where no target could answer; undefined: there are none. */
  readonly errorPages: ErrorPages | undefined;
  /** Requests that may wait, and their bytes, in this worker. */
  readonly heldRequestsMax: number;
  readonly heldBytesMax: number;
  readonly healthPath: string;
  /** Requests for its other hosts are sent there; empty: each host is answered. */
  readonly canonicalHost: string;
  /** Path prefixes that targets are not sent, the longest first; empty: paths are sent as they came. */
  readonly strippedPrefixes: readonly string[];
  /** Line of responses that leave over TLS; empty: none. */
  readonly hstsField: string;
}

export interface DrainingDeployment {
  readonly deployment: RoutedDeployment;
  /** In ms since the epoch. */
  readonly sessionsUntilMs: number;
}

export interface RouteOptions {
  /** Of the table. */
  readonly epoch: number;
  readonly poolsOf: (endpoints: readonly Endpoint[]) => readonly TargetPool[];
  readonly exposeColor: boolean;
  /** Stands in the names of cookies. */
  readonly instance: string;
}

/** Returns `service` made ready for requests. */
export function routedService(service: Service, options: RouteOptions): RoutedService {
  const { name, policy } = service;
  const since = service[service.active].servedSince;
  const judging = new Judging(policy.guard);
  const routed = (deployment: Deployment, role: Role): RoutedDeployment => {
    const generation = deployment.servedSince || since;
    return routedDeployment(service, deployment, { generation, role, judging, options });
  };
  const active = routed(service[service.active], 'active');
  const onIdle = service[otherColor(service.active)];
  const idle = routed(onIdle, idleRole(service, onIdle.number));
  const draining = service.draining.map(({ deployment: stored, sessionsUntilMs }) => {
    // One that its color still has is the same as that.
    const deployment = stored.number === idle.number ? idle : routed(stored, 'draining');
    return { deployment, sessionsUntilMs };
  });
  // The latest release first: that is the one most pages are of.
  const earlier = draining.filter(({ deployment }) => !deployment.isLockedOut).toReversed();
  const deployments = [
    active,
    idle,
    ...draining.map(({ deployment }) => deployment),
    ...service.previewed.map((one) => routed(one, 'idle')),
  ];
  const affinity = new Affinity(service, options.instance);
  const { split } = service;
  return {
    name,
    epoch: options.epoch,
    active,
    idle,
    split: split && new RoutedSplit(split, idle, affinity.isOn),
    deployments: [...new Set(deployments)],
    draining: new Map(draining.map((one) => [one.deployment.number, one])),
    legacy: new Map(service.legacy),
    affinity,
    isSkewOn: policy.skew.isOn,
    earlier,
    rescue: new PathPatterns(policy.skew.rescue),
    shadow: routedShadow(service.shadow, active, idle),
    retries: new RetryBudget(policy.retry),
    hold: service.hold,
    maintenance: service.maintenance,
    maintenancePage: policy.maintenance.page,
    errorPages: errorPagesOf(policy.errors),
    heldRequestsMax: policy.hold.requestsMax,
    heldBytesMax: policy.hold.bytesMax,
    healthPath: policy.healthPath,
    canonicalHost: policy.edge.canonicalHost,
    strippedPrefixes: policy.edge.stripPrefix ? stripped(service.paths) : [],
    hstsField: hstsField(policy.edge.hstsMs),
  };
}

/** At least one endpoint of `deployment` is not known to be down. */
export function mayServe({ pools }: RoutedDeployment, health: Int32Array): boolean {
  return pools.some(({ endpoint }) => Atomics.load(health, endpoint.slot) !== HEALTH_WORD.down);
}

/** What the idle color has may serve all the same: it is the canary, or it still drains. */
function idleRole({ split, draining }: Service, number: number): Role {
  if (split !== undefined) return 'canary';
  return draining.some(({ deployment }) => deployment.number === number) ? 'draining' : 'idle';
}

function routedDeployment(
  service: Service,
  deployment: Deployment,
  {
    generation,
    role,
    judging,
    options,
  }: {
    readonly generation: number;
    readonly role: Role;
    readonly judging: Judging;
    readonly options: RouteOptions;
  },
): RoutedDeployment {
  const release = deployment.release === '' ? '' : `x-turnout-release: ${deployment.release}\r\n`;
  const fields = `x-turnout-color: ${deployment.color}\r\n${release}x-turnout-generation: ${generation}\r\n`;
  return {
    service: service.name,
    color: deployment.color,
    release: deployment.release,
    number: deployment.number,
    generation,
    previewSeries: deployment.previewSeries,
    isLockedOut: deployment.lockedOut !== undefined,
    block: deployment.block,
    judging,
    endpoints: deployment.endpoints,
    pools: options.poolsOf(deployment.endpoints),
    requestEnding: `${fields}x-turnout-role: ${role}\r\n\r\n`,
    responseFields: options.exposeColor ? fields : '',
  };
}
