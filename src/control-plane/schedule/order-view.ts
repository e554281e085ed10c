// An order as the admin API and events tell of it.

import { durationText } from '../../base/duration.ts';
import type { ScheduledOrder } from '../../api/scheduled.ts';
import type { EventDraft } from '../store/rollout-store.ts';
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

/** Returns what is told when an order was given (it has no end), or how it ended: once for each service. */
export function orderEvents(
  { id, at, services, reason, end, actor }: ScheduledOrder,
  atMs: number,
): EventDraft[] {
  const kind = `scheduled.${end?.outcome ?? 'ordered'}`;
  const how = end === null ? { actor } : { actor: end.actor, code: end.code };
  const why = end === null || end.detail === '' ? reason : end.detail;
  return services.map(({ service, ...meant }) => {
    const data = { order: id, at, ...meant, ...how, reason: why };
    return { kind, service, rollout: '', atMs, data };
  });
}

/** Returns a time for JSON. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
