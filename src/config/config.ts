// The checked and frozen configuration that the rest of the program receives.
// schema.ts makes it from YAML, environment and flags; nothing below reads those again.

import type { ServicePolicy } from '../contract/service-policy.ts';
import type { ListenAddress, DataPlaneSettings } from '../contract/settings.ts';
import type { Color, Endpoint } from '../contract/table.ts';

export interface Config {
  /** Listeners and limits of the workers; `dataPlane.listen` is where traffic comes in. */
  readonly dataPlane: DataPlaneSettings;
  readonly admin: { readonly listen: ListenAddress };
  readonly state: { readonly dir: string };
  /** Worker threads; 1 where the listener cannot be shared. */
  readonly workers: number;
  readonly log: { readonly level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' };
  readonly stop: {
    /** `readyz` says 503 for this long before the listeners close. */
    readonly readyDelayMs: number;
    /** What still runs after this is cut. */
    readonly deadlineMs: number;
  };
  /** At least one; names are unique. */
  readonly services: readonly ServiceConfig[];
}

export interface ServiceConfig {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly paths: readonly string[];
  /** First start only; afterwards the stored state wins. */
  readonly active: Color;
  readonly blue: SideConfig;
  readonly green: SideConfig;
  readonly health: HealthConfig;
  readonly policy: ServicePolicy;
}

export interface SideConfig {
  /** Release id; empty when none is named. */
  readonly release: string;
  /** May be empty on one color: then that color can't be switched to. */
  readonly targets: readonly Target[];
}

/** An endpoint before it has a slot in the shared memory. */
export type Target = Omit<Endpoint, 'slot'>;

export interface HealthConfig {
  /** `none`: every target counts as up, for targets that cannot be asked. */
  readonly kind: 'http' | 'tcp' | 'none';
  readonly path: string;
  /** `Host` of the probe; empty: the authority of the target. */
  readonly host: string;
  /** Statuses that pass, both ends included. */
  readonly statusMin: number;
  readonly statusMax: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Passes in a row until a target is up; failures in a row until it is down. */
  readonly rise: number;
  readonly fall: number;
}
