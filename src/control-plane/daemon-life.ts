// How a running daemon is held, and how it ends: in order, or at once.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ListenAddress } from '../contract/worker-settings.ts';
import type { AuditLog } from './audit/audit-log.ts';
import type { AcmeOrders } from './acme/acme-orders.ts';
import type { CertificateKeeper } from './certificates/certificate-keeper.ts';
import type { FileFollower } from './reload/file-follower.ts';
import type { DrainWatch } from './switching/drain-watch.ts';
import type { Failover } from './automation/failover.ts';
import type { FrontDoor } from './admin/http/front-door.ts';
import type { Scheduler } from './schedule/scheduler.ts';
import type { FreezeWatch } from './freezes/watch.ts';
import type { Handover } from './upgrade/handover.ts';
import type { Health } from './targets/health.ts';
import type { Inheritance } from './listening/inheritance.ts';
import type { LiveConfig } from './reload/live-config.ts';
import { IDLE_SHARE } from './base/control-limits.ts';
import { isProcessLog, type Log } from './base/log.ts';
import type { Names } from './targets/names.ts';
import type { Predecessor } from './upgrade/predecessor.ts';
import type { LiveParts } from './live/live-parts.ts';
import type { EventFeed } from './notifications/event-feed.ts';
import type { Notifier } from './notifications/notifier.ts';
import type { Recent } from './memory/recent.ts';
import type { Ejections } from './targets/ejections.ts';
import type { RefusalWatch } from './targets/refusal-watch.ts';
import type { Reopenable } from './store/reopenable-store.ts';
import type { KeyRing } from './workers/signing-keys.ts';
import { removeSocketFiles } from './listening/socket-claim.ts';
import type { SeriesWatch } from './rollouts/watching/series-watch.ts';
import type { Rollouts } from './rollouts/running/runner.ts';
import type { Switchboard } from './switching/switchboard.ts';
import type { Workers } from './workers/workers.ts';

/** A running Turnout. */
export interface Daemon {
  /** Where traffic comes in; real ports where 0 was asked for. */
  readonly proxyAddress: ListenAddress;
  readonly adminAddress: ListenAddress;
  readonly log: Log;
  /** Reads the configuration again; what becomes of it stands in the log. `by`: the actor. */
  reload(by: string, reason: string): Promise<void>;
  /** Returns in one line what is active. */
  summary(): string;
  /** Resolves when a new process has taken over and this one should stop. */
  readonly handedOver: Promise<void>;
  /**
   * Stops in order: readyz says 503, listeners close, what runs may finish until the
   * deadline (`stop.deadlineMs` when none is given). Repeated calls wait for the first.
   */
  stop(options?: { readonly deadlineMs?: number }): Promise<void>;
  /** Ends everything at once, also in the middle of a stop. */
  cut(): Promise<void>;
}

/** What has to end. */
interface LivingParts {
  readonly live: LiveConfig;
  readonly log: Log;
  readonly workers: Workers;
  readonly switchboard: Switchboard;
  readonly drains: DrainWatch;
  readonly failover: Failover;
  readonly rolloutRunner: Rollouts;
  readonly rolloutSeries: SeriesWatch;
  readonly recent: Recent;
  readonly refusals: RefusalWatch;
  readonly feed: EventFeed;
  readonly notifier: Notifier;
  readonly liveParts: LiveParts;
  readonly ejections: Ejections;
  readonly keyRing: KeyRing;
  readonly certificateKeeper: CertificateKeeper;
  readonly acmeOrders: AcmeOrders;
  readonly names: Names;
  readonly health: Health;
  readonly audit: AuditLog;
  readonly freezeWatch: FreezeWatch;
  readonly scheduler: Scheduler;
  readonly reopenable: Reopenable;
  readonly inheritance: Inheritance;
  readonly predecessor: Predecessor | undefined;
}

/** What the daemon is told of its own life. */
export interface Life {
  readonly leaveService: () => void;
  readonly handover: Handover;
  readonly reload: Daemon['reload'];
  readonly watch: FileFollower;
  readonly summary: Daemon['summary'];
}

/** Returns the handle of a daemon that runs. */
export function handle(parts: LivingParts, admin: FrontDoor, life: Life): Daemon {
  const { live, log, workers, switchboard, predecessor } = parts;
  const { leaveService, handover, reload, watch, summary } = life;
  let stopping: Promise<void> | undefined;
  let ending: Promise<void> | undefined;
  async function endOnce(): Promise<void> {
    ending ??= end(parts, admin);
    await ending;
    if (!(await handover.settle())) removeSocketFiles(live.config, parts.inheritance);
    process.off('uncaughtException', onUncaught);
  }

  async function stopInOrder(deadlineMs: number): Promise<void> {
    leaveService();
    watch.stop();
    parts.freezeWatch.stop();
    parts.scheduler.stop();
    await parts.acmeOrders.stop();
    await parts.rolloutRunner.stop();
    await parts.rolloutSeries.stop();
    log.info({ deadlineMs }, 'stopping');
    const isHandedOver = await handover.settle();
    // The successor answers operators; half of their calls would come here as long as we listen.
    if (isHandedOver) await admin.close();
    await switchboard.close();
    if (!isHandedOver) await untilCut(live.config.stop.readyDelayMs);
    const endMs = performance.now() + deadlineMs;
    // After an upgrade nothing waits for this process to end, so idle clients may take their time.
    const idleMs = isHandedOver ? deadlineMs * IDLE_SHARE : 0;
    const cutCount = await workers.stop(deadlineMs, { idleMs });
    // The process before this one hears of switches through this one alone.
    await Promise.race([predecessor?.gone, untilCut(Math.max(0, endMs - performance.now()))]);
    await endOnce();
    log.info({ cutCount }, 'stopped');
    if (isProcessLog(log)) await log.settle();
  }

  // An error that was not foreseen in the control plane must not end the workers.
  const onUncaught = (error: Error): void => {
    log.error(
      { err: error },
      'an error that was not caught; decisions are halted, traffic goes on',
    );
    switchboard.halt(error);
  };
  process.on('uncaughtException', onUncaught);

  const cutAsked = new AbortController();
  const untilCut = async (afterMs: number): Promise<void> =>
    sleep(afterMs, undefined, { signal: cutAsked.signal }).catch(() => {
      // Cut: there is nothing to wait for any more.
    });
  return {
    proxyAddress: workers.address,
    adminAddress: admin.address,
    log,
    handedOver: handover.done,
    reload,
    summary,
    stop: async ({ deadlineMs } = {}) =>
      (stopping ??= stopInOrder(deadlineMs ?? live.config.stop.deadlineMs)),
    cut: async () => {
      leaveService();
      watch.stop();
      cutAsked.abort();
      await workers.cut();
      await endOnce();
      await stopping;
      if (isProcessLog(log)) await log.settle();
    },
  };
}

async function end(parts: LivingParts, admin: FrontDoor): Promise<void> {
  const { switchboard, drains, failover, recent, refusals, ejections, keyRing, names } = parts;
  const { health, workers } = parts;
  failover.stop();
  parts.freezeWatch.stop();
  parts.scheduler.stop();
  await parts.acmeOrders.stop();
  await parts.rolloutRunner.stop();
  await parts.rolloutSeries.stop();
  await switchboard.close();
  await parts.scheduler.settled();
  drains.stop();
  parts.feed.stop();
  parts.notifier.stop();
  parts.liveParts.stop();
  recent.stop();
  refusals.stop();
  ejections.stop();
  keyRing.stop();
  parts.certificateKeeper.stop();
  await admin.close();
  names.stop();
  health.stop();
  await workers.cut();
  await parts.audit.close();
  await parts.reopenable.close();
}
