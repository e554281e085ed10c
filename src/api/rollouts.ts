// What is said to start a rollout, to look at it and to steer it, and what is answered.

import { z } from 'zod';
import {
  BAKE_MAX_MS,
  GATES_MAX,
  PLAN_CHARS_MAX,
  REASON_CHARS_MAX,
  RESTICK_RAMP_MAX_MS,
  ROLLOUT_WAIT_MAX_MS,
  ROLLOUTS_LIMIT_DEFAULT,
  ROLLOUTS_LIMIT_MAX,
} from './api-limits.ts';
import { registeredRelease } from './releases.ts';
import { planStep, rolloutId, rolloutSummary, share, stage } from './rollout-views.ts';
import {
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

/** How a switch or a rollout goes, in place of what the settings of the service say. */
export const rolloutTerms = {
  plan: z
    .string()
    .min(1)
    .max(PLAN_CHARS_MAX)
    .optional()
    .describe('How traffic moves: all-at-once, canary-10-5m, linear-10-1m, "10%:5m, 50%:approve".'),
  bake: duration(BAKE_MAX_MS)
    .optional()
    .describe('How long it is watched once all traffic has moved; 0s: not at all.'),
  guard: z
    .enum(['off', 'watch', 'rollback'])
    .optional()
    .describe('What comes of evidence against the release: nothing is looked at, told, done.'),
};

/** Of a gate in the configuration. */
export const gateName = z.string().min(1).max(64);

export const rolloutBody = z.strictObject({
  to: destination
    .optional()
    .describe('Left out: the color that is not active. With "targets": an idle color.'),
  service,
  services,
  release: registeredRelease.release.optional().describe('What to register; needs "targets".'),
  targets: registeredRelease.targets
    .optional()
    .describe('The release is registered there in the same step; needs "release".'),
  evict: registeredRelease.evict,
  unlock: registeredRelease.unlock,
  metadata: registeredRelease.metadata,
  schema: registeredRelease.schema,
  ...rolloutTerms,
  gates: z
    .strictObject({
      skip: z.array(gateName).min(1).max(GATES_MAX).describe('Names of gates that are left out.'),
      reason: z.string().trim().min(1).max(REASON_CHARS_MAX).describe('Why; it is kept.'),
    })
    .optional(),
  force,
  reason,
  dryRun,
});

/** Something that a rollout would be refused for. */
const refusal = z.strictObject({
  code: z.string(),
  detail: z.string(),
  service: serviceName.optional().describe('Left out: it is about none of them alone.'),
});

export const rolloutStarted = z.strictObject({
  id: rolloutId.nullable().describe('null: of a dry run.'),
  stage: stage.nullable(),
  generation,
  plan: z.strictObject({
    text: z.string(),
    steps: z.array(planStep),
    ramp: z.string().nullable().describe('Over what time each share grows; null: at once.'),
  }),
  bake: z.string(),
  guard: z.enum(['off', 'watch', 'rollback']),
  gates: z.array(z.strictObject({ name: z.string(), at: z.string(), isSkipped: z.boolean() })),
  refusals: z.array(refusal).describe('Of a dry run: all that would refuse it; none: it may go.'),
  dryRun: isDryRun,
});
export type RolloutStarted = z.infer<typeof rolloutStarted>;

/** Stands in the answer to a switch that a rollout makes. */
export const rolloutReference = z.strictObject({ id: rolloutId, stage, share });

export const rolloutsQuery = z.strictObject({
  service: serviceName.optional(),
  active: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional()
    .describe('"true": those that go on; "false": those that have ended.'),
  limit: z.coerce.number().int().min(1).max(ROLLOUTS_LIMIT_MAX).default(ROLLOUTS_LIMIT_DEFAULT),
});

export const rolloutsAnswer = z.strictObject({
  rollouts: z.array(rolloutSummary).describe('The latest first.'),
});
export type RolloutsAnswer = z.infer<typeof rolloutsAnswer>;

export const rolloutQuery = z.strictObject({
  service: serviceName
    .optional()
    .describe('With the id "current": whose rollout; may be left out where one runs.'),
  wait: duration(ROLLOUT_WAIT_MAX_MS)
    .prefault('0s')
    .describe('Answers at its next event, or after this long.'),
  after: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe('The last event that is known; left out: the last one that there is.'),
});

export const rolloutActQuery = z.strictObject({ service: rolloutQuery.shape.service });

export const rolloutActBody = z.strictObject({ reason });

export const rolloutGateBody = z.strictObject({
  gate: gateName.optional().describe('Left out: the one that waits.'),
  reason,
});

export const rolloutPromoteBody = z.strictObject({
  reason: z
    .string()
    .trim()
    .min(1, 'expected a reason: it takes all traffic over at once')
    .max(REASON_CHARS_MAX)
    .describe('It is kept.'),
});

export const rolloutAbortBody = z.strictObject({
  reason,
  restick: z
    .enum(['all', 'new'])
    .optional()
    .describe('"all": its sessions go back at once; "new": they drain. Left out: as the settings.'),
  ramp: duration(RESTICK_RAMP_MAX_MS)
    .optional()
    .describe('Traffic goes back evenly over this time; left out: as the settings say.'),
  lockOut: z.boolean().optional().describe('The release can not be switched to until unlocked.'),
  force: force.describe('Goes back although targets are down there, or switching is frozen.'),
});

export const pointOfNoReturnBody = z.strictObject({
  on: z.boolean().describe('From now on no rollback is made by itself; false: one may be again.'),
  reason,
});
