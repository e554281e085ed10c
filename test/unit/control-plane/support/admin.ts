// The admin API over a switchboard with fake workers, and a client that may send anything.

import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { Test } from 'tap';
import type { AdminConfig, ServiceConfig } from '../../../../src/config/config.ts';
import type { ListenAddress } from '../../../../src/contract/worker-settings.ts';
import type { AcmeStatus } from '../../../../src/control-plane/acme/acme-types.ts';
import type { FileReport } from '../../../../src/control-plane/certificates/certificate-files.ts';
import type { FailoverStatus } from '../../../../src/control-plane/automation/failover.ts';
import type { UpgradeAnswer } from '../../../../src/control-plane/upgrade/process-upgrade.ts';
import { ACCESS_PROBLEMS } from '../../../../src/control-plane/admin/routes/route.ts';
import type { RolloutDesk } from '../../../../src/control-plane/admin/routes/rollout-desk.ts';
import { openAdminServer } from '../../../../src/control-plane/admin/http/server.ts';
import { Scheduler } from '../../../../src/control-plane/schedule/scheduler.ts';
import { ManualTimers } from './manual-timers.ts';
import { AuditLog } from '../../../../src/control-plane/audit/audit-log.ts';
import { buildLive } from '../../../../src/control-plane/live/live-parts.ts';
import { RolloutTally } from '../../../../src/control-plane/memory/rollout-tally.ts';
import { EventFeed } from '../../../../src/control-plane/notifications/event-feed.ts';
import type {
  FailedDelivery,
  ReceiverStatus,
} from '../../../../src/control-plane/notifications/notifier.ts';
import { Tokens } from '../../../../src/control-plane/access/tokens.ts';
import type { Ejection } from '../../../../src/control-plane/targets/ejections.ts';
import { TEST_KEYS } from '../../../support/policy.ts';
import { board } from './board.ts';
import { LOOPBACK, NO_NAMES, settings } from './fixtures.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Parsed, where it is JSON. */
  readonly json: unknown;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Own address, on loopback. */
  readonly from?: string;
}

/** Sends one request and resolves with its answer. */
export async function ask(
  address: ListenAddress,
  path: string,
  { method = 'GET', headers = {}, body, from }: Asking = {},
): Promise<Answer> {
  const where =
    address.kind === 'tcp'
      ? { host: hostOf(address.host), port: address.port, localAddress: from }
      : { socketPath: address.path };
  const asked = request({ ...where, method, path, headers, agent: false });
  // A server that refuses a large body may answer and close before all of it was sent.
  asked.on('error', () => {});
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  const hasEnd = response.headers['content-type']?.startsWith('text/event-stream') !== true;
  if (hasEnd) for await (const chunk of response) text += String(chunk);
  else asked.destroy();
  const isJson = response.headers['content-type']?.includes('json') ?? false;
  const json: unknown = isJson && text !== '' ? JSON.parse(text) : undefined;
  return { status: response.statusCode ?? 0, headers: response.headers, text, json };
}

/** No client can connect to every address. */
function hostOf(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host;
}

type Sending = (
  address: ListenAddress,
  path: string,
  body: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

function sending(method: string): Sending {
  return async (address, path, body, headers = {}) =>
    ask(address, path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
}

/** Sends a change as JSON. */
export const post = sending('POST');
export const put = sending('PUT');

/** Opens the admin API; it closes with the test. */
export async function openAdmin(
  t: Test,
  {
    services,
    listen = LOOPBACK,
    hosts = [],
    tls,
    rollouts,
  }: {
    services?: readonly ServiceConfig[];
    rollouts?: RolloutDesk;
  } & Partial<AdminConfig> = {},
) {
  const parts = board(services);
  const { store, log } = parts;
  const tokens = new Tokens(store);
  const audit = new AuditLog({ store, log });
  const scheduler = new Scheduler({
    board: parts.switchboard,
    store: () => store.schedules,
    carryOut: async (_services, terms) => parts.switchboard.switch(terms),
    tokens,
    windows: () => [],
    onTold: () => feed.look(),
    timers: new ManualTimers(),
    log,
  });
  const turnedAway = new Map<string, number>(ACCESS_PROBLEMS.map((code) => [code, 0]));
  const mood: Mood = {
    isReady: true,
    metrics: async () => 'a 1\n',
    upgrade: async () => ({ pid: 1, version: '1.2.4', tookMs: 5 }),
    previewAddress: undefined,
    ejected: new Map(),
    notifier: { status: [], failed: [] },
    failover: { mode: 'off', downSinceMs: undefined, obstacle: undefined },
    certificates: [],
    acme: [],
  };
  const rolloutMetrics = { tally: new RolloutTally(), running: () => [] };
  const { table: first } = parts.switchboard;
  const feed = new EventFeed(store.events);
  const liveParts = buildLive({
    ...parts,
    version: '1.2.3',
    instance: 'test',
    table: () => parts.switchboard.table,
    first,
    storedBefore: { services: new Map() },
    rolloutMetrics,
    rolloutView: () => ({ services: [] }),
    events: store.events,
    feed,
  });
  t.teardown(() => liveParts.stop());
  const server = await openAdminServer(
    { listen, hosts, tls },
    {
      version: '1.2.3',
      stateDir: '/state',
      instance: 'test',
      switchboard: parts.switchboard,
      store,
      audit,
      tokens,
      workers: {
        count: 2,
        listeningCount: 2,
        restarts: 0,
        address: LOOPBACK,
        listeners: settings().listeners,
        get previewAddress() {
          return mood.previewAddress;
        },
      },
      health: {
        of: ({ slot }) => [
          { slot, state: 'up', reason: '', ...parts.health.get(slot), changedAtMs: 0 },
        ],
      },
      ejections: { of: (slot) => mood.ejected.get(slot) },
      names: NO_NAMES,
      totals: parts.totals,
      recent: parts.recent,
      outages: parts.outages,
      liveParts,
      notifier: mood.notifier,
      failover: { status: () => mood.failover },
      scheduler,
      freezeWindows: (name) => [
        [],
        (services ?? []).find((one) => one.name === name)?.freezes ?? [],
      ],
      drains: parts.drains,
      ...(rollouts === undefined ? {} : { rollouts }),
      keys: () => TEST_KEYS,
      reloader: {
        last: undefined,
        reload: async () => {
          const generation = parts.switchboard.table.epoch;
          return { changed: false, generation, differences: [], warnings: [] };
        },
      },
      isReady: () => mood.isReady,
      upgrade: async () => mood.upgrade(),
      certificates: () => mood.certificates,
      acmeOrders: { counts: { obtained: 0, failed: 0 }, status: () => mood.acme },
      turnedAway,
      metrics: async () => mood.metrics(),
      log,
    },
  );
  t.teardown(async () => server.close());
  t.teardown(() => parts.drains.stop());
  t.teardown(() => audit.close());
  return { ...parts, liveParts, mood, server, audit, tokens, turnedAway, address: server.address };
}

/** What a test may change while the API is open. */
interface Mood {
  failover: FailoverStatus;
  certificates: readonly FileReport[];
  acme: readonly AcmeStatus[];
  isReady: boolean;
  metrics: () => Promise<string>;
  upgrade: () => Promise<UpgradeAnswer>;
  previewAddress: ListenAddress | undefined;
  /** By slot. */
  readonly ejected: Map<number, Ejection>;
  readonly notifier: { status: ReceiverStatus[]; failed: FailedDelivery[] };
}
