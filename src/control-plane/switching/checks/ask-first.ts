// Asks the targets that a configuration gives to an active color before traffic goes there: what does
// not answer does not get it.

import type { ServiceConfig } from '../../../config/config.ts';
import { OperatorError } from '../../base/problems.ts';
import type { Slots } from '../../memory/slots.ts';
import type { ServiceState } from '../../store/service-state.ts';
import type { Followed } from '../../deployments/follow-config.ts';
import { makeDeployment, routingTable } from '../../deployments/routing-table.ts';
import type { SpotCheck } from './spot-check.ts';
import { checkRollback, type HealthOf } from './switch-check.ts';

/** Returns why the active deployment of a service must stay; undefined: it may be another. */
export type Objection = (service: string) => OperatorError | undefined;

interface AskParts {
  readonly configs: readonly ServiceConfig[];
  readonly states: ReadonlyMap<string, ServiceState>;
  readonly slots: Slots;
  readonly spotCheck: SpotCheck;
  readonly health: HealthOf;
}

/** Asks what `followed` would send traffic to. Returns the services whose targets do not answer. */
export async function askFirst(
  { toAsk, states: changed }: Pick<Followed, 'toAsk' | 'states'>,
  { configs, states, slots, spotCheck, health }: AskParts,
): Promise<Objection> {
  const found = new Map<string, OperatorError>();
  const next = new Map([...states, ...changed.map((state) => [state.name, state] as const)]);
  for (const { service, deployment } of toAsk) {
    const config = configs.filter(({ name }) => name === service);
    const table = routingTable({ version: 1, epoch: 0, configs: config, states: next }, slots);
    const sides = config[0]!;
    const made = makeDeployment(next.get(service)!, deployment, { slots, sides });
    try {
      const subject = { service: table.services[0]!, deployment: made, needs: 'one' } as const;
      checkRollback(service, made, await spotCheck(subject, health));
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      found.set(service, error);
    }
  }
  return (service) => found.get(service);
}
