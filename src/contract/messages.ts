// What the two planes say to each other: two closed unions, and what a worker is born with.

import type { CertificateSet } from './certificates.ts';
import type { RunningRequest } from './running-request.ts';
import type { ShadowedPath } from './shadow-rules.ts';
import type { SharedMemory } from './shared-memory.ts';
import type { DataPlaneSettings, ListenAddress } from './worker-settings.ts';
import type { SigningKeys } from './signing.ts';
import type { NameAddresses, RoutingTable } from './table.ts';

/** `workerData` of a worker thread. */
export interface WorkerBirth {
  /** From 0; the region of the shared counters that the worker writes. */
  readonly index: number;
  /** How many workers share bounds that are set for the process. */
  readonly workerCount: number;
  readonly memory: SharedMemory;
  readonly keys: SigningKeys;
  /** Stands in the names of cookies. */
  readonly instance: string;
  /** What is in force, unless the tables say otherwise. */
  readonly settings: DataPlaneSettings;
  /** The table that the pointer names, and any that is prepared but not yet published. */
  readonly tables: readonly RoutingTable[];
  /** What the names in these tables lead to. */
  readonly names: readonly NameAddresses[];
  /** False where only one worker can listen (unix sockets, systems without it). */
  readonly reusePort: boolean;
  /** Sockets that listen already; where a listener has none, the worker opens its own. */
  readonly inherited: readonly ListenerFds[];
  /** What listeners with TLS present; sockets are opened once it is in use. */
  readonly certificates: CertificateSet;
}

/** Descriptors of the sockets of one listener. */
export interface ListenerFds {
  /** `keyOfListener` of it. */
  readonly listener: string;
  readonly fds: readonly number[];
}

/** What one worker has open for one listener. */
export interface OpenListener extends ListenerFds {
  /** The port that the system chose where 0 was configured; 0: there is none. */
  readonly port: number;
}

/** Control plane → worker. */
export type Order =
  /** Make ready to serve `table`, then report `prepared`. Traffic stays where it is. */
  | { readonly kind: 'prepare'; readonly table: RoutingTable }
  /**
   * The pointer names `version`: begin its drains, decide anew on requests that wait although
   * their hold has changed, then report `adopted`.
   */
  | { readonly kind: 'adopt'; readonly version: number }
  | { readonly kind: 'keys'; readonly keys: SigningKeys }
  /** What listeners with TLS present from now on; report `certified`. */
  | { readonly kind: 'certificates'; readonly set: CertificateSet }
  /** Report as `running` the `max` oldest requests of these counter blocks that still run. */
  | {
      readonly kind: 'name-running';
      readonly question: number;
      readonly blocks: readonly number[];
      readonly max: number;
    }
  /** What all names lead to from now on, in every table; report `resolved`. */
  | { readonly kind: 'resolve'; readonly version: number; readonly names: readonly NameAddresses[] }
  /** Forget a table: refused before it was published, or replaced by a later one. */
  | { readonly kind: 'forget'; readonly version: number }
  /**
   * Stop accepting, finish what runs, cut the rest after `withinMs`, then report `stopped`. Idle
   * connections may stay for `idleMs`; one that sends a request meanwhile is told to close.
   */
  | { readonly kind: 'stop'; readonly withinMs: number; readonly idleMs: number };

/** Worker → control plane. */
export type Report =
  /**
   * The first tables are installed and the sockets are open; sent again when other sockets are.
   * Descriptors are missing where the system does not tell.
   */
  | { readonly kind: 'listening'; readonly listeners: readonly OpenListener[] }
  /** The address cannot be listened on; the worker ends. */
  | {
      readonly kind: 'listen-failed';
      readonly address: ListenAddress;
      readonly code: string;
      readonly message: string;
    }
  | { readonly kind: 'prepared'; readonly version: number }
  /** A listener that the table's settings name cannot be opened; traffic stays as it was. */
  | {
      readonly kind: 'unprepared';
      readonly version: number;
      readonly address: ListenAddress;
      readonly code: string;
      readonly message: string;
    }
  /** Every request from here on is decided by this table, or by a later one. */
  | { readonly kind: 'adopted'; readonly version: number }
  /** Every handshake from here on goes by this set of certificates, or by a later one. */
  | { readonly kind: 'certified'; readonly version: number }
  /** No request begins at an address that this version of the names does not have. */
  | { readonly kind: 'resolved'; readonly version: number }
  | {
      readonly kind: 'running';
      readonly question: number;
      readonly requests: readonly RunningRequest[];
    }
  /** The worker stops: it accepts no connection any more. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'stopped'; readonly cutCount: number }
  /** All client connections were taken: what that has cost since the last report. */
  | {
      readonly kind: 'crowded';
      /** Idle connections that were closed to make room. */
      readonly displacedCount: number;
      /** New ones that found no room. */
      readonly refusedCount: number;
      /** Of one of them. */
      readonly network: string;
    }
  /** Responses to copies that were not as those that clients got; so many paths at most. */
  | {
      readonly kind: 'shadow-differences';
      readonly deployment: number;
      readonly paths: readonly ShadowedPath[];
    }
  /** An error was caught and cost one connection at most; the control plane logs it. */
  | { readonly kind: 'fault'; readonly message: string; readonly stack: string };
