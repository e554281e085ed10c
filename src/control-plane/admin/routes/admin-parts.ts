// What the admin API needs to know of the rest of the control plane.

import type { SigningKeys } from '../../../contract/signing.ts';
import type { AuditLog } from '../../audit/audit-log.ts';
import type { AcmeOrders } from '../../acme/acme-orders.ts';
import type { FileReport } from '../../certificates/certificate-files.ts';
import type { DrainWatch } from '../../switching/drain-watch.ts';
import type { Failover } from '../../automation/failover.ts';
import type { Ejections } from '../../targets/ejections.ts';
import type { FreezeWindows } from '../../freezes/calendar.ts';
import type { Health } from '../../targets/health.ts';
import type { LiveParts } from '../../live/live-parts.ts';
import type { Notifier } from '../../notifications/notifier.ts';
import type { Log } from '../../base/log.ts';
import type { NameBook } from '../../targets/looked-up-name.ts';
import type { Outages } from '../../targets/outages.ts';
import type { Recent } from '../../memory/recent.ts';
import type { Reloader } from '../../reload/reloader.ts';
import type { Scheduler } from '../../schedule/scheduler.ts';
import type { Store } from '../../store/store.ts';
import type { Switchboard } from '../../switching/switchboard.ts';
import type { Tokens } from '../../access/tokens.ts';
import type { Totals } from '../../memory/totals.ts';
import type { UpgradeAnswer } from '../../upgrade/process-upgrade.ts';
import type { Workers } from '../../workers/workers.ts';
import type { RolloutDesk } from './rollout-desk.ts';

export interface AdminParts {
  readonly version: string;
  readonly stateDir: string;
  readonly switchboard: Switchboard;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly tokens: Tokens;
  readonly workers: Pick<
    Workers,
    'count' | 'listeningCount' | 'restarts' | 'address' | 'previewAddress' | 'listeners'
  >;
  readonly health: Pick<Health, 'of'>;
  readonly ejections: Pick<Ejections, 'of'>;
  readonly names: NameBook;
  /** Services of which no request can be served. */
  readonly outages: Pick<Outages, 'of' | 'count'>;
  readonly totals: Totals;
  /** The last minute of each release. */
  readonly recent: Pick<Recent, 'of'>;
  readonly liveParts: LiveParts;
  readonly notifier: Pick<Notifier, 'status' | 'failed'>;
  readonly failover: Pick<Failover, 'status'>;
  readonly rollouts?: RolloutDesk;
  readonly drains: Pick<DrainWatch, 'running' | 'ended' | 'wait'>;
  /** What preview tokens are signed with. */
  readonly keys: () => SigningKeys;
  /** Stands in the names of cookies. */
  readonly instance: string;
  /** True while traffic is served and no stop was asked for. */
  readonly isReady: () => boolean;
  /** Lets a new process take over. */
  readonly upgrade: () => Promise<UpgradeAnswer>;
  readonly scheduler: Pick<Scheduler, 'order' | 'cancel' | 'list'>;
  /** The windows of all services, and those of one. */
  readonly freezeWindows: FreezeWindows;
  readonly reloader: Pick<Reloader, 'reload' | 'last'>;
  /** Of all certificates, and of the authorities of clients. */
  readonly certificates: () => readonly FileReport[];
  readonly acmeOrders: Pick<AcmeOrders, 'status' | 'counts'>;
  /** Counts the calls that were turned away, by the code of their problem. */
  readonly turnedAway: Map<string, number>;
  /** Prometheus text. */
  readonly metrics: () => Promise<string>;
  readonly log: Log;
}
