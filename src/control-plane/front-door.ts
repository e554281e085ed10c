// Where people and scrapers come in: the admin API, and beside it, if wanted, the listener that has
// metrics and health alone.

import { printAddress } from '../config/address.ts';
import type { Config } from '../config/config.ts';
import type { ListenAddress } from '../contract/settings.ts';
import type { AdminParts } from './admin/admin-parts.ts';
import { ACCESS_PROBLEMS } from './admin/route.ts';
import { openMetricsServer, type MetricsServer } from './admin/metrics-server.ts';
import { openAdminServer } from './admin/server.ts';
import { fdsFor, type Inheritance } from './inheritance.ts';
import { renderMetrics, type MetricsParts } from './metrics.ts';
import type { KeyRing } from './signing-keys.ts';
import { VERSION } from './version.ts';

export interface FrontDoor {
  /** Of the admin API; the real port where 0 was asked for. */
  readonly address: ListenAddress;
  /** Descriptor of its socket; undefined where the system does not tell. */
  readonly fd: number | undefined;
  readonly metrics: MetricsServer | undefined;
  /** Leaves operators to the process that has taken over. */
  stopAccepting(): void;
  close(): Promise<void>;
}

/** What both need, as the daemon has it. */
export type FrontDoorParts = Omit<
  AdminParts,
  'version' | 'stateDir' | 'keys' | 'metrics' | 'turnedAway'
> &
  Omit<MetricsParts, 'version' | 'table' | 'tally' | 'health' | 'isFrozen' | 'turnedAway'> & {
    readonly config: Config;
    readonly keyRing: KeyRing;
    readonly inheritance: Inheritance;
  };

/** Opens both. Throws StartError when one cannot be had; then neither is open. */
export async function openFrontDoor(parts: FrontDoorParts): Promise<FrontDoor> {
  const { config, inheritance } = parts;
  const own = adminParts(parts);
  const [fd] = fdsFor(inheritance.admin, printAddress(config.admin.listen));
  const admin = await openAdminServer(config.admin, own, fd);
  const { listen } = config.metrics;
  if (listen === undefined) return { ...admin, metrics: undefined };
  try {
    const [metricsFd] = fdsFor(inheritance.metrics, printAddress(listen));
    const metrics = await openMetricsServer(listen, own, metricsFd);
    const close = async (): Promise<void> => {
      await metrics.close();
      await admin.close();
    };
    return { ...admin, metrics, close };
  } catch (error) {
    await admin.close();
    throw error;
  }
}

function adminParts(parts: FrontDoorParts): AdminParts {
  const { config, keyRing, switchboard, health } = parts;
  // Each is there from the start, at zero: an alert can tell none from nobody who counts.
  const turnedAway = new Map<string, number>(ACCESS_PROBLEMS.map((code) => [code, 0]));
  const metricsParts: MetricsParts = {
    ...parts,
    version: VERSION,
    table: () => switchboard.table,
    tally: switchboard.tally,
    health: (endpoint) => health.of(endpoint),
    isFrozen: () => switchboard.isFrozen,
    turnedAway,
  };
  return {
    ...parts,
    version: VERSION,
    stateDir: config.state.dir,
    keys: () => keyRing.keys,
    turnedAway,
    metrics: async () => renderMetrics(metricsParts),
  };
}
