// What is told of the deployments of a service.

import type { KeptDeployment } from '../../../api/releases.ts';
import {
  activeNumber,
  colorWith,
  isCanary,
  lockOutOf,
  type ServiceState,
  type StoredDeployment,
} from '../../store/service-state.ts';
import { refusalsIn } from '../../switching/checks/refusals.ts';
import { checkData } from '../../deployments/schema-fit.ts';
import { nameOf } from '../../deployments/address-use.ts';
import { timeText } from '../../base/time-text.ts';

/** Returns every deployment that is kept, by number. */
export function deploymentViews(state: ServiceState): KeptDeployment[] {
  return state.deployments.map((one) => ({
    deployment: one.number,
    service: state.name,
    color: colorWith(state, one.number) ?? null,
    release: one.release,
    targets: [...one.urls],
    metadata: { ...one.metadata },
    schema: schemaView(one),
    registeredAt: timeText(one.atMs),
    actor: one.actor,
    use: useOf(state, one.number),
    generation: one.servedSince === 0 ? null : one.servedSince,
    obstacle: obstacleOf(state, one),
  }));
}

/** What the schema of the data bars. */
function unfitText(state: ServiceState, one: StoredDeployment): string | null {
  if (one.number === activeNumber(state)) return null;
  const [refusal] = refusalsIn([() => checkData(state, one)]);
  return refusal?.message ?? null;
}

export function schemaView(
  deployment: Pick<StoredDeployment, 'schema'> | undefined,
): KeptDeployment['schema'] {
  const schema = deployment?.schema;
  if (schema === undefined) return null;
  const [least, most] = schema.requires;
  return { provides: schema.provides, requires: [least, most] };
}

function useOf(state: ServiceState, number: number): KeptDeployment['use'] {
  if (number === activeNumber(state)) return 'active';
  if (isCanary(state, number)) return 'canary';
  if (state.draining.some(({ deployment }) => deployment === number)) return 'draining';
  if (colorWith(state, number) !== undefined) return 'idle';
  return state.previewed.includes(number) ? 'previewed' : 'kept';
}

function obstacleOf(state: ServiceState, one: StoredDeployment): string | null {
  const lockedOut = lockOutOf(state, one);
  if (lockedOut !== undefined) {
    const reason = lockedOut.reason === '' ? '' : `: ${lockedOut.reason}`;
    return `${lockedOut.actor} rolled back from it${reason}; unlock it first`;
  }
  if (one.takenOver === undefined) return unfitText(state, one);
  const { deployment: number, release, service } = one.takenOver;
  const owner = service === state.name ? '' : ` of ${service}`;
  return `its address is that of ${nameOf({ number, release })}${owner} now`;
}
