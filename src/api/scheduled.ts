// What is said and heard of switches that are ordered for later.

import { z } from 'zod';
import { SCHEDULE_AHEAD_MAX_MS, SCHEDULE_GRACE_MAX_MS } from './api-limits.ts';
import { at, deployment, duration, generation, reason, serviceName } from './shared-fields.ts';

const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** A moment with its offset, in ms since the epoch. */
const moment = z
  .string()
  .max(40)
  .describe('With its offset from UTC: 2026-12-01T03:00+01:00.')
  .transform((text, context) => {
    const ms = MOMENT.test(text) ? Date.parse(text) : Number.NaN;
    // 30 February is read as a day of March.
    const day = new Date(Date.parse(`${text.slice(0, 10)}T00:00:00Z`));
    const isThere = !Number.isNaN(ms) && day.toISOString().startsWith(text.slice(0, 10));
    if (isThere) return ms;
    const message = 'expected a time with its offset such as 2026-12-01T03:00+01:00';
    context.issues.push({ code: 'custom', message, input: text });
    return z.NEVER;
  });

/** When a switch is to be made; left out: now. */
export const scheduleTerms = {
  at: moment.optional(),
  in: duration(SCHEDULE_AHEAD_MAX_MS)
    .optional()
    .describe('Instead of "at": from now on, such as 2h.'),
  grace: duration(SCHEDULE_GRACE_MAX_MS)
    .optional()
    .describe('How late it may be made, should no process have run at its time. Left out: 5m.'),
};

export const scheduledOrder = z.strictObject({
  id: z.string(),
  at,
  services: z
    .array(z.strictObject({ service: serviceName, deployment, release: z.string() }))
    .describe('What becomes active: the deployments that were meant when it was ordered.'),
  plan: z.string().nullable(),
  hold: z.string(),
  grace: z.string(),
  force: z.boolean(),
  reason: z.string(),
  actor: z.string(),
  orderedAt: at,
  end: z
    .strictObject({
      outcome: z.enum(['done', 'refused', 'failed', 'expired', 'cancelled']),
      at,
      code: z.string().describe('Of the problem that refused it; empty: none did.'),
      detail: z.string(),
      actor: z.string(),
      generation,
    })
    .nullable()
    .describe('What came of it; null: it is still to be made.'),
});
export type ScheduledOrder = z.infer<typeof scheduledOrder>;

export const scheduledAnswer = z.strictObject({ generation, scheduled: scheduledOrder });
export type ScheduledAnswer = z.infer<typeof scheduledAnswer>;

export const scheduledListAnswer = z.strictObject({
  pending: z.array(scheduledOrder).describe('What is due first comes first.'),
  over: z.array(scheduledOrder).describe('The latest first.'),
});
export type ScheduledListAnswer = z.infer<typeof scheduledListAnswer>;

export const cancelBody = z.strictObject({ reason });
