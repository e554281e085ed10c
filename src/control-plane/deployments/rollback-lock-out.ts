// Pure: does a rollback lock out the release that it leaves?

import { FAILOVER_ACTOR } from '../base/actors.ts';
import {
  activeNumber,
  deploymentOf,
  type ServiceState,
  type StoredDeployment,
} from '../store/service-state.ts';
import type { RollbackRequest } from './change-request.ts';
import type { SwitchDecision } from './state-edit.ts';

/**
 * Returns the lock-out of the release that a rollback to `to` leaves; undefined: it stays as good as
 * it was.
 */
export function lockOutFor(
  state: ServiceState,
  to: StoredDeployment,
  { lockOut, reason, actor }: RollbackRequest,
): SwitchDecision['lockOut'] {
  // A failover that is taken back says nothing against the release that stood in.
  const isBlamed = state.lastSwitch?.actor !== FAILOVER_ACTOR;
  const left = deploymentOf(state, activeNumber(state));
  // Without a name, nothing tells the next release at the same address from this one.
  const isNamed = left !== undefined && left.release !== '';
  // The release itself is gone back to, only at other targets: they were at fault.
  const isOther = left?.release !== to.release;
  return lockOut && isBlamed && isNamed && isOther ? { reason, actor } : undefined;
}
