// An order as the admin API tells of it.

import { durationText } from '../../base/duration.ts';
import type { ScheduledOrder } from '../../api/scheduled.ts';
import type { StoredOrder } from '../store/schedule-store.ts';
import type { Order } from './order.ts';

/** Returns an order for people and scripts. */
export function orderView({ id, atMs, endedAtMs }: StoredOrder, order: Order): ScheduledOrder {
  const { moves, graceMs, holdMs, force, reason, actor, orderedAtMs, plan, end } = order;
  return {
    id,
    at: timeOf(atMs),
    services: moves.map((one) => ({ ...one })),
    plan: plan ?? null,
    hold: durationText(holdMs),
    grace: durationText(graceMs),
    force,
    reason,
    actor,
    orderedAt: timeOf(orderedAtMs),
    end: end === undefined || endedAtMs === undefined ? null : { ...end, at: timeOf(endedAtMs) },
  };
}

/** Returns a time for JSON. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
