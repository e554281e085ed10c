// What rollouts have done beside: their gates asked and their deployments warmed up, by the settings of
// the services as they are now. Decides nothing.

import { leadsAstray } from '../base/socket-file.ts';
import type { ServiceConfig } from '../config/config.ts';
import { isLive, type LiveEndpoint, type RoutingTable } from '../contract/table.ts';
import type { GateContext, GateParts, GateResult } from './gates/asked-gate.ts';
import { openGate } from './gates/open-gate.ts';
import { warmUp } from './gates/warm-up.ts';
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
  return {
    async ask(rollout, run, signal) {
      const settings = configOf(run.service)?.rollout.gates.find(({ name }) => name === run.name);
      if (settings === undefined) return { verdict: 'error', detail: 'it is configured no more' };
      if (settings.kind === 'approve' || settings.kind === 'shadow') {
        return {
          verdict: 'error',
          detail: `a gate of kind ${settings.kind} is not asked like this`,
        };
      }
      const { attempt, at, name: gate } = run;
      const context = contextOf(rollout, { table, attempt, at, gate }, [run.service]);
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(settings.tryMs)]);
      return inTime(await openGate(settings, gateParts).ask(context, bounded), {
        isLate: bounded.aborted && !signal.aborted,
        tryMs: settings.tryMs,
      });
    },
    async warm(rollout, signal) {
      const all = await Promise.all(
        rollout.legs.map(async ({ service }) => {
          const settings = configOf(service)?.rollout.warmup;
          if (settings === undefined) return true;
          const about = {
            table,
            attempt: `${rollout.id}.warm-up`,
            at: 'before',
            gate: 'warm-up',
          } as const;
          const context = contextOf(rollout, about, [service]);
          return (await warmUp(settings, gateParts).ask(context, signal)).verdict === 'ok';
        }),
      );
      return all.every(Boolean);
    },
  };
}

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

/** One try that has lasted too long says so, whatever its gate made of that. */
function inTime(
  result: GateResult,
  { isLate, tryMs }: { readonly isLate: boolean; readonly tryMs: number },
): GateResult {
  if (!isLate || result.verdict === 'ok' || result.verdict === 'fail') return result;
  return {
    ...result,
    verdict: 'error',
    detail: `no answer within ${tryMs / 1_000} s (${result.detail})`,
  };
}
