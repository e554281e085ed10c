// Checked values in the shape of the file → the frozen Config that the program receives.

import type { ServicePolicy } from '../contract/service-policy.ts';
import type { Color } from '../contract/table.ts';
import { connectionsThatFit } from './descriptors.ts';
import type { AdminTls, Config, ServiceConfig, SideConfig } from './config.ts';
import { schemaOf } from './settings/relations/told-schema.ts';
import { notifyOf, rolloutOf } from './settings/built/build-rollout.ts';
import { acmeOf, listenersOf, tlsSources } from './settings/built/build-listeners.ts';
import { upstreamSources } from './settings/built/build-upstream.ts';
import type { ServiceValues, Values } from './settings/schema/schema.ts';
import { CONNECTIONS_DEFAULT } from './settings/table/client-settings.ts';
import { WORKERS_MAX } from './settings/table/settings.ts';

/** Clients that one worker rarely has more of. */
const CONNECTIONS_PLENTY = 1_024;

/** What the sources say together, in the shape of the file. */
export interface Said {
  readonly values: Values;
  /** As it was written, where it was. */
  readonly raw: unknown;
}

/** What the configuration depends on beside its sources. */
export interface Machine {
  /** `process.platform`. */
  readonly platform: string;
  /** `os.availableParallelism()`. */
  readonly cpus: number;
  /** File descriptors that the process may have; Infinity: not known. */
  readonly descriptors: number;
}

/** Returns the configuration of `values` on `machine`, and what of it cannot be had there. */
export function buildConfig(
  { values, raw }: Said,
  machine: Machine,
): { readonly config: Config; readonly warnings: readonly string[] } {
  const { client, upstream } = values;
  const workers = workersOf(values, machine);
  const targets = values.services.flatMap(({ blue, green }) => [...blue.targets, ...green.targets]);
  const connectionsMax = connectionsThatFit(
    {
      connections: client.connections,
      toTargets: upstream.connections * Math.max(1, targets.length),
      workers,
    },
    machine.descriptors,
  );
  const config: Config = {
    dataPlane: {
      listeners: listenersOf(values),
      ownSockets: ownSockets(values),
      targetsAllow: values.targets.allow,
      client: {
        connectionsMax,
        headBytesMax: client.headSize,
        headFieldsMax: client.headFields,
        targetBytesMax: client.targetSize,
        methods: client.methods,
        bodyBytesMax: client.bodySize,
        headTimeoutMs: client.headTimeout,
        bodyIdleTimeoutMs: client.bodyIdleTimeout,
        sendIdleTimeoutMs: client.sendIdleTimeout,
        keepAliveTimeoutMs: client.keepAliveTimeout,
        requestsMax: client.requests,
      },
      upstream: {
        connectTimeoutMs: upstream.connectTimeout,
        headTimeoutMs: upstream.headTimeout,
        headBytesMax: upstream.headSize,
        headFieldsMax: upstream.headFields,
        bodyIdleTimeoutMs: upstream.bodyIdleTimeout,
        tunnelIdleTimeoutMs: upstream.tunnelIdleTimeout,
        idleTimeoutMs: upstream.idleTimeout,
        connectionsMax: upstream.connections,
        waitingMax: upstream.waiting,
      },
      forwarding: values.forwarding,
      ids: {
        field: values.requestId.field,
        traces: values.tracing.mode,
        newTraces: values.tracing.start,
      },
      accessLog: values.accessLog,
      exposeColor: values.exposeColor,
    },
    tls: tlsSources(values),
    upstreamTls: upstreamSources(values),
    acme: acmeOf(values),
    admin: { listen: values.admin.listen, hosts: values.admin.hosts, tls: tlsOf(values.admin.tls) },
    targets: { allow: values.targets.allow },
    metrics: { listen: values.metrics.listen, hosts: values.metrics.hosts },
    state: { dir: values.state.dir },
    instance: values.instance,
    resolve: values.resolve,
    watch: values.watch,
    workers,
    log: { level: values.log.level },
    stop: { readyDelayMs: values.stop.readyDelay, deadlineMs: values.stop.deadline },
    notify: notifyOf(values.notify),
    services: values.services.map((service, index) => {
      return { ...serviceOf(service), isRolloutConfigured: isWritten(raw, index) };
    }),
    freezes: values.freezes,
  };
  const asked = values.workers ?? 1;
  const warnings: string[] = [];
  if (asked > workers) {
    warnings.push(
      `workers: ${asked} were asked for, but this listener can't be shared: 1 is started`,
    );
  }
  if (isTight(client.connections, connectionsMax)) {
    warnings.push(
      `client.connections: ${client.connections} do not fit into ${machine.descriptors} file ` +
        `descriptors: a worker takes ${connectionsMax}; raise LimitNOFILE= or ulimit -n`,
    );
  }
  return { config: freeze(config), warnings };
}

function ownSockets({ listen, preview, admin, metrics }: Values): string[] {
  const traffic = listen.map(({ address }) => address);
  const all = [...traffic, preview.listen, admin.listen, metrics.listen];
  return all.flatMap((one) => (one?.kind === 'unix' ? [one.path] : []));
}

/** A default that does not fit is no news as long as what fits is plenty. */
function isTight(asked: number, fits: number): boolean {
  return fits < asked && (asked !== CONNECTIONS_DEFAULT || fits < CONNECTIONS_PLENTY);
}

/** Certificate and key come together, or not at all: relations.ts has checked that. */
function tlsOf({ cert, key, clientCa, clients }: Values['admin']['tls']): AdminTls | undefined {
  return cert === undefined || key === undefined ? undefined : { cert, key, clientCa, clients };
}

function workersOf(values: Values, { platform, cpus }: Machine): number {
  // Elsewhere several sockets on one port are refused, or share connections unevenly.
  const hasPort = values.listen.some(({ address }) => address.kind === 'tcp');
  if (!hasPort || platform !== 'linux') return 1;
  return values.workers ?? Math.min(Math.max(cpus, 1), WORKERS_MAX);
}

/** Tells whether the service at `index` has a section `rollout` in what was written. */
function isWritten(raw: unknown, index: number): boolean {
  const services = typeof raw === 'object' && raw !== null && 'services' in raw && raw.services;
  const service: unknown = Array.isArray(services) ? services[index] : undefined;
  return typeof service === 'object' && service !== null && 'rollout' in service;
}

function serviceOf(service: ServiceValues): Omit<ServiceConfig, 'isRolloutConfigured'> {
  const { health } = service;
  return {
    name: service.name,
    hosts: service.hosts,
    // A prefix of / is every path, and then the others say nothing more.
    // Beside `/`, other prefixes say only what is left out of paths.
    paths: service.paths.includes('/') && !service.stripPrefix ? [] : service.paths,
    active: service.active ?? servingColor(service),
    blue: sideOf(service, 'blue'),
    green: sideOf(service, 'green'),
    resolve: { intervalMs: service.resolve.interval, families: service.resolve.families },
    health: {
      kind: health.kind,
      path: health.path,
      host: health.host,
      statusMin: health.status.min,
      statusMax: health.status.max,
      intervalMs: health.interval,
      timeoutMs: health.timeout,
      rise: health.rise,
      fall: health.fall,
    },
    ejection: {
      mode: service.ejection.mode,
      failures: service.ejection.failures,
      timeMs: service.ejection.time,
      timeMaxMs: service.ejection.timeMax,
    },
    failover: {
      mode: service.failover.mode,
      afterMs: service.failover.after,
      pauseMs: service.failover.pause,
    },
    freezes: service.freezes,
    policy: policyOf(service),
    rollout: rolloutOf(service.rollout),
  };
}

function sideOf(service: ServiceValues, color: Color): SideConfig {
  const { release, schema, targets, sendProxy = service.sendProxy } = service[color];
  const version = sendProxy === 'off' ? undefined : sendProxy;
  return { release, schema: schemaOf(schema), targets, sendProxy: version };
}

function policyOf(service: ServiceValues): ServicePolicy {
  const { affinity, drain, skew, retry, hold, maintenance, errors, health } = service;
  const { guard } = rolloutOf(service.rollout);
  return {
    affinity: {
      mode: affinity.mode,
      cookieName: affinity.cookie,
      cookiePath: affinity.path,
      sameSite: affinity.sameSite,
      idleMs: affinity.idle,
      lifeMs: affinity.life,
    },
    drain: {
      sessionsMs: drain.sessions,
      requestsMs: drain.requests,
      streamsMs: drain.streams,
      longLived: drain.longLived,
      closesPerSecond: drain.closesPerSecond,
    },
    skew: { isOn: skew.mode === 'on', rescue: skew.rescue },
    retry: { isOn: retry.mode === 'on', budgetPercent: retry.budget },
    hold: { requestsMax: hold.requests, bytesMax: hold.size },
    maintenance: { page: maintenance.page },
    errors,
    edge: {
      canonicalHost: service.canonicalHost ?? '',
      stripPrefix: service.stripPrefix,
      hstsMs: service.hsts,
    },
    guard: { badStatuses: guard.errors.statuses, ignorePaths: guard.ignorePaths },
    // A probe may have a query; the path alone says what is a health check.
    healthPath: health.kind === 'http' ? health.path.split('?', 1)[0]! : '',
  };
}

function servingColor(service: ServiceValues): Color {
  return service.blue.targets.length === 0 ? 'green' : 'blue';
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) freeze(part);
    Object.freeze(value);
  }
  return value;
}
