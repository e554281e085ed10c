// The checked and frozen configuration that the rest of the program receives. load.ts reads YAML,
// environment and flags, and build.ts makes it from them; nothing below reads those again.

import type { ProxyVersion } from '../base/proxy-greeting.ts';
import type { ServicePolicy } from '../contract/service-policy.ts';
import type { ListenAddress, DataPlaneSettings } from '../contract/worker-settings.ts';
import type { AcmeConfig, TlsSource } from './settings/built/build-listeners.ts';
import type { UpstreamSource } from './settings/built/build-upstream.ts';
import type { FreezeWindow } from './values/freeze-window.ts';
import type { ClientRule } from './values/grammar.ts';
import type { Color } from '../contract/table.ts';
import type { NotifySettings, RolloutSettings } from './settings/rollout/rollout-settings.ts';
import type { ToldSchema } from './settings/relations/told-schema.ts';
import type { Target } from './values/target.ts';

export interface Config {
  /** Listeners and limits of the workers; `dataPlane.listeners` are where traffic comes in. */
  readonly dataPlane: DataPlaneSettings;
  /** One for each listener with TLS. */
  readonly tls: readonly TlsSource[];
  /** What services say of TLS to their targets; those that say nothing are not here. */
  readonly upstreamTls: readonly UpstreamSource[];
  /** Undefined: no certificate is obtained. */
  readonly acme: AcmeConfig | undefined;
  readonly admin: AdminConfig;
  readonly metrics: MetricsConfig;
  /** Where targets may lead, as rules in normal form; none: anywhere. */
  readonly targets: { readonly allow: readonly string[] };
  readonly state: { readonly dir: string };
  /** Stands in the names of cookies; empty: the signing keys say it. */
  readonly instance: string;
  readonly resolve: {
    /** DNS servers as `host:port`; none: the system decides. */
    readonly servers: readonly string[];
  };
  /** The file is read again when it has changed. */
  readonly watch: boolean;
  /** Worker threads; 1 where the listener cannot be shared. */
  readonly workers: number;
  readonly log: { readonly level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' };
  readonly stop: {
    /** `readyz` says 503 for this long before the listeners close. */
    readonly readyDelayMs: number;
    /** What still runs after this is cut. */
    readonly deadlineMs: number;
  };
  /** Where events are sent. */
  readonly notify: readonly NotifySettings[];
  /** Times in which no service is switched. */
  readonly freezes: readonly FreezeWindow[];
  /** At least one; names are unique. */
  readonly services: readonly ServiceConfig[];
}

export interface AdminConfig {
  readonly listen: ListenAddress;
  /** Names in `Host` beside those of the address. */
  readonly hosts: readonly string[];
  /** Undefined: plain HTTP. */
  readonly tls: AdminTls | undefined;
}

/** Paths of PEM files. */
export interface AdminTls {
  readonly cert: string;
  readonly key: string;
  /** Undefined: no client is asked for a certificate. */
  readonly clientCa: string | undefined;
  readonly clients: readonly ClientRule[];
}

export interface MetricsConfig {
  readonly listen: ListenAddress | undefined;
  /** Names by which it may be asked, beside addresses, in normal form. */
  readonly hosts: readonly string[];
}

export interface ServiceConfig {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly paths: readonly string[];
  /** First start only; afterwards the stored state wins. */
  readonly active: Color;
  readonly blue: SideConfig;
  readonly green: SideConfig;
  readonly resolve: ResolveConfig;
  readonly health: HealthConfig;
  readonly ejection: EjectionConfig;
  readonly failover: FailoverConfig;
  /** Times in which it is not switched, beside those of all services. */
  readonly freezes: readonly FreezeWindow[];
  readonly policy: ServicePolicy;
  readonly rollout: RolloutSettings;
  /** A `rollout` section was written, or a flag or variable of it given: a plain switch is a rollout. */
  readonly isRolloutConfigured: boolean;
}

/** When traffic leaves a color by itself. */
export interface FailoverConfig {
  readonly mode: 'off' | 'auto';
  /** All targets of the active color must be down for this long without a break. */
  readonly afterMs: number;
  /** From one failover to the next at the least. */
  readonly pauseMs: number;
}

export interface SideConfig {
  /** Release id; empty when none is named. */
  readonly release: string;
  /** Left out: nothing is said of it. */
  readonly schema?: ToldSchema | undefined;
  /** May be empty on one color: then that color can't be switched to. */
  readonly targets: readonly Target[];
  /** By which they are told of the client, whatever is registered there; left out: they are not. */
  readonly sendProxy?: ProxyVersion | undefined;
}

export interface ResolveConfig {
  /** From one lookup of a name to the next. */
  readonly intervalMs: number;
  /** Which addresses of a name are used. */
  readonly families: 'ipv4-first' | 'ipv6-first' | 'both';
}

/** When a target that fails live requests is left out. */
export interface EjectionConfig {
  readonly mode: 'off' | 'on';
  /** Failed requests in a row. */
  readonly failures: number;
  /** The first time. */
  readonly timeMs: number;
  readonly timeMaxMs: number;
}

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
