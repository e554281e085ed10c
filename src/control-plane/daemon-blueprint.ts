// What the parts of a running Turnout are built from: what the caller of the daemon gives, and what the
// start has found. Types alone; what is built of it stands in daemon-parts.ts.

import type { Said } from '../config/build.ts';
import type { Config } from '../config/config.ts';
import type { Loaded } from '../config/load.ts';
import type { SharedMemory } from '../contract/shared-memory.ts';
import type { RoutingTable } from '../contract/table.ts';
import type { Tokens } from './access/tokens.ts';
import type { AuditLog } from './audit/audit-log.ts';
import type { Log } from './base/log.ts';
import type { CertificateKeeper } from './certificates/certificate-keeper.ts';
import type { Inheritance } from './listening/inheritance.ts';
import type { Slots } from './memory/slots.ts';
import type { Totals } from './memory/totals.ts';
import type { LiveConfig } from './reload/live-config.ts';
import type { Reopenable } from './store/reopenable-store.ts';
import type { Store, StoredState } from './store/store.ts';
import type { Beginning } from './switching/starting-table.ts';
import type { Predecessor } from './upgrade/predecessor.ts';
import type { Command } from './upgrade/successor.ts';

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
  /** Called when `Daemon.summary` may say something else. */
  readonly onChange?: () => void;
}

/** Where a configuration comes from. */
interface ConfigSource {
  readonly said: Said;
  /** Reads it again. */
  readonly load: () => Loaded;
  /** The file to watch; empty: there is none. */
  readonly file: string;
}

export interface Blueprint {
  /** As it was at the start. */
  readonly config: Config;
  readonly live: LiveConfig;
  readonly log: Log;
  readonly memory: SharedMemory;
  readonly totals: Totals;
  readonly slots: Slots;
  readonly store: Store;
  readonly tokens: Tokens;
  readonly certificateKeeper: CertificateKeeper;
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
