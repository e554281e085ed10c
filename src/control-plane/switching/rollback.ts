// Where a rollback leads, and what becomes of the release that it leaves. Asks targets of which
// nothing is known, so that the way back is open at any later time.

import type { Color, LockOut, Service, Side } from '../../contract/table.ts';
import { makeSide, sideText } from './table-state.ts';
import type { Slots } from '../memory/slots.ts';
import type { SpotCheck } from './spot-check.ts';
import { FAILOVER_ACTOR, type SwitchRecord } from '../store/store.ts';
import {
  checkRollback,
  rollbackTarget,
  type HealthOf,
  type RollbackRequest,
} from './switch-check.ts';

/** What was decided about one change of the active color. */
export interface Decided {
  readonly to: Color;
  /** What shall be active. */
  readonly side: Side;
  readonly movesSessions: boolean;
  /** Requests wait for at most this long while others end; 0: none waits. */
  readonly holdMs: number;
  /** Of the release that is left; undefined: it may come back. */
  readonly lockOut: Omit<LockOut, 'atMs' | 'generation'> | undefined;
}

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
): Promise<Decided> {
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
    holdMs: 0,
    lockOut: locksOut(service, request, switchedBy) ? lockOutOf(request) : undefined,
  };
}

function locksOut(
  { active, ...service }: Service,
  { lockOut }: RollbackRequest,
  switchedBy: string,
): boolean {
  // Without a name, nothing tells the next deployment at the same address from this one. And who
  // takes a failover back has no fault to find with the release that stood in.
  return lockOut && service[active].release !== '' && switchedBy !== FAILOVER_ACTOR;
}

function lockOutOf({ reason, actor }: RollbackRequest): Decided['lockOut'] {
  return { reason, actor };
}
