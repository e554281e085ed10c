// Where a rollback leads, and what becomes of the release that it leaves. Asks targets of which
// nothing is known, so that the way back is open at any later time.

import type { Service } from '../../contract/table.ts';
import { makeSide, sideText } from './table-state.ts';
import type { Slots } from '../memory/slots.ts';
import type { SpotCheck } from './spot-check.ts';
import { FAILOVER_ACTOR } from '../base/actors.ts';
import type { SwitchRecord } from '../store/store.ts';
import {
  checkRollback,
  rollbackTarget,
  type HealthOf,
  type RollbackRequest,
} from './switch-check.ts';
import type { SwitchDecision } from './table-edit.ts';

export interface RollbackParts {
  readonly slots: Slots;
  readonly health: HealthOf;
  readonly spotCheck: SpotCheck;
}

/** Decides on a rollback of `last`, the last switch of `service`; throws what refuses it. */
export async function decideRollback(
  service: Service,
  { request, last }: { readonly request: RollbackRequest; readonly last: SwitchRecord | undefined },
  { slots, health, spotCheck }: RollbackParts,
): Promise<SwitchDecision> {
  const to = rollbackTarget(service, last);
  const { left, actor: switchedBy } = last!;
  // Another release may have been registered there meanwhile; the rollback is not to that.
  const isThere = JSON.stringify(sideText(service[to])) === JSON.stringify(left);
  const isKnown = isThere || left.urls.length === 0;
  const past = { hasServed: true, lockedOut: undefined };
  const side = isKnown
    ? service[to]
    : makeSide({ service: service.name, color: to, ...past, ...left }, slots);
  const then = { ...service, [to]: side };
  const known = request.force ? health : await spotCheck(then, to, health);
  checkRollback(then, to, request.force, known);
  return {
    to,
    side,
    movesSessions: request.restick === 'all',
    lockOut: locksOut(service, request, switchedBy) ? lockOutOf(request) : undefined,
  };
}

function locksOut(
  { active, ...service }: Service,
  { lockOut }: RollbackRequest,
  switchedBy: string,
): boolean {
  // Without a name, nothing tells the next deployment at the same address from this one. And a
  // failover that is taken back says nothing against the release that stood in.
  return lockOut && service[active].release !== '' && switchedBy !== FAILOVER_ACTOR;
}

function lockOutOf({ reason, actor }: RollbackRequest): SwitchDecision['lockOut'] {
  return { reason, actor };
}
