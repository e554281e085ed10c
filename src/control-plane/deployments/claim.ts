// Pure: a rollout has its service to itself until all traffic has moved and was watched.

import type { RolloutClaim, ServiceState } from '../store/service-state.ts';
import { OperatorError } from '../base/problems.ts';

/** Refuses what a rollout of this service would be surprised by. */
export function checkNotClaimed({ name, rollout }: Pick<ServiceState, 'name' | 'rollout'>): void {
  if (rollout !== undefined) throw claimedBy(name, rollout);
}

function claimedBy(service: string, { id }: RolloutClaim): OperatorError {
  return new OperatorError(
    'rollout-running',
    `${service}: the rollout ${id} runs; wait for its end, or abort it: turnout rollout abort ${id}`,
    { members: { rollout: id } },
  );
}

/** Returns the state with, or without, a rollout that has it to itself. */
export function claimed(state: ServiceState, rollout: RolloutClaim | undefined): ServiceState {
  return { ...state, rollout };
}
