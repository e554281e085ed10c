// Configurations, tables and a log for the tests of the control plane.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Config, HealthConfig, ServiceConfig } from '../../../../src/config/config.ts';
import type { Target } from '../../../../src/config/values/target.ts';
import type { ListenAddress, DataPlaneSettings } from '../../../../src/contract/worker-settings.ts';
import { isLive } from '../../../../src/contract/table.ts';
import type { Log } from '../../../../src/control-plane/base/log.ts';
import type { NameBook } from '../../../../src/control-plane/targets/looked-up-name.ts';
import type { Names } from '../../../../src/control-plane/targets/names.ts';
import type { SlotMemory } from '../../../../src/control-plane/memory/slots.ts';
import type { StoredState } from '../../../../src/control-plane/store/store.ts';
import { testPolicy } from '../../../support/policy.ts';
import { testRollout } from '../../../support/rollout.ts';

export const LOOPBACK: ListenAddress = { kind: 'tcp', host: '127.0.0.1', port: 0 };

export function settings(listen: ListenAddress = LOOPBACK): DataPlaneSettings {
  return {
    listeners: [
      { address: listen, use: 'traffic', redirectPort: 0, tls: undefined, proxyFrom: [] },
    ],
    client: {
      connectionsMax: 1_000,
      headBytesMax: 16_384,
      headFieldsMax: 100,
      targetBytesMax: 8_192,
      methods: [],
      bodyBytesMax: 0,
      headTimeoutMs: 10_000,
      bodyIdleTimeoutMs: 10_000,
      sendIdleTimeoutMs: 10_000,
      keepAliveTimeoutMs: 10_000,
      requestsMax: 0,
    },
    upstream: {
      connectTimeoutMs: 1_000,
      headTimeoutMs: 10_000,
      headBytesMax: 16_384,
      headFieldsMax: 100,
      bodyIdleTimeoutMs: 10_000,
      tunnelIdleTimeoutMs: 10_000,
      idleTimeoutMs: 4_000,
      connectionsMax: 64,
      waitingMax: 64,
    },
    ownSockets: [],
    targetsAllow: [],
    forwarding: { trustedProxies: [], strip: [], xForwarded: true, forwarded: false, via: '' },
    accessLog: { mode: 'off', oneIn: 1, format: 'json', query: false },
    ids: { field: '', traces: 'off', newTraces: 'none' },
    exposeColor: false,
  };
}

/** What a store gives before anything was written to it. */
export const NOTHING_STORED: StoredState = {
  epoch: 0,
  nextDeployment: 1,
  services: new Map(),
  freeze: undefined,
  rollouts: new Map(),
};

/** Where nothing is looked up. */
export const NO_NAMES: NameBook & Pick<Names, 'doubt'> = {
  of: (endpoint) => (isLive(endpoint) ? [endpoint] : []),
  status: () => undefined,
  doubt: () => {},
};

/** Shared memory in which no worker counts. */
export const QUIET: SlotMemory = {
  isBlockQuiet: () => true,
  isEndpointQuiet: () => true,
  clearBlock: () => {},
  clearEndpoint: () => {},
};

export const NO_CHECKS: HealthConfig = {
  kind: 'none',
  path: '/',
  host: '',
  statusMin: 200,
  statusMax: 399,
  intervalMs: 100,
  timeoutMs: 1_000,
  rise: 1,
  fall: 1,
};

export function target(port: number): Target {
  return {
    url: `http://127.0.0.1:${port}`,
    address: { kind: 'tcp', host: '127.0.0.1', port },
    authority: `127.0.0.1:${port}`,
  };
}

export function serviceConfig(changes: Partial<ServiceConfig> = {}): ServiceConfig {
  return {
    name: 'default',
    hosts: [],
    paths: [],
    active: 'blue',
    blue: { release: 'v1', targets: [target(3001)] },
    green: { release: 'v2', targets: [target(3002)] },
    resolve: { intervalMs: 10_000, families: 'ipv4-first' },
    health: NO_CHECKS,
    ejection: { mode: 'on', failures: 5, timeMs: 30_000, timeMaxMs: 300_000 },
    failover: { mode: 'off', afterMs: 10_000, pauseMs: 300_000 },
    freezes: [],
    policy: testPolicy(),
    rollout: testRollout(),
    isRolloutConfigured: false,
    ...changes,
  };
}

export function config(dir: string, changes: Partial<Config> = {}): Config {
  return {
    dataPlane: settings(),
    tls: [],
    upstreamTls: [],
    acme: undefined,
    admin: { listen: LOOPBACK, hosts: [], tls: undefined },
    metrics: { listen: undefined, hosts: [] },
    targets: { allow: [] },
    state: { dir },
    instance: '',
    resolve: { servers: [] },
    workers: 2,
    log: { level: 'info' },
    watch: false,
    stop: { readyDelayMs: 0, deadlineMs: 1_000 },
    notify: [],
    freezes: [],
    services: [serviceConfig()],
    ...changes,
  };
}

export interface LogLine {
  readonly level: keyof Log;
  readonly fields: object;
  readonly message: string;
}

/** A log that remembers, and that a test can wait on. */
export class TestLog implements Log {
  readonly lines: LogLine[] = [];
  /** Lines at level debug. */
  readonly debugs: LogLine[] = [];
  readonly #events = new EventTarget();

  debug(fields: object, message: string): void {
    this.debugs.push({ level: 'debug', fields, message });
  }
  info(fields: object, message: string): void {
    this.#add({ level: 'info', fields, message });
  }
  warn(fields: object, message: string): void {
    this.#add({ level: 'warn', fields, message });
  }
  error(fields: object, message: string): void {
    this.#add({ level: 'error', fields, message });
  }

  has(message: RegExp): boolean {
    return this.lines.some((line) => message.test(line.message));
  }

  /** Resolves when `count` lines match. */
  async until(message: RegExp, count = 1): Promise<LogLine[]> {
    for (;;) {
      const found = this.lines.filter((line) => message.test(line.message));
      if (found.length >= count) return found;
      await once(this.#events, 'line');
    }
  }

  #add(line: LogLine): void {
    this.lines.push(line);
    this.#events.dispatchEvent(new Event('line'));
  }
}

export interface Origin {
  readonly port: number;
  close(): Promise<void>;
}

/** Opens an HTTP server on a free port. */
export async function openOrigin(listener: RequestListener): Promise<Origin> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Makes a directory with a short name: the path of a Unix socket has 107 bytes at most. */
export function shortDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 't-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
