// The upgrade of the running program: a new process takes over the listening sockets, this one
// finishes what it has. If the new one does not come up, this one goes on as if nothing had been.

import {
  addressOfListener,
  printAddress,
  type ListenAddress,
  type Listener,
} from '../../contract/worker-settings.ts';
import { WORKER_ROW } from '../../contract/counters.ts';
import type { SharedMemory } from '../../contract/shared-memory.ts';
import type { RoutingTable } from '../../contract/table.ts';
import { endsContainer, ownStanding } from './container.ts';
import type { CertificateKeeper } from '../certificates/certificate-keeper.ts';
import type { DrainWatch } from '../switching/drain-watch.ts';
import type { Health } from '../targets/health.ts';
import type { Inheritance, InheritedSockets } from '../listening/inheritance.ts';
import { LEFT_EVERY_MS, PREPARE_TIMEOUT_MS } from '../base/control-limits.ts';
import type { Log } from '../base/log.ts';
import { OperatorError } from '../base/problems.ts';
import type { LiveParts } from '../live/live-parts.ts';
import type { EventFeed } from '../notifications/event-feed.ts';
import type { Notifier } from '../notifications/notifier.ts';
import type { Names } from '../targets/names.ts';
import { ownSlots } from './own-slots.ts';
import type { Predecessor } from './predecessor.ts';
import type { Reopenable } from '../store/reopenable-store.ts';
import type { Slots } from '../memory/slots.ts';
import {
  startSuccessor,
  tell,
  type Command,
  type SuccessorReady,
  type SuccessorSays,
} from './successor.ts';
import type { Switchboard } from '../switching/switchboard.ts';
import type { Totals } from '../memory/totals.ts';
import type { Workers } from '../workers/workers.ts';

export interface UpgradeParts {
  readonly command: Command | undefined;
  readonly workers: Workers;
  /** The process before this one, if it still finishes what it has. */
  readonly predecessor: Predecessor | undefined;
  readonly names: Names;
  readonly health: Health;
  readonly certificateKeeper: Pick<CertificateKeeper, 'bequest'>;
  readonly slots: Slots;
  readonly memory: SharedMemory;
  readonly totals: Totals;
  readonly switchboard: Switchboard;
  readonly drains: DrainWatch;
  readonly feed: EventFeed;
  readonly notifier: Notifier;
  readonly liveParts: LiveParts;
  readonly reopenable: Reopenable;
  readonly log: Log;
}

/** Where a listener of ours is, and with which socket. */
interface OwnSocket {
  readonly address: ListenAddress;
  readonly fd: number | undefined;
}

/** The socket of the admin API, and that of the listener for metrics if there is one. */
export interface AdminSocket extends OwnSocket {
  readonly metrics?: OwnSocket | undefined;
}

export interface UpgradeAnswer {
  readonly pid: number;
  readonly version: string;
  readonly tookMs: number;
}

/**
 * Hands over to a new process. Resolves when that serves; from then on this process decides nothing
 * and should stop. Rejects with `upgrade-failed`; then this process is in charge as before. An
 * upgrade that is under way when `stopAsked` says so is given up.
 */
export async function upgrade(
  parts: UpgradeParts,
  admin: AdminSocket,
  stopAsked: AbortSignal,
): Promise<UpgradeAnswer> {
  const { command, switchboard, drains, log } = parts;
  const startedMs = performance.now();
  if (command === undefined) {
    throw new OperatorError('upgrade-unavailable', 'it is not known how this program was started');
  }
  if (endsContainer(ownStanding())) {
    throw new OperatorError(
      'upgrade-unavailable',
      'the container ends with this process; start a new container and stop this one, which ' +
        'finishes what it has, or run Turnout under a supervisor',
    );
  }
  const sockets = inheritanceOf(parts.workers, admin);
  await switchboard.pause();
  drains.pause();
  // The state is the successor's from here on, and so is what is told.
  parts.feed.stop();
  parts.notifier.stop();
  parts.liveParts.news.mute(true);
  try {
    await parts.reopenable.release();
    const handedOver = {
      sockets,
      health: parts.health.report(),
      names: parts.names.report(),
      tickets: parts.certificateKeeper.bequest,
    };
    const successor = await startSuccessor(command, handedOver, stopAsked);
    parts.liveParts.leave();
    serveSuccessor(parts, successor);
    const { pid, version } = successor;
    const tookMs = performance.now() - startedMs;
    log.info({ pid, version, tookMs: Math.round(tookMs) }, 'a new process has taken over');
    return { pid, version, tookMs };
  } catch (error) {
    log.error({ err: error }, 'the upgrade failed; this process serves on');
    takeBack(parts);
    throw error;
  }
}

/** The new process may have brought the state to a form that we do not know. */
function takeBack(parts: UpgradeParts): void {
  const { reopenable, drains, switchboard, log } = parts;
  try {
    reopenable.reacquire();
    drains.start();
    parts.feed.start();
    parts.notifier.start();
    parts.liveParts.stay();
    switchboard.resume();
  } catch (error) {
    switchboard.halt(error instanceof Error ? error : new Error(String(error)));
    log.error({ err: error }, 'the state cannot be opened again; decisions are halted');
  }
}

function inheritanceOf(workers: Workers, admin: AdminSocket): Inheritance {
  const { listeners } = workers;
  const socketsOf = (listener: Listener): InheritedSockets => ({
    address: printAddress(addressOfListener(listener)),
    fds: workers.fdsOf(listener),
  });
  const [first, ...others] = listeners.filter(({ use }) => use !== 'preview').map(socketsOf);
  const previews = listeners.filter(({ use }) => use === 'preview').map(socketsOf);
  const isTold = [first, ...others, ...previews].every((one) => one && one.fds.length > 0);
  if (first === undefined || !isTold || admin.fd === undefined) {
    throw new OperatorError(
      'upgrade-unavailable',
      'this system does not tell the descriptors of its sockets; restart instead',
    );
  }
  return {
    listen: [first, ...others],
    preview: previews[0] ?? { address: '', fds: [] },
    admin: { address: printAddress(admin.address), fds: [admin.fd] },
    metrics: metricsSocket(admin.metrics),
  };
}

/** A scrape may miss; so where the descriptor is not known, the successor opens its own. */
function metricsSocket(metrics: OwnSocket | undefined): Inheritance['metrics'] {
  if (metrics?.fd === undefined) return { address: '', fds: [] };
  return { address: printAddress(metrics.address), fds: [metrics.fd] };
}

/**
 * Obeys the successor for as long as requests of ours run: its tables hold for them too, and for
 * those of the process before this one, which knows us alone.
 */
function serveSuccessor(
  { workers, predecessor, names, health, slots, memory, totals, log }: UpgradeParts,
  { child, version: theirs, said: orders, isAlike }: SuccessorReady,
): void {
  let prepared: RoutingTable | undefined;
  // Its versions begin at 1; ours go on.
  const base = Atomics.load(memory.pointer, 0);
  const followNothing = (said: SuccessorSays): void => {
    if (said.kind === 'prepare')
      tell(child, { kind: 'done', what: 'prepare', version: said.table.version });
    if (said.kind === 'point') tell(child, { kind: 'done', what: 'point', version: said.version });
  };
  if (!isAlike) {
    const what = 'the new process makes tables of another version: our last requests go by ours';
    log.warn({ version: theirs }, what);
  }
  const obey = async (said: SuccessorSays): Promise<void> => {
    if (!isAlike) return followNothing(said);
    switch (said.kind) {
      case 'prepare': {
        const { version } = said.table;
        const table = ownSlots(said.table, base + version, slots);
        await names.prepare(table);
        await Promise.all([
          workers.prepare(table, PREPARE_TIMEOUT_MS),
          predecessor?.prepare(table, PREPARE_TIMEOUT_MS),
        ]);
        prepared = table;
        tell(child, { kind: 'done', what: 'prepare', version });
        break;
      }
      case 'point':
        // What could not be prepared is not followed: our last requests go by the table before.
        if (prepared?.version !== base + said.version) break;
        names.follow(prepared);
        health.follow(prepared);
        Atomics.store(memory.pointer, 0, prepared.version);
        await predecessor?.point(prepared.version, PREPARE_TIMEOUT_MS);
        tell(child, { kind: 'done', what: 'point', version: said.version });
        await workers.adopt(prepared.version, PREPARE_TIMEOUT_MS);
        break;
      case 'forget':
        workers.forget(base + said.version);
        predecessor?.forget(base + said.version);
        break;
      default: // It has said already that it is ready.
    }
  };
  // One after the other: the pointer must not name a table that is still being prepared.
  let last = Promise.resolve();
  orders.listen((said) => {
    last = last
      .then(async () => obey(said))
      .catch((error: unknown) => {
        log.error({ err: error }, 'an order of the successor could not be carried out');
      });
  });
  const timer = setInterval(() => {
    const before = predecessor === undefined ? 0 : predecessor.connections;
    // A number is worth something once it can only fall.
    if (workers.isAccepting || before === undefined) return;
    const own = totals.worker(WORKER_ROW.connectionsOpen);
    tell(child, { kind: 'left', connections: own + before });
  }, LEFT_EVERY_MS);
  timer.unref();
  child.once('disconnect', () => clearInterval(timer));
  // From now on it lives without us.
  child.unref();
  child.channel?.unref();
}
