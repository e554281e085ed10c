// Pure: a rollback that is called once more, to take along the sessions that the first one has left
// to drain.

import { activeNumber, type ServiceState } from '../store/service-state.ts';
import type { RollbackRequest } from './change-request.ts';
import { destination } from './destination.ts';

/**
 * Returns the deployment whose sessions move over because a rollback is called again with other
 * terms; undefined: it was not called before, goes elsewhere, or no session stays there.
 */
export function resticking(
  state: ServiceState,
  { to, restick }: Pick<RollbackRequest, 'to' | 'restick'>,
  nowMs: number,
): number | undefined {
  const { lastSwitch, draining } = state;
  if (restick !== 'all' || lastSwitch?.outcome !== 'rolled-back') return undefined;
  if (to !== undefined && destination(state, to).number !== activeNumber(state)) return undefined;
  return draining.find(
    ({ deployment, sessionsUntilMs }) => deployment === lastSwitch.from && sessionsUntilMs > nowMs,
  )?.deployment;
}
