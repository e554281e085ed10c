// What the admin API needs to know of the rest of the control plane.

import type { SigningKeys } from '../../contract/signing.ts';
import type { DrainWatch } from '../drain-watch.ts';
import type { Health } from '../health.ts';
import type { Log } from '../log.ts';
import type { Store } from '../store.ts';
import type { Switchboard } from '../switchboard.ts';
import type { Totals } from '../totals.ts';
import type { Workers } from '../workers.ts';

export interface AdminParts {
  readonly version: string;
  readonly stateDir: string;
  readonly switchboard: Switchboard;
  readonly store: Store;
  readonly workers: Pick<
    Workers,
    'count' | 'listeningCount' | 'restarts' | 'address' | 'previewAddress'
  >;
  readonly health: Pick<Health, 'status'>;
  readonly totals: Totals;
  readonly drains: Pick<DrainWatch, 'running' | 'ended' | 'wait'>;
  /** What preview tokens are signed with. */
  readonly keys: () => SigningKeys;
  /** True while traffic is served and no stop was asked for. */
  readonly isReady: () => boolean;
  /** Prometheus text. */
  readonly metrics: () => Promise<string>;
  readonly log: Log;
}
