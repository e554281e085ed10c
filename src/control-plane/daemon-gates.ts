// What rollouts have done beside: their gates asked and their deployments warmed up, by the settings of
// the services as they are now. Decides nothing.

import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { leadsAstray } from '../base/socket-file.ts';
import type { ServiceConfig } from '../config/config.ts';
import type { WarmupSettings } from '../config/settings/rollout/rollout-settings.ts';
import { isLive, type LiveEndpoint, type RoutingTable } from '../contract/table.ts';
import type { GateContext, GateParts } from './gates/asked-gate.ts';
import { gateDesk } from './gates/gate-desk.ts';
import { endLeftovers } from './gates/leftover-processes.ts';
import type { Hands } from './rollouts/running/beside.ts';
import { deploymentIn } from './rollouts/running/observe.ts';
import { shareOf, type Rollout } from './rollouts/machine/rollout-record.ts';
import type { MigrationHands } from './switching/holding/migrations.ts';
import type { NameBook } from './targets/looked-up-name.ts';

interface GateHandParts extends Omit<GateParts, 'endpointsOf' | 'hostOf' | 'mayConnect'> {
  readonly table: () => RoutingTable;
  readonly names: Pick<NameBook, 'of'>;
  readonly configOf: (service: string) => ServiceConfig | undefined;
  /** Where targets may lead, as configured now; empty: anywhere. */
  readonly targetsAllow: () => readonly string[];
  /** Directory of the state: what tells our programs from those of another Turnout of this machine. */
  readonly stateDir: string;
}

export interface GateHands extends Hands {
  readonly migrations: MigrationHands;
  /** Ends migrations that a process before this one has left behind, because it was killed. */
  readonly endLeftMigrations: (services: readonly string[]) => Promise<void>;
}

/** Returns how gates are asked and deployments warmed up. */
export function gateHands(parts: GateHandParts): GateHands {
  const { table, names, configOf, targetsAllow, stateDir } = parts;
  const gateParts: GateParts = {
    ...parts,
    endpointsOf: (service, number) =>
      (deploymentIn(table(), service, number)?.endpoints ?? [])
        .flatMap((endpoint) => names.of(endpoint))
        .filter((endpoint): endpoint is LiveEndpoint => isLive(endpoint)),
    hostOf: (service) => hostOf(configOf(service)),
    mayConnect: ({ address, allow }) =>
      address.kind !== 'unix' || !leadsAstray(address.path, [targetsAllow(), allow]),
  };
  const desk = gateDesk({
    ...gateParts,
    gatesOf: (service) => configOf(service)?.rollout.gates ?? [],
    warmupOf: (service) => configOf(service)?.rollout.warmup ?? NO_WARMUP,
  });
  const migrationsOf = (service: string): readonly string[] =>
    (configOf(service)?.rollout.gates ?? []).flatMap(({ at, name }) =>
      at === 'hold' ? [name] : [],
    );
  return {
    migrations: {
      namesOf: migrationsOf,
      async ask({ service, name, attempt, subjects, actor, reason }, signal) {
        const rollout = migrationId(stateDir, service);
        const about = {
          rollout,
          attempt,
          gate: name,
          at: 'hold',
          stage: 'held',
          share: 0,
        } as const;
        return desk.ask({ service, name }, { ...about, subjects, actor, reason }, signal);
      },
    },
    async endLeftMigrations(services) {
      for (const service of services) {
        if (migrationsOf(service).length === 0) continue;
        await endLeftovers('TURNOUT_ROLLOUT', migrationId(stateDir, service));
      }
    },
    async ask(rollout, { service, name, attempt, at }, signal) {
      const context = contextOf(rollout, { table, attempt, at, gate: name }, [service]);
      return desk.ask({ service, name }, context, signal);
    },
    async warm(rollout, signal) {
      const services = rollout.legs.map(({ service }) => service);
      const attempt = `${rollout.id}.warm-up`;
      const about = { table, attempt, at: 'before', gate: 'warm-up' } as const;
      return (await desk.warm(contextOf(rollout, about, services), signal)).verdict === 'ok';
    },
  };
}

/** Stands for a rollout: one migration of a service runs at a time, and it is known after a restart. */
function migrationId(stateDir: string, service: string): string {
  const text = JSON.stringify([resolve(stateDir), service]);
  return `migration-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}

/** Of a service that is configured no more. */
const NO_WARMUP: WarmupSettings = {
  requests: [],
  repeat: 0,
  parallel: 1,
  connections: 0,
  withinMs: 0,
  required: false,
};

/** A name that the service is called by; empty: the target says one. */
function hostOf(config: ServiceConfig | undefined): string {
  const [host = ''] = config?.hosts ?? [];
  return host.startsWith('*') ? '' : host;
}

function contextOf(
  rollout: Rollout,
  {
    table,
    attempt,
    at,
    gate,
  }: Pick<GateContext, 'attempt' | 'at' | 'gate'> & { readonly table: () => RoutingTable },
  services: readonly string[],
): GateContext {
  const { id, stage, actor, reason, legs } = rollout;
  return {
    rollout: id,
    attempt,
    gate,
    at,
    stage,
    share: shareOf(rollout) / 100,
    subjects: legs
      .filter(({ service }) => services.includes(service))
      .map(({ service, from, to }) => {
        const endpoints = deploymentIn(table(), service, to.deployment)?.endpoints ?? [];
        return { service, from, to: { ...to, targets: endpoints.map(({ url }) => url) } };
      }),
    actor,
    reason,
  };
}
