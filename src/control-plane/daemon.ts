// The composition root: builds the parts, starts them in order, stops them in reverse.
// No rule lives here.

import { epochMs } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import { allocateSharedMemory } from '../contract/shared-memory.ts';
import { addressOfListener, printAddress } from '../contract/worker-settings.ts';
import { AuditLog, startNotes } from './audit/audit-log.ts';
import { FileFollower } from './reload/file-follower.ts';
import { handle, type Daemon } from './daemon-life.ts';
import { checkExposure } from './access/exposure-check.ts';
import type { FrontDoor } from './admin/http/front-door.ts';
import { Handover } from './upgrade/handover.ts';
import { LiveConfig } from './reload/live-config.ts';
import { isProcessLog, openLog } from './base/log.ts';
import { readInheritance } from './listening/inheritance.ts';
import { Predecessor } from './upgrade/predecessor.ts';
import { daemonReloader } from './daemon-reload.ts';
import { reopenable } from './store/reopenable-store.ts';
import { Slots } from './memory/slots.ts';
import { openSqliteStore } from './store/sqlite/sqlite-store.ts';
import { startChecks } from './start-checks.ts';
import { summaryOf } from './summary.ts';
import { beginning } from './switching/starting-table.ts';
import { CertificateKeeper } from './certificates/certificate-keeper.ts';
import { uncoveredHosts } from './certificates/uncovered-hosts.ts';
import { CERTIFY_TIMEOUT_MS } from './base/control-limits.ts';
import { timers } from './base/timers.ts';
import type { CallNotes } from './store/store.ts';
import { Tokens } from './access/tokens.ts';
import { Totals } from './memory/totals.ts';
import type { UpgradeAnswer } from './upgrade/process-upgrade.ts';
import type { DaemonOptions } from './daemon-blueprint.ts';
import { buildParts, workerCount, type Parts } from './daemon-parts.ts';
import { VERSION } from '../base/version.ts';

export { NamedFilesError } from './base/problems.ts';
export type { Daemon } from './daemon-life.ts';
export type { DaemonOptions } from './daemon-blueprint.ts';

/** Starts Turnout; throws StartError with one line for what its operator can mend. */
export async function startDaemon(config: Config, options: DaemonOptions = {}): Promise<Daemon> {
  const log = options.log ?? openLog(config.log.level);
  const inheritance = options.inheritance ?? readInheritance({}, process.pid);
  // Sockets that come from systemd have no process behind them.
  const hasPredecessor = process.connected && inheritance.listen[0].fds.length > 0;
  const predecessor = hasPredecessor ? new Predecessor(process, log) : undefined;
  const reopenableStore = reopenable(() => openSqliteStore(config.state.dir, log));
  const { store } = reopenableStore;
  try {
    const stored = store.state;
    const certificateKeeper = new CertificateKeeper({ log, nowMs: epochMs, timers });
    await certificateKeeper.load(config.tls, config.upstreamTls);
    for (const text of uncoveredHosts(config, certificateKeeper.set)) log.warn({}, text);
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
      ...startChecks({ config, stored, slots, log, targetTls: certificateKeeper.targetTls }),
      isStrict: predecessor !== undefined,
    });
    const { table, isNew } = begun;
    slots.retain([table]);
    if (!isNew) audit.note(notes(table.epoch));
    Atomics.store(memory.pointer, 0, table.version);
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
      certificateKeeper,
      audit,
    };
    return await start(
      buildParts({ ...known, reopenable: reopenableStore, inheritance, predecessor }),
    );
  } catch (error) {
    await store.close();
    if (isProcessLog(log)) await log.settle(); // What was wrong may stand in it.
    throw error;
  }
}

/** Workers are born knowing where the names in their table lead. */
async function serve(parts: Parts): Promise<void> {
  const { names, workers, certificateKeeper, acmeOrders, table } = parts;
  await certificateKeeper.setObtained(acmeOrders.certificates);
  names.follow(table);
  certificateKeeper.start(async (set) => workers.standing.certify(set, CERTIFY_TIMEOUT_MS));
  try {
    await names.prepare(table);
    await workers.start(table);
  } catch (error) {
    names.stop();
    certificateKeeper.stop();
    throw error;
  }
}

async function start(parts: Parts): Promise<Daemon> {
  const { log, workers, health, table, drains, recent, refusals, ejections, keyRing } = parts;
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
      await parts.rolloutRunner.settle();
      await parts.acmeOrders.stop(); // Only one process may order.
      await parts.rolloutSeries.settle();
      try {
        return await handover.begin({ ...parts, command: parts.options.command }, admin);
      } catch (error) {
        if (isServing) parts.acmeOrders.start();
        throw error;
      }
    };
    const services = parts.live.config.services.map(({ name }) => name);
    await parts.hands.endLeftMigrations(services);
    admin = await frontDoor.openFrontDoor({ ...parts, isReady, upgrade, reloader });
  } catch (error) {
    parts.names.stop();
    parts.certificateKeeper.stop();
    await workers.cut();
    throw error;
  }
  parts.adminAddresses.push(admin.address);
  if (admin.metrics !== undefined) parts.adminAddresses.push(admin.metrics.address);
  isServing = true;
  health.start();
  drains.start();
  recent.start();
  parts.feed.start();
  parts.notifier.start();
  parts.liveParts.start();
  refusals.start();
  ejections.start();
  keyRing.start();
  parts.freezeWatch.start();
  parts.scheduler.start();
  log.info(
    {
      version: VERSION,
      listen: printAddress(workers.address),
      admin: printAddress(admin.address),
      ...(admin.metrics === undefined ? {} : { metrics: printAddress(admin.metrics.address) }),
      ...listenersText(workers),
      workers: workers.count,
      generation: table.epoch,
      active: Object.fromEntries(table.services.map(({ name, active }) => [name, active])),
    },
    'ready',
  );
  parts.predecessor?.takeOver(VERSION, table);
  const reload = async (by: string, reason: string): Promise<unknown> => {
    const asked = { service: undefined, force: false, reason, ifMatch: undefined, dryRun: false };
    try {
      return await reloader.reload({ ...asked, actor: by });
    } finally {
      parts.options.onChange?.();
    }
  };
  const follower = new FileFollower({
    file: parts.options.source?.file ?? '',
    isWanted: () => parts.live.config.watch,
    reload: async (reason) => reload('file', reason),
  });
  follower.start();
  parts.outages.look();
  parts.failover.start();
  parts.rolloutRunner.start();
  parts.acmeOrders.start();
  parts.rolloutSeries.start();
  return handle(parts, admin, {
    leaveService: () => (isServing = false),
    handover,
    // It has told and written down what was wrong.
    reload: async (by, reason) => void (await reload(by, reason).catch(() => {})),
    watch: follower,
    summary: () => summaryOf(parts.switchboard.table, reloader.last?.problem ?? ''),
  });
}

/** Where clients come in beside the first address for traffic. */
function listenersText({ listeners, previewAddress }: Parts['workers']): Record<string, unknown> {
  const preview = previewAddress && { preview: printAddress(previewAddress) };
  const others = listeners.filter(({ use }) => use !== 'preview').slice(1);
  if (others.length === 0) return { ...preview };
  const texts = others.map((one) => `${one.use} ${printAddress(addressOfListener(one))}`);
  return { ...preview, alsoListen: texts };
}
