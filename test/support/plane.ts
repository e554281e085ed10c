// One data plane inside the test, with a routing table of one service and settings that suit
// tests: the product's limits, so a case that says nothing about limits runs into none.

import type { ProxyVersion } from '../../src/base/proxy-greeting.ts';
import { allocateSharedMemory, type SharedMemory } from '../../src/contract/shared-memory.ts';
import type { Order, Report } from '../../src/contract/messages.ts';
import {
  NO_CERTIFICATES,
  type CertificateSet,
  type UpstreamTerms,
} from '../../src/contract/certificates.ts';
import type {
  DataPlaneSettings,
  Listener,
  ListenAddress,
} from '../../src/contract/worker-settings.ts';
import type {
  Color,
  Deployment,
  Endpoint,
  Hold,
  Maintenance,
  RoutingTable,
  Shadow,
} from '../../src/contract/table.ts';
import { openPlane, type Plane } from '../../src/data-plane/plane.ts';
import { TEST_ADDRESS } from './test-certificates.ts';
import { TEST_INSTANCE, TEST_KEYS, testPolicy, type PolicyPatch } from './policy.ts';

/** Version of the first table of a test plane. */
export const FIRST_VERSION = 7;

/** Numbers of the deployments of a test plane, the same in each of its tables. */
export const TEST_DEPLOYMENTS = { blue: 3, green: 4 } as const satisfies Record<Color, number>;

/** Returns the epoch of the table with `version`; no version and no deployment has its number. */
export function epochOf(version: number): number {
  return version + 100;
}

/** What targets are told by the first table. */
export const FIRST_EPOCH = epochOf(FIRST_VERSION);

/** Settings by group; each group is laid over the settings that tests start from. */
export interface SettingsPatch {
  readonly listen?: ListenAddress;
  readonly listener?: Partial<Listener>;
  /** Of a listener with TLS. */
  readonly certificates?: CertificateSet;
  /** PEM: targets speak TLS as localhost, and these sign for them. */
  readonly targetAuthorities?: string;
  readonly ownSockets?: readonly string[];
  readonly client?: Partial<DataPlaneSettings['client']>;
  readonly upstream?: Partial<DataPlaneSettings['upstream']>;
  readonly forwarding?: Partial<DataPlaneSettings['forwarding']>;
  readonly ids?: Partial<DataPlaneSettings['ids']>;
  readonly exposeColor?: boolean;
  readonly service?: ServicePatch;
}

/** What the table says about the service, where it is not the usual. */
export interface ServicePatch {
  readonly hosts?: readonly string[];
  readonly paths?: readonly string[];
  readonly sendProxy?: ProxyVersion;
  readonly policy?: PolicyPatch;
  readonly maintenance?: Maintenance;
  readonly hold?: Hold;
  readonly shadow?: Shadow;
}

/** Ports of the targets of each color. */
export interface Targets {
  readonly blue: readonly number[];
  readonly green: readonly number[];
}

export interface TestPlane {
  readonly port: number;
  readonly memory: SharedMemory;
  readonly plane: Plane;
  /** Everything the plane has reported so far. */
  readonly reports: readonly Report[];
  /** Prepares a table of the next version that sends traffic to `color`, and publishes it. */
  switchTo(color: Color): Promise<number>;
  /** Stops the plane and cuts what still runs. */
  stop(): Promise<void>;
}

export function testSettings(patch: SettingsPatch): DataPlaneSettings {
  return {
    listeners: [
      {
        address: patch.listen ?? TEST_ADDRESS,
        use: 'traffic',
        redirectPort: 0,
        tls: undefined,
        proxyFrom: [],
        ...patch.listener,
      },
    ],
    ownSockets: patch.ownSockets ?? [],
    targetsAllow: [],
    client: {
      connectionsMax: 10_000,
      headBytesMax: 32_768,
      headFieldsMax: 100,
      targetBytesMax: 8_192,
      methods: [],
      bodyBytesMax: 0,
      headTimeoutMs: 30_000,
      bodyIdleTimeoutMs: 30_000,
      sendIdleTimeoutMs: 30_000,
      keepAliveTimeoutMs: 60_000,
      requestsMax: 0,
      ...patch.client,
    },
    upstream: {
      connectTimeoutMs: 3_000,
      headTimeoutMs: 30_000,
      headBytesMax: 65_536,
      headFieldsMax: 200,
      bodyIdleTimeoutMs: 30_000,
      tunnelIdleTimeoutMs: 60_000,
      idleTimeoutMs: 4_000,
      connectionsMax: 256,
      waitingMax: 1_024,
      ...patch.upstream,
    },
    forwarding: {
      trustedProxies: [],
      strip: [],
      xForwarded: true,
      forwarded: false,
      via: '',
      ...patch.forwarding,
    },
    // Off, so that what leaves is what came in, but for what a case is about.
    ids: { field: '', traces: 'off', newTraces: 'none', ...patch.ids },
    accessLog: { mode: 'off', oneIn: 1, format: 'json', query: false },
    exposeColor: patch.exposeColor ?? false,
  };
}

/**
 * Returns a table of one service for any host; blue is block 1, green is block 2. The active color
 * became that with this table.
 */
export function testTable(
  version: number,
  active: Color,
  targets: Targets,
  patch: ServicePatch = {},
  hasTlsTargets = false,
): RoutingTable {
  const epoch = epochOf(version);
  const deployment = (color: Color, block: number, firstSlot: number): Deployment => ({
    number: TEST_DEPLOYMENTS[color],
    color,
    release: '',
    block,
    servedSince: color === active ? epoch : 0,
    previewSeries: 0,
    lockedOut: undefined,
    endpoints: targets[color].map((port, index) => {
      const { sendProxy } = patch;
      const told = sendProxy === undefined ? {} : { sendProxy };
      const plain = { ...endpoint(color, port, firstSlot + index), ...told };
      return hasTlsTargets ? secured(plain) : plain;
    }),
  });
  return {
    version,
    epoch,
    services: [
      {
        name: 'default',
        hosts: patch.hosts ?? [],
        paths: patch.paths ?? [],
        active,
        blue: deployment('blue', 1, 0),
        green: deployment('green', 2, targets.blue.length),
        draining: [],
        leaving: [],
        previewed: [],
        legacy: [],
        split: undefined,
        shadow: patch.shadow,
        hold: patch.hold,
        maintenance: patch.maintenance,
        policy: testPolicy(patch.policy),
      },
    ],
  };
}

/** Opens a plane whose active color is blue and which knows `targets`. */
export async function openTestPlane(targets: Targets, patch: SettingsPatch): Promise<TestPlane> {
  const hasTlsTargets = patch.targetAuthorities !== undefined;
  const memory = allocateSharedMemory(1);
  const reports: Report[] = [];
  const waiting = new Set<() => void>();
  const report = (next: Report): void => {
    reports.push(next);
    for (const look of waiting) look();
  };
  const reported = <K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>> => {
    const from = reports.length;
    return new Promise((resolve, reject) => {
      const look = (): void => {
        for (const seen of reports.slice(from)) {
          if (seen.kind === kind) resolve(seen as Extract<Report, { kind: K }>);
          else if (seen.kind === 'fault' || seen.kind === 'listen-failed') {
            reject(new Error(seen.message));
          } else continue;
          waiting.delete(look);
          return;
        }
      };
      waiting.add(look);
    });
  };
  let version = FIRST_VERSION;
  Atomics.store(memory.pointer, 0, version);
  const listening = reported('listening');
  const plane = openPlane(
    {
      index: 0,
      workerCount: 1,
      memory,
      keys: TEST_KEYS,
      instance: TEST_INSTANCE,
      settings: testSettings(patch),
      tables: [testTable(version, 'blue', targets, patch.service, hasTlsTargets)],
      names: [],
      reusePort: false,
      inherited: [],
      certificates: certificatesOf(patch),
    },
    report,
  );
  const obeyed = (order: Order, answer: Report['kind']): Promise<unknown> => {
    const answered = reported(answer);
    plane.obey(order);
    return answered;
  };
  return {
    port: (await listening).listeners[0]!.port,
    memory,
    plane,
    reports,
    async switchTo(color) {
      const table = testTable(version + 1, color, targets, patch.service, hasTlsTargets);
      await obeyed({ kind: 'prepare', table }, 'prepared');
      version = table.version;
      Atomics.store(memory.pointer, 0, version);
      return version;
    },
    async stop() {
      if (reports.some(({ kind }) => kind === 'stopped')) return;
      await obeyed({ kind: 'stop', withinMs: 0, idleMs: 0 }, 'stopped');
    },
  };
}

function endpoint(color: Color, port: number, slot: number): Endpoint {
  return {
    slot,
    deployment: TEST_DEPLOYMENTS[color],
    url: `http://127.0.0.1:${port}`,
    address: { kind: 'tcp', host: '127.0.0.1', port },
    authority: `127.0.0.1:${port}`,
  };
}

function secured(plain: Endpoint): Endpoint {
  const url = plain.url.replace('http:', 'https:');
  return { ...plain, url, tls: { name: 'localhost', service: 'default' } };
}

function certificatesOf({ certificates, targetAuthorities }: SettingsPatch): CertificateSet {
  const given = certificates ?? NO_CERTIFICATES;
  if (targetAuthorities === undefined) return given;
  return { ...given, upstreams: [upstreamTerms(targetAuthorities)] };
}

/** What the service of a test plane says of the TLS of its targets. */
export function upstreamTerms(
  authorities: string,
  patch: Partial<UpstreamTerms> = {},
): UpstreamTerms {
  return { service: 'default', authorities, chain: '', key: '', serverName: '', ...patch };
}
