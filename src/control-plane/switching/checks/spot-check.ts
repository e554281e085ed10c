// Asks the targets of a deployment once more, all at once and now, before traffic moves to it: the
// checks ask every few seconds only, and a deployment that no table has they do not ask at all.

import type { HealthConfig, ServiceConfig } from '../../../config/config.ts';
import {
  deploymentsOf,
  type Deployment,
  type Endpoint,
  type LiveEndpoint,
  type RoutingTable,
  type Service,
} from '../../../contract/table.ts';
import { SPOT_ANSWER_KEPT_MS, SPOT_CHECK_MS, SPOT_PROBES_MAX } from '../../base/control-limits.ts';
import type { Names } from '../../targets/names.ts';
import type { HealthState, ProbeOutcome } from '../../targets/health-verdict.ts';
import type { Probe, Prober } from '../../targets/probe.ts';
import { messageOf } from '../../base/problems.ts';
import type { HealthOf, TargetHealth } from './switch-check.ts';

/** What shall be active. */
export interface SpotCheckSubject {
  readonly service: Service;
  /** One of the table, or one that was kept. */
  readonly deployment: Deployment;
  /** How many of its targets have to pass: each for a switch, any for a rollback. */
  readonly needs: 'all' | 'one';
}

/**
 * Returns `health` as it is to be judged by: with the answers of now. Resolves when the verdict is
 * certain, at the latest after `SPOT_CHECK_MS`, and names that are new after their first lookup.
 */
export type SpotCheck = (subject: SpotCheckSubject, health: HealthOf) => Promise<HealthOf>;

interface SpotCheckParts {
  readonly prober: Prober;
  readonly configOf: (service: string) => Pick<ServiceConfig, 'health'> | undefined;
  readonly names: Pick<Names, 'of' | 'prepare' | 'refresh'>;
  /** The table in force: its targets are asked all the time. Undefined: there is none yet. */
  readonly table: () => RoutingTable | undefined;
  /** In ms, as `performance.now()`. */
  readonly now: () => number;
}

interface Suspect {
  readonly endpoint: LiveEndpoint;
  health: TargetHealth;
}

/** Makes the check. */
export function spotCheck(parts: SpotCheckParts): SpotCheck {
  return async ({ service, deployment, needs }, health) => {
    const { prober, names, now } = parts;
    const config = parts.configOf(service.name)?.health;
    if (config === undefined) return health;
    const isInTable = has(parts.table(), deployment);
    // What no table has is looked up as for a table that is about to come.
    const coming = { ...service, [deployment.color]: deployment };
    if (!isInTable) await names.prepare({ version: 0, epoch: 0, services: [coming] });
    const untilMs = now() + SPOT_CHECK_MS;
    if (isInTable) await names.refresh(deployment.endpoints);
    const byTarget = new Map(
      deployment.endpoints.map((target): [Endpoint, Suspect[]] => {
        const known = health(target);
        return [target, names.of(target).map((endpoint, i) => ({ endpoint, health: known[i]! }))];
      }),
    );
    const all = [...byTarget.values()].flat();
    const terms = { prober, config, now, untilMs };
    if (config.kind === 'none') {
      for (const one of all) if (one.health.state === 'unknown') take(one, '');
    } else if (needs === 'one') {
      const hopeful = all.filter((one) => one.health.state !== 'down');
      await askUntil('pass', hopeful, terms);
    } else if (
      [...byTarget.values()].every((places) => places.length > 0) &&
      all.every(({ health: { state } }) => mayBeUp(state, isInTable))
    ) {
      await askUntil('fail', all, terms);
    }
    return (target) => {
      const found = byTarget.get(target) ?? [];
      return found.length === 0 ? health(target) : found.map((one) => one.health);
    };
  };
}

function has(table: RoutingTable | undefined, { endpoints }: Deployment): boolean {
  const services = table?.services ?? [];
  const known = services.flatMap(deploymentsOf).flatMap((one) => one.endpoints);
  const slots = new Set(known.map(({ slot }) => slot));
  return endpoints.every(({ slot }) => slots.has(slot));
}

/** Where the checks ask, a target has to pass as often as they say; one answer does not make it up. */
function mayBeUp(state: HealthState, isInTable: boolean): boolean {
  return state === 'up' || (state === 'unknown' && !isInTable);
}

interface Terms {
  readonly prober: Prober;
  readonly config: HealthConfig;
  readonly now: () => number;
  readonly untilMs: number;
}

/** Asks suspects until one has ended with `outcome`, which decides, or each of them has answered. */
async function askUntil(
  outcome: ProbeOutcome,
  suspects: readonly Suspect[],
  { prober, config, now, untilMs }: Terms,
): Promise<void> {
  const decided = Promise.withResolvers<void>();
  const open = new Set<Probe>();
  let isOver = false;
  const hear = (one: Suspect, failure: string): void => {
    if (isOver) return;
    take(one, failure);
    isOver = (failure === '' ? 'pass' : 'fail') === outcome;
    if (isOver) decided.resolve();
  };
  const recentMs = now() - SPOT_ANSWER_KEPT_MS;
  const isRecent = ({ health: { answeredAtMs = -Infinity } }: Suspect): boolean =>
    answeredAtMs >= recentMs;
  for (const one of suspects.filter(isRecent)) hear(one, one.health.reason);
  const waiting = suspects.filter((one) => !isRecent(one));
  const lane = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const leftMs = Math.ceil(untilMs - now());
      if (isOver || leftMs <= 0) return;
      const timeoutMs = Math.min(config.timeoutMs, leftMs);
      const probe = prober(one.endpoint, { ...config, timeoutMs });
      open.add(probe);
      hear(one, await probe.ask().catch(messageOf));
      open.delete(probe);
    }
  };
  const lanes = Promise.all(Array.from({ length: SPOT_PROBES_MAX }, lane));
  await Promise.race([decided.promise, lanes]);
  isOver = true;
  for (const probe of open) probe.close();
}

function take(one: Suspect, failure: string): void {
  const { health } = one;
  if (failure === '') one.health = { ...health, state: 'up', reason: '' };
  else one.health = { ...health, state: 'down', reason: `asked just now: ${failure}` };
}
