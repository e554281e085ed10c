// The composition root: builds the parts, starts them in order, stops them in reverse.
// No rule lives here.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import { allocateSharedMemory, type SharedMemory } from '../contract/shared-memory.ts';
import type { ListenAddress } from '../contract/settings.ts';
import type { RoutingTable } from '../contract/table.ts';
import type { AdminServer } from './admin/server.ts';
import { printAddress } from '../config/address.ts';
import { DrainWatch } from './drain-watch.ts';
import { fingerprintOf, firstTable, storedService } from './first-table.ts';
import { Health } from './health.ts';
import type { AdminParts } from './admin/admin-parts.ts';
import { openLog, type Log } from './log.ts';
import { renderMetrics, type MetricsParts } from './metrics.ts';
import { prober } from './probe.ts';
import { KeyRing } from './signing-keys.ts';
import { Slots } from './slots.ts';
import { openSqliteStore } from './sqlite-store.ts';
import type { Store, StoredState } from './store.ts';
import { Switchboard } from './switchboard.ts';
import { Totals } from './totals.ts';
import { WORKER_ENTRY, Workers } from './workers.ts';

export interface DaemonOptions {
  /** Default: JSON lines on standard output at `config.log.level`. */
  readonly log?: Log;
  /** Default: the entry of the data plane. */
  readonly workerEntry?: URL;
}

/** A running Turnout. */
export interface Daemon {
  /** Where traffic comes in; real ports where 0 was asked for. */
  readonly proxyAddress: ListenAddress;
  readonly adminAddress: ListenAddress;
  readonly log: Log;
  /**
   * Stops in order: readyz says 503, listeners close, what runs may finish until the
   * deadline (`stop.deadlineMs` when none is given). Repeated calls wait for the first.
   */
  stop(options?: { readonly deadlineMs?: number }): Promise<void>;
  /** Ends everything at once, also in the middle of a stop. */
  cut(): Promise<void>;
}

/** Starts Turnout; throws StartError with one line for what its operator can mend. */
export async function startDaemon(config: Config, options: DaemonOptions = {}): Promise<Daemon> {
  const log = options.log ?? openLog(config.log.level);
  const store = openSqliteStore(config.state.dir, log);
  try {
    const stored = store.load();
    const count = workerCount(config);
    const memory = allocateSharedMemory(count);
    const totals = new Totals(memory, count);
    const slots = new Slots(totals);
    const table = firstTable(config, stored, slots, Date.now());
    slots.retain([table]);
    adopt(store, stored, table, config);
    const parts = buildParts({ config, log, memory, totals, slots, store, table, options });
    return await start(parts);
  } catch (error) {
    await store.close();
    throw error;
  }
}

interface Blueprint {
  readonly config: Config;
  readonly log: Log;
  readonly memory: SharedMemory;
  readonly totals: Totals;
  readonly slots: Slots;
  readonly store: Store;
  readonly table: RoutingTable;
  readonly options: DaemonOptions;
}

interface Parts extends Blueprint {
  readonly workers: Workers;
  readonly health: Health;
  readonly switchboard: Switchboard;
  readonly drains: DrainWatch;
  readonly keyRing: KeyRing;
}

function buildParts(blueprint: Blueprint): Parts {
  const { config, log, memory, totals, slots, store, table, options } = blueprint;
  Atomics.store(memory.pointer, 0, table.generation);
  const keyRing = new KeyRing(config.state.dir, log, (keys) => workers.useKeys(keys));
  const workers = new Workers({
    count: workerCount(config),
    settings: config.dataPlane,
    memory,
    keys: keyRing.keys,
    log,
    entry: options.workerEntry ?? WORKER_ENTRY,
  });
  const health = new Health({
    table,
    configs: new Map(config.services.map(({ name, health }) => [name, health])),
    memory,
    log,
    prober,
    onChange: () => {},
  });
  const switchboard = new Switchboard({
    first: table,
    memory,
    store,
    workers,
    slots,
    totals,
    configs: new Map(config.services.map((service) => [service.name, service])),
    health: (slot) => health.status(slot),
    log,
    onPublished: (next) => {
      health.follow(next);
      drains.follow(next);
    },
  });
  const drains = new DrainWatch({ board: switchboard, totals, leftBehind: () => 0, log });
  return { ...blueprint, workers, health, switchboard, drains, keyRing };
}

async function start(parts: Parts): Promise<Daemon> {
  const { config, log, workers, health, table, drains, keyRing } = parts;
  let isServing = false;
  const isReady = (): boolean => isServing && workers.listeningCount > 0;
  // The admin API is heavy to load: it loads while the workers start.
  const [adminServer] = await Promise.all([import('./admin/server.ts'), workers.start(table)]);
  let admin: AdminServer;
  try {
    admin = await adminServer.openAdminServer(config.admin.listen, adminParts(parts, isReady));
  } catch (error) {
    await workers.cut();
    throw error;
  }
  isServing = true;
  health.start();
  drains.start();
  keyRing.start();
  const { previewAddress } = workers;
  log.info(
    {
      version: VERSION,
      listen: printAddress(workers.address),
      admin: printAddress(admin.address),
      ...(previewAddress === undefined ? {} : { preview: printAddress(previewAddress) }),
      workers: workers.count,
      generation: table.generation,
      active: Object.fromEntries(table.services.map(({ name, active }) => [name, active])),
    },
    'ready',
  );
  return handle(parts, admin, () => (isServing = false));
}

function handle(parts: Parts, admin: AdminServer, leaveService: () => void): Daemon {
  const { config, log, workers, switchboard } = parts;
  let stopping: Promise<void> | undefined;
  let ending: Promise<void> | undefined;

  async function endOnce(): Promise<void> {
    ending ??= end(parts, admin);
    await ending;
    process.off('uncaughtException', onUncaught);
  }

  async function stopInOrder(deadlineMs: number): Promise<void> {
    leaveService();
    log.info({ deadlineMs }, 'stopping');
    await switchboard.close();
    await sleep(config.stop.readyDelayMs, undefined, { signal: cutAsked.signal }).catch(() => {
      // Cut: there is nothing to wait for any more.
    });
    const cutCount = await workers.stop(deadlineMs);
    await endOnce();
    log.info({ cutCount }, 'stopped');
  }

  // What nobody foresaw in the control plane must not take the workers along.
  const onUncaught = (error: Error): void => {
    log.error({ err: error }, 'an error that nobody caught; decisions are frozen, traffic goes on');
    switchboard.freeze(error);
  };
  process.on('uncaughtException', onUncaught);

  const cutAsked = new AbortController();
  return {
    proxyAddress: workers.address,
    adminAddress: admin.address,
    log,
    stop: async ({ deadlineMs } = {}) =>
      (stopping ??= stopInOrder(deadlineMs ?? config.stop.deadlineMs)),
    cut: async () => {
      leaveService();
      cutAsked.abort();
      await workers.cut();
      await endOnce();
      await stopping;
    },
  };
}

async function end(
  { switchboard, drains, keyRing, health, store, workers }: Parts,
  admin: AdminServer,
): Promise<void> {
  await switchboard.close();
  drains.stop();
  keyRing.stop();
  await admin.close();
  health.stop();
  await workers.cut();
  await store.close();
}

function adminParts(parts: Parts, isReady: () => boolean): AdminParts {
  const { config, drains, health, keyRing, log, slots, store, switchboard, totals, workers } =
    parts;
  const metricsParts: MetricsParts = {
    version: VERSION,
    totals,
    slots,
    table: () => switchboard.table,
    tally: switchboard.tally,
    health: (slot) => health.status(slot),
    workers,
    drains,
    isFrozen: () => switchboard.isFrozen,
  };
  return {
    version: VERSION,
    stateDir: config.state.dir,
    switchboard,
    store,
    workers,
    health,
    totals,
    drains,
    keys: () => keyRing.keys,
    isReady,
    metrics: async () => renderMetrics(metricsParts),
    log,
  };
}

/** Makes the first table durable before anybody serves from it. */
function adopt(store: Store, stored: StoredState, table: RoutingTable, config: Config): void {
  if (table.generation === stored.generation) return;
  const nowMs = Date.now();
  const services = table.services.map((service) => {
    const sinceAtMs = stored.services.get(service.name)?.sinceAtMs ?? nowMs;
    const configured = config.services.find(({ name }) => name === service.name)!;
    return storedService(service, sinceAtMs, configured);
  });
  store.adopt({ generation: table.generation, fingerprint: fingerprintOf(table) }, services);
}

/** Where an address cannot be shared between threads, one worker listens. */
function workerCount({ workers, dataPlane }: Config): number {
  const canShare = dataPlane.listen.kind === 'tcp' && process.platform === 'linux';
  return canShare ? workers : 1;
}

const VERSION = readVersion();

function readVersion(): string {
  const path = new URL('../../package.json', import.meta.url);
  const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'));
  const holds = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return holds ? String(manifest.version) : 'unknown';
}
