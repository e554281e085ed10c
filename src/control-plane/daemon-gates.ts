// What rollouts have done beside: their gates asked and their deployments warmed up, by the settings of
// the services as they are now. Decides nothing.

import { leadsAstray } from '../base/socket-file.ts';
import type { ServiceConfig } from '../config/config.ts';
import type { WarmupSettings } from '../config/settings/rollout-settings.ts';
import { isLive, type LiveEndpoint, type RoutingTable } from '../contract/table.ts';
import type { GateContext, GateParts } from './gates/asked-gate.ts';
import { gateDesk } from './gates/gate-desk.ts';
import type { Hands } from './rollouts/beside.ts';
import { deploymentIn } from './rollouts/observe.ts';
import { shareOf, type Rollout } from './rollouts/rollout-record.ts';
import type { NameBook } from './targets/looked-up-name.ts';

interface GateHandParts extends Omit<GateParts, 'endpointsOf' | 'hostOf' | 'mayConnect'> {
  readonly table: () => RoutingTable;
  readonly names: Pick<NameBook, 'of'>;
  readonly configOf: (service: string) => ServiceConfig | undefined;
  /** Where targets may lead, as configured now; empty: anywhere. */
  readonly targetsAllow: () => readonly string[];
}

/** Returns how gates are asked and deployments warmed up. */
export function gateHands(parts: GateHandParts): Hands {
  const { table, names, configOf, targetsAllow } = parts;
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
  return {
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
