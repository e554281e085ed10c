// The composition root: builds the parts, starts them in order, stops them in reverse.
// No rule lives here.

import { epochMs } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import type { Loaded, Said } from '../config/load.ts';
import { allocateSharedMemory, type SharedMemory } from '../contract/shared-memory.ts';
import type { ListenAddress } from '../contract/worker-settings.ts';
import type { RoutingTable } from '../contract/table.ts';
import { printAddress } from '../config/values/address.ts';
import { AuditLog, startNotes } from './audit/audit-log.ts';
import { FileFollower } from './reload/file-follower.ts';
import { handle, type Daemon } from './daemon-life.ts';
import { checkExposure } from './access/exposure-check.ts';
import { DrainWatch, servedBefore } from './switching/drain-watch.ts';
import { Failover } from './automation/failover.ts';
import type { FrontDoor } from './admin/http/front-door.ts';
import { Handover } from './upgrade/handover.ts';
import { Health } from './targets/health.ts';
import { LiveConfig } from './reload/live-config.ts';
import { openLog, type Log } from './base/log.ts';
import { listenerFds, readInheritance, type Inheritance } from './listening/inheritance.ts';
import { Predecessor } from './upgrade/predecessor.ts';
import { dnsClient } from './targets/dns.ts';
import { Names } from './targets/names.ts';
import { Outages } from './targets/outages.ts';
import { namesFirst, together } from './publishing/table-holders.ts';
import { ownAmong, ownPlaces, type Listeners } from './targets/own-places.ts';
import { placeFinder, type FindPlaces } from './targets/places.ts';
import { prober } from './targets/probe.ts';
import { RefusalWatch } from './targets/refusal-watch.ts';
import { timers } from './base/timers.ts';
import { Recent } from './memory/recent.ts';
import { daemonReloader } from './daemon-reload.ts';
import { reopenable, type Reopenable } from './store/reopenable-store.ts';
import { KeyRing } from './workers/signing-keys.ts';
import { Slots } from './memory/slots.ts';
import { spotCheck, type SpotCheck } from './switching/spot-check.ts';
import type { HealthOf } from './switching/switch-check.ts';
import { openSqliteStore } from './store/sqlite/sqlite-store.ts';
import { startChecks } from './start-checks.ts';
import { beginning, type Beginning } from './switching/starting-table.ts';
import type { CallNotes, Store, StoredState } from './store/store.ts';
import { Switchboard } from './switching/switchboard.ts';
import { Tokens } from './access/tokens.ts';
import { Totals } from './memory/totals.ts';
import type { Command } from './upgrade/successor.ts';
import type { UpgradeAnswer } from './upgrade/process-upgrade.ts';
import { VERSION } from '../base/version.ts';
import { WORKER_ENTRY, Workers } from './workers/workers.ts';

export interface DaemonOptions {
  /** Default: JSON lines on standard output at `config.log.level`. */
  readonly log?: Log;
  /** Default: the entry of the data plane. */
  readonly workerEntry?: URL;
  /** Starts this program again, for an upgrade; without it there is none. */
  readonly command?: Command;
  /** Sockets of the process before this one; default: none. */
  readonly inheritance?: Inheritance;
  /** Where the configuration came from; without it there is no reload. */
  readonly source?: ConfigSource;
}

export type { Daemon } from './daemon-life.ts';

/** Where a configuration comes from. */
interface ConfigSource {
  readonly said: Said;
  /** Reads it again. */
  readonly load: () => Loaded;
  /** The file to watch; empty: there is none. */
  readonly file: string;
}

/** Starts Turnout; throws StartError with one line for what its operator can mend. */
export async function startDaemon(config: Config, options: DaemonOptions = {}): Promise<Daemon> {
  const log = options.log ?? openLog(config.log.level);
  const inheritance = options.inheritance ?? readInheritance({}, process.pid);
  // Sockets that come from systemd have no process behind them.
  const hasPredecessor = process.connected && inheritance.listen.fds.length > 0;
  const predecessor = hasPredecessor ? new Predecessor(process, log) : undefined;
  const reopenableStore = reopenable(() => openSqliteStore(config.state.dir, log));
  const { store } = reopenableStore;
  try {
    const stored = store.state;
    const tokens = new Tokens(store);
    checkExposure(config, tokens);
    const audit = new AuditLog({ store, log });
    const count = workerCount(config);
    const memory = allocateSharedMemory(count);
    const totals = new Totals(memory, count);
    const slots = new Slots(totals);
    const notes = (generation: number): CallNotes => startNotes(VERSION, generation, store.warning);
    const begun = await beginning({
      config,
      store,
      stored,
      slots,
      notes,
      log,
      nowMs: epochMs(),
      ...startChecks({ config, stored, slots, log }),
      isStrict: predecessor !== undefined,
    });
    const { table, isNew } = begun;
    slots.retain([table]);
    if (!isNew) audit.note(notes(table.epoch));
    const live = new LiveConfig({ config, said: options.source?.said });
    const known = {
      config,
      live,
      log,
      memory,
      totals,
      slots,
      store,
      begun,
      storedBefore: stored,
      table,
      options,
      tokens,
      audit,
    };
    return await start(
      buildParts({ ...known, reopenable: reopenableStore, inheritance, predecessor }),
    );
  } catch (error) {
    await store.close();
    throw error;
  }
}

interface Blueprint {
  /** As it was at the start. */
  readonly config: Config;
  readonly live: LiveConfig;
  readonly log: Log;
  readonly memory: SharedMemory;
  readonly totals: Totals;
  readonly slots: Slots;
  readonly store: Store;
  readonly tokens: Tokens;
  readonly audit: AuditLog;
  readonly begun: Beginning;
  /** What the process before this one has left. */
  readonly storedBefore: StoredState;
  readonly table: RoutingTable;
  readonly options: DaemonOptions;
  readonly reopenable: Reopenable;
  readonly inheritance: Inheritance;
  /** The process that this one takes over from. */
  readonly predecessor: Predecessor | undefined;
}

interface Parts extends Blueprint {
  readonly askNow: SpotCheck;
  readonly findPlaces: FindPlaces;
  readonly listeners: Listeners;
  readonly workers: Workers;
  readonly names: Names;
  readonly health: Health;
  readonly switchboard: Switchboard;
  readonly drains: DrainWatch;
  readonly failover: Failover;
  readonly outages: Outages;
  readonly recent: Recent;
  readonly refusals: RefusalWatch;
  readonly keyRing: KeyRing;
  /** Stands in the names of cookies. */
  readonly instance: string;
  /** Where operators come in; the real port is added once it is known. */
  readonly adminAddresses: ListenAddress[];
}

function buildParts(blueprint: Blueprint): Parts {
  const { config, live, log, memory, totals, slots, store, table, options } = blueprint;
  const { inheritance, predecessor } = blueprint;
  const { listen, previewListen } = config.dataPlane;
  const inherited = listenerFds(inheritance, {
    listen: printAddress(listen),
    preview: previewListen === undefined ? '' : printAddress(previewListen),
  });
  Atomics.store(memory.pointer, 0, table.version);
  const keyRing = new KeyRing(config.state.dir, log, (keys) => workers.useKeys(keys));
  const instance = config.instance === '' ? keyRing.instance : config.instance;
  const workers = new Workers({
    count: workerCount(config),
    settings: config.dataPlane,
    memory,
    keys: keyRing.keys,
    instance,
    inherited,
    log,
    entry: options.workerEntry ?? WORKER_ENTRY,
  });
  const adminAddresses = [config.admin.listen, config.metrics.listen].filter(
    (address) => address !== undefined,
  );
  const listeners: Listeners = () => [workers.address, workers.previewAddress, ...adminAddresses];
  const isOurs = ownPlaces(listeners);
  const dns = dnsClient(config.resolve.servers);
  const names = new Names({
    configOf: (name) => live.service(name)?.resolve,
    dns,
    slots,
    isOurs,
    workers,
    onChange: () => {
      health.lookAgain();
      outages.look();
    },
    timers,
    log,
  });
  const health = new Health({
    table,
    configOf: (name) => live.service(name)?.health,
    names,
    memory,
    log,
    prober,
    onChange: () => {
      outages.look();
      failover.look();
    },
  });
  const leftBehind = (): number | undefined =>
    predecessor === undefined ? 0 : predecessor.connections;
  predecessor?.onKnown((known) => {
    health.believe(known.health);
    names.believe(known.names);
  });
  const askNow = spotCheck({
    prober,
    configOf: (name) => live.service(name),
    names,
    table: () => switchboard.table,
    now: () => performance.now(),
  });
  const findPlaces = placeFinder({ dns, system: dnsClient([]), names, timers });
  const healthOf: HealthOf = (endpoint) => health.of(endpoint);
  const switchboard = new Switchboard({
    first: table,
    memory,
    store,
    workers: namesFirst(
      names,
      predecessor === undefined ? workers : together([workers, predecessor]),
    ),
    slots,
    totals,
    names,
    leftBehind,
    nameRunning: async (blocks, max) => workers.running(blocks, max),
    configs: () => live.config.services,
    health: healthOf,
    findPlaces,
    oursAmong: async (targets) => ownAmong(targets, listeners, findPlaces),
    spotCheck: askNow,
    log,
    onPublished: (next) => {
      names.follow(next);
      health.follow(next);
      drains.follow(next);
      outages.look();
    },
  });
  const drains = new DrainWatch({
    board: switchboard,
    totals,
    names,
    leftBehind,
    servedBefore: servedBefore(blueprint.storedBefore.services.values()),
    log,
  });
  const eyes = { health, totals, store, now: () => performance.now() };
  const failover = new Failover({
    ...eyes,
    board: switchboard,
    configOf: (name) => live.service(name),
    log,
  });
  const outages = new Outages({
    table: () => switchboard.table,
    health,
    names,
    checkMove: (service) => switchboard.checkMove(service),
    isInCharge: () => switchboard.refusal === undefined || switchboard.refusal.code === 'frozen',
    log,
  });
  const recent = new Recent({ totals, table: () => switchboard.table });
  const refusals = new RefusalWatch({ table: () => switchboard.table, names, totals, timers });
  const running = {
    askNow,
    findPlaces,
    listeners,
    workers,
    names,
    health,
    switchboard,
    drains,
    failover,
    outages,
    recent,
    refusals,
    keyRing,
  };
  return { ...blueprint, ...running, instance, adminAddresses };
}

/** Workers are born knowing where the names in their table lead. */
async function serve({ names, workers, table }: Parts): Promise<void> {
  names.follow(table);
  try {
    await names.prepare(table);
    await workers.start(table);
  } catch (error) {
    names.stop();
    throw error;
  }
}

async function start(parts: Parts): Promise<Daemon> {
  const { log, workers, health, table, drains, recent, refusals, keyRing } = parts;
  const handover = new Handover();
  let isServing = false;
  const isReady = (): boolean => isServing && workers.listeningCount > 0;
  // The admin API is heavy to load: it loads while the workers start.
  const [frontDoor] = await Promise.all([import('./admin/http/front-door.ts'), serve(parts)]);
  let admin: FrontDoor;
  const { source } = parts.options;
  const reloader = daemonReloader({ ...parts, load: source?.load }, () => admin);
  try {
    const upgrade = async (): Promise<UpgradeAnswer> => {
      await parts.audit.settle(); // Later, the log is the successor's.
      return await handover.begin({ ...parts, command: parts.options.command }, admin);
    };
    admin = await frontDoor.openFrontDoor({ ...parts, isReady, upgrade, reloader });
  } catch (error) {
    parts.names.stop();
    await workers.cut();
    throw error;
  }
  parts.adminAddresses.push(admin.address);
  if (admin.metrics !== undefined) parts.adminAddresses.push(admin.metrics.address);
  isServing = true;
  health.start();
  drains.start();
  recent.start();
  refusals.start();
  keyRing.start();
  const { previewAddress } = workers;
  log.info(
    {
      version: VERSION,
      listen: printAddress(workers.address),
      admin: printAddress(admin.address),
      ...(admin.metrics === undefined ? {} : { metrics: printAddress(admin.metrics.address) }),
      ...(previewAddress === undefined ? {} : { preview: printAddress(previewAddress) }),
      workers: workers.count,
      generation: table.epoch,
      active: Object.fromEntries(table.services.map(({ name, active }) => [name, active])),
    },
    'ready',
  );
  parts.predecessor?.takeOver(VERSION, table);
  const reload = async (by: string, reason: string): Promise<unknown> => {
    const asked = { service: undefined, force: false, reason, ifMatch: undefined, dryRun: false };
    return reloader.reload({ ...asked, actor: by });
  };
  const follower = new FileFollower({
    file: parts.options.source?.file ?? '',
    isWanted: () => parts.live.config.watch,
    reload: async (reason) => reload('file', reason),
  });
  follower.start();
  parts.outages.look();
  parts.failover.start();
  return handle(parts, admin, {
    leaveService: () => (isServing = false),
    handover,
    // It has told and written down what was wrong.
    reload: async (by, reason) => void (await reload(by, reason).catch(() => {})),
    watch: follower,
  });
}

/** Where an address cannot be shared between threads, one worker listens. */
function workerCount({ workers, dataPlane }: Config): number {
  const canShare = dataPlane.listen.kind === 'tcp' && process.platform === 'linux';
  return canShare ? workers : 1;
}
