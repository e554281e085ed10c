// What is said and heard to move traffic, to take that back, and to stop all of it.

import { z } from 'zod';
import {
  HISTORY_LIMIT_DEFAULT,
  HISTORY_LIMIT_MAX,
  HOLD_MAX_MS,
  REASON_CHARS_MAX,
  SCHEMA_MAX,
} from './api-limits.ts';
import { gateName, rolloutReference, rolloutTerms } from './rollouts.ts';
import { scheduledAnswer, scheduleTerms } from './scheduled.ts';
import {
  calledOff,
  at,
  color,
  deployment,
  destination,
  dryRun,
  duration,
  force,
  generation,
  isDryRun,
  reason,
  service,
  serviceName,
  services,
} from './shared-fields.ts';

export const switchBody = z.strictObject({
  to: destination.optional().describe('Left out: the color that is not active.'),
  service,
  services,
  ...rolloutTerms,
  ...scheduleTerms,
  force,
  reason,
  hold: duration(HOLD_MAX_MS)
    .prefault('0s')
    .describe('Requests wait for at most this long until all others have ended.'),
  migrate: gateName
    .optional()
    .describe('Gate of the configuration with "at: hold", which changes the data meanwhile.'),
  dryRun,
});

export const rollbackBody = z.strictObject({
  to: destination.optional().describe('Left out: what was active before the last switch.'),
  service,
  force,
  reason,
  restick: z
    .enum(['all', 'new'])
    .optional()
    .describe(
      '"all": sessions that began after the switch go back at once; "new": they drain. Left out: as the rollout that runs has it in its settings; without one "all".',
    ),
  lockOut: z
    .boolean()
    .optional()
    .describe(
      'The release that is left can not be switched to until it is unlocked or replaced. Left out: as the rollout that runs has it in its settings; without one true.',
    ),
  dryRun,
});

export const switchAnswer = z.strictObject({
  generation,
  service: serviceName,
  from: color,
  to: color,
  release: z.string().describe('Release id of what is active now; may be empty.'),
  deployment: deployment.describe('Number of what is active now.'),
  publishedAt: at,
  tookMs: z.number().min(0),
  changed: z.boolean().describe('False when the color was active already, and no session moved.'),
  rollout: rolloutReference
    .optional()
    .describe('What goes on with it: its plan, its bake and its guard.'),
  dryRun: isDryRun,
});
export type SwitchAnswer = z.infer<typeof switchAnswer>;

/** Of several services, which were switched in one table. */
export const switchesAnswer = z.strictObject({
  dryRun: isDryRun,
  generation,
  tookMs: switchAnswer.shape.tookMs,
  rollout: switchAnswer.shape.rollout,
  services: z.array(switchAnswer.omit({ generation: true, tookMs: true, rollout: true })),
});
export type SwitchesAnswer = z.infer<typeof switchesAnswer>;

/** What a switch is answered: for one service, or for those of "services". */
export const switchAnyAnswer = z.union([switchAnswer, switchesAnswer, scheduledAnswer]);

export const switchEntry = z.strictObject({
  generation,
  service: serviceName,
  from: color,
  to: color,
  release: z.string(),
  deployment: deployment.describe('What became active; 0: not known.'),
  left: deployment.describe('What was active before; 0: nothing, or not known.'),
  at,
  tookMs: z.number().nullable(),
  outcome: z.enum(['switched', 'rolled-back']),
  forced: z.boolean(),
  reason: z.string(),
  actor: z.string().describe('What asked: a token, "cert:" and a certificate, "loopback", "unix".'),
});
export type SwitchEntry = z.infer<typeof switchEntry>;

export const historyQuery = z.strictObject({
  service: serviceName.optional(),
  limit: z.coerce.number().int().min(1).max(HISTORY_LIMIT_MAX).default(HISTORY_LIMIT_DEFAULT),
});

export const historyAnswer = z.strictObject({
  switches: z.array(switchEntry).describe('The latest first.'),
});
export type HistoryAnswer = z.infer<typeof historyAnswer>;

export const unlockBody = z.strictObject({
  color: color.optional().describe('Left out: the one that is locked out.'),
  service,
  reason,
});

export const noReturnBody = z.strictObject({
  on: z.boolean().describe('False: there is a way back again.'),
  service,
  reason: z
    .string()
    .trim()
    .min(1, 'expected a reason: each call that it refuses is told why')
    .max(REASON_CHARS_MAX),
});

export const schemaBody = z.strictObject({
  schema: z
    .int()
    .min(0)
    .max(SCHEMA_MAX)
    .nullable()
    .describe('What the data have now; null: not known, so that every release fits.'),
  service,
  reason: z
    .string()
    .trim()
    .min(1, 'expected a reason: what has changed the data beside the releases')
    .max(REASON_CHARS_MAX),
});

export const freezeBody = z.strictObject({
  service: serviceName.optional().describe('This one alone; left out: all switching.'),
  reason: z
    .string()
    .trim()
    .min(1, 'expected a reason: each call that the freeze refuses is told why')
    .max(REASON_CHARS_MAX)
    .describe('Told to each call that is refused.'),
});

export const unfreezeBody = z.strictObject({
  service: serviceName
    .optional()
    .describe('This one alone, left out: all; each ends the freeze that was begun so.'),
  reason,
});

export const freeze = z
  .strictObject({ actor: z.string(), at, reason: z.string() })
  .nullable()
  .describe('All switching is frozen; null: it is not.');
export type Freeze = z.infer<typeof freeze>;

export const freezeAnswer = z.strictObject({
  generation,
  service: serviceName.optional().describe('Left out: it is about all switching.'),
  freeze,
  changed: z.boolean().describe('False when all was so already.'),
  calledOff,
});
