// Where people and scrapers come in: the admin API, and beside it, if wanted, the listener that has
// metrics and health alone.

import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../../../config/config.ts';
import { printAddress, type ListenAddress } from '../../../contract/worker-settings.ts';
import type { AdminParts } from '../routes/admin-parts.ts';
import { ACCESS_PROBLEMS } from '../routes/route.ts';
import { openMetricsServer, type MetricsServer } from './metrics-server.ts';
import { openAdminServer, type AdminServer } from './server.ts';
import type { CertificateKeeper } from '../../certificates/certificate-keeper.ts';
import { fdsFor, type Inheritance } from '../../listening/inheritance.ts';
import { background, isProcessLog } from '../../base/log.ts';
import { renderMetrics, type MetricsParts } from '../../metrics/metrics.ts';
import { messageOf, OperatorError } from '../../base/problems.ts';
import { ReleaseSeries, type ReleaseSeriesParts } from '../../metrics/release-series.ts';
import type { Opened } from '../../reload/reloader.ts';
import type { KeyRing } from '../../workers/signing-keys.ts';
import { VERSION } from '../../../base/version.ts';

export interface FrontDoor {
  /** Of the admin API; the real port where 0 was asked for. */
  readonly address: ListenAddress;
  /** Descriptor of its socket; undefined where the system does not tell. */
  readonly fd: number | undefined;
  readonly metrics: MetricsServer | undefined;
  /** Opens what `next` wants beside what is open; it counts, and the rest goes, with `use`. */
  open(next: Config): Promise<Opened>;
  /** Leaves operators to the process that has taken over. */
  stopAccepting(): void;
  close(): Promise<void>;
}

/** What both need, as the daemon has it. */
export type FrontDoorParts = Omit<
  AdminParts,
  'version' | 'stateDir' | 'keys' | 'metrics' | 'turnedAway' | 'certificates'
> &
  Omit<
    MetricsParts,
    | 'version'
    | 'table'
    | 'tally'
    | 'health'
    | 'isHalted'
    | 'isSwitchingFrozen'
    | 'turnedAway'
    | 'logLinesDropped'
    | 'series'
    | 'certificates'
  > &
  Omit<ReleaseSeriesParts, 'now'> & {
    readonly config: Config;
    readonly keyRing: KeyRing;
    /** Of listeners for traffic. */
    readonly certificateKeeper: Pick<CertificateKeeper, 'report'>;
    readonly inheritance: Inheritance;
  };

/** Opens both. Throws StartError when one cannot be had; then neither is open. */
export async function openFrontDoor(parts: FrontDoorParts): Promise<FrontDoor> {
  const { config, inheritance } = parts;
  let admin: AdminServer | undefined;
  const own = adminParts(parts, () => [
    ...parts.certificateKeeper.report(),
    ...(admin?.certificates() ?? []),
  ]);
  const [fd] = fdsFor(inheritance.admin, printAddress(config.admin.listen));
  const opened = await openAdminServer(config.admin, own, fd);
  admin = opened;
  const { listen } = config.metrics;
  let metrics: MetricsServer | undefined;
  try {
    const [metricsFd] = listen ? fdsFor(inheritance.metrics, printAddress(listen)) : [];
    metrics = listen && (await openMetricsServer({ ...config.metrics, listen }, own, metricsFd));
  } catch (error) {
    await opened.close();
    throw error;
  }
  let wanted = listen;
  return {
    address: opened.address,
    fd: opened.fd,
    stopAccepting: () => opened.stopAccepting(),
    get metrics() {
      return metrics;
    },
    async open({ metrics: { listen: next, hosts } }) {
      if (isDeepStrictEqual(next, wanted)) {
        return { ...NOTHING_OPENED, use: () => metrics?.useHosts(hosts) };
      }
      const asked = next && { listen: next, hosts };
      const fresh = asked && (await openMetricsServer(asked, own).catch(unavailable));
      return {
        use() {
          if (metrics !== undefined) background(metrics.close(), parts.log, 'metrics listener');
          metrics = fresh;
          wanted = next;
        },
        close: async () => fresh?.close(),
      };
    },
    async close() {
      await metrics?.close();
      await opened.close();
    },
  };
}

const NOTHING_OPENED: Opened = { use: () => {}, close: async () => {} };

function unavailable(error: unknown): never {
  throw new OperatorError('listener-unavailable', messageOf(error), { cause: error });
}

function adminParts(parts: FrontDoorParts, certificates: AdminParts['certificates']): AdminParts {
  const { config, keyRing, switchboard, health, log } = parts;
  // Each is there from the start, at zero: an alert can tell none from a series that is missing.
  const turnedAway = new Map<string, number>(ACCESS_PROBLEMS.map((code) => [code, 0]));
  const metricsParts: MetricsParts = {
    ...parts,
    version: VERSION,
    table: () => switchboard.table,
    tally: switchboard.tally,
    health: (endpoint) => health.of(endpoint),
    isSwitchingFrozen: () => switchboard.freeze.current !== undefined,
    isHalted: () => switchboard.refusal?.code === 'frozen',
    turnedAway,
    certificates,
    series: new ReleaseSeries({ ...parts, now: () => performance.now() }),
    logLinesDropped: () => (isProcessLog(log) ? log.droppedCount() : 0),
  };
  return {
    ...parts,
    version: VERSION,
    stateDir: config.state.dir,
    keys: () => keyRing.keys,
    turnedAway,
    certificates,
    metrics: async () => renderMetrics(metricsParts),
  };
}
