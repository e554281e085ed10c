// Asks targets of which nothing is known, once and now, while a change waits for the answer: a
// release that no table had for a while has no health yet.

import type { ServiceConfig } from '../../config/config.ts';
import type { Deployment, Endpoint, LiveEndpoint, Service } from '../../contract/table.ts';
import { SPOT_PROBES_MAX } from '../base/control-limits.ts';
import type { Names } from '../targets/names.ts';
import type { Prober } from '../targets/probe.ts';
import { messageOf } from '../base/problems.ts';
import type { HealthOf, TargetHealth } from './switch-check.ts';

/**
 * Returns `health`, completed where it knows nothing of targets of a color. Resolves with the first
 * target that is up, or when each has answered or had `health.timeout`.
 */
export type SpotCheck = (
  service: Service,
  deployment: Deployment,
  health: HealthOf,
) => Promise<HealthOf>;

interface SpotCheckParts {
  readonly prober: Prober;
  readonly configOf: (service: string) => Pick<ServiceConfig, 'health'> | undefined;
  readonly names: Pick<Names, 'of' | 'prepare'>;
}

interface Suspect {
  readonly endpoint: LiveEndpoint;
  health: TargetHealth;
}

/** Makes the check. */
export function spotCheck({ prober, configOf, names }: SpotCheckParts): SpotCheck {
  return async (service, deployment, health) => {
    const config = configOf(service.name)?.health;
    if (config === undefined) return health;
    const { color } = deployment;
    const then = { ...service, [color]: deployment };
    await names.prepare({ version: 0, epoch: 0, services: [then] });
    const byTarget = new Map(
      deployment.endpoints.map((target): [Endpoint, Suspect[]] => {
        const known = health(target);
        return [target, names.of(target).map((endpoint, i) => ({ endpoint, health: known[i]! }))];
      }),
    );
    const all = [...byTarget.values()].flat();
    if (all.some((one) => one.health.state === 'up')) return health;
    const unknown = all.filter((one) => one.health.state === 'unknown').slice(0, SPOT_PROBES_MAX);
    if (config.kind === 'none') for (const one of unknown) one.health = withState(one, 'up');
    else await askUntilOneIsUp(unknown, (endpoint) => prober(endpoint, config));
    return (target) => {
      const found = byTarget.get(target) ?? [];
      return found.length === 0 ? health(target) : found.map((one) => one.health);
    };
  };
}

async function askUntilOneIsUp(
  suspects: readonly Suspect[],
  probeOf: (endpoint: LiveEndpoint) => ReturnType<Prober>,
): Promise<void> {
  const up = Promise.withResolvers<void>();
  const probes = suspects.map((suspect) => ({ suspect, probe: probeOf(suspect.endpoint) }));
  const answers = probes.map(async ({ suspect, probe }) => {
    const failure = await probe.ask().catch(messageOf);
    suspect.health = withState(suspect, failure === '' ? 'up' : 'down', failure);
    if (failure === '') up.resolve();
  });
  await Promise.race([up.promise, Promise.all(answers)]);
  for (const { probe } of probes) probe.close();
}

function withState(
  { health }: Suspect,
  state: TargetHealth['state'],
  reason: string = '',
): TargetHealth {
  return { ...health, state, reason };
}
