// What is told of a rollout: its place in the plan, what it waits for, what gates and guard found,
// and how it ended. The server fills it; the command line and other programs read it.

import { z } from 'zod';
import { at, color, deployment, serviceName } from './shared-fields.ts';

/** What a rollout goes through, in this order, and how it ends. */
export const ROLLOUT_STAGES = [
  ...(['registered', 'warming', 'testing', 'gated', 'shifting', 'baking', 'draining'] as const),
  ...(['done', 'rolled-back', 'failed', 'superseded'] as const),
] as const;
export type RolloutStage = (typeof ROLLOUT_STAGES)[number];

/** Stages in which nothing happens any more. */
export const ROLLOUT_ENDS = ['done', 'rolled-back', 'failed', 'superseded'] as const;

export const stage = z.enum(ROLLOUT_STAGES);
export const rolloutId = z.string().describe('Such as r-118; none is given twice.');
export const share = z.number().min(0).max(100).describe('Of 100.');
const span = z.string().describe('A time with its unit: 1m30s.');

/** What goes to which deployment of one service. */
const release = z.strictObject({ color, release: z.string(), deployment });

/** A rollout that goes on is in one of these. */
const status = z
  .strictObject({
    kind: z.enum(['running', 'paused', 'waiting', 'blocked', 'over']),
    since: at.optional(),
    by: z.string().optional().describe('What paused it.'),
    reason: z.string().optional().describe('Why it is paused, or what else is to be said.'),
    for: z
      .enum(['approval', 'inconclusive', 'plan'])
      .optional()
      .describe(
        'What it waits for: an approval; a word after a guard without verdict; a pause of the plan.',
      ),
    gate: z.string().optional().describe('Name of the gate that waits.'),
    until: at.optional().describe('Then it waits no longer.'),
    onTimeout: z.enum(['stop', 'proceed']).optional().describe('What it does then.'),
    why: z
      .string()
      .optional()
      .describe('What blocks it: the code of the problem, see docs/errors.md.'),
  })
  .describe('Members are there as "kind" has them.');

/** How it ended. */
const end = z.strictObject({
  outcome: z.enum(ROLLOUT_ENDS),
  cause: z.string().describe('One word: plan, guard, abort, gate, health, rejected, timeout, …'),
  reason: z.string().describe('A sentence with numbers.'),
  at,
  actor: z.string().describe('What ended it; empty: Turnout itself.'),
  restick: z.enum(['all', 'new']).nullable().describe('Of a rollback; null: it is none.'),
  lockedOut: z.boolean().describe('The release can not be switched to until it is unlocked.'),
});

const shareNow = z.strictObject({
  wanted: share,
  of: z.enum(['sessions', 'clients', 'requests']).describe('New ones.'),
  measured: share.nullable().describe('Of the requests of the last minute; null: none came.'),
});

/** One service of a rollout. */
const move = z.strictObject({ service: serviceName, from: release, to: release });

/** What stands in a list. */
const brief = {
  id: rolloutId,
  event: z.int().min(0).describe('Number of its last event: the ETag of its view.'),
  services: z.array(move).describe('All that it moves, in one step each time.'),
  stage,
  status,
  plan: z.string().describe('As it was asked for.'),
  share: shareNow,
  actor: z.string().describe('What started it.'),
  reason: z.string(),
  startedAt: at,
  end: end.nullable().describe('null: it goes on.'),
};

export const rolloutSummary = z.strictObject(brief);
export type RolloutSummary = z.infer<typeof rolloutSummary>;

/** One step of a plan. */
export const planStep = z.strictObject({
  share,
  for: span.nullable().describe('How long it is watched at this share; null: not by time.'),
  pause: z.boolean().describe('Then it waits until it is resumed.'),
  approve: z.boolean().describe('Then it waits until it is approved.'),
});
export type PlanStep = z.infer<typeof planStep>;

const stepView = z.strictObject({
  ...planStep.shape,
  state: z.enum(['done', 'skipped', 'running', 'next']),
  observed: span.nullable().describe('Time in which Turnout ran and looked; null: not begun.'),
});

const stageView = z.strictObject({
  stage,
  state: z.enum(['done', 'skipped', 'running', 'next', 'failed']),
  detail: z.string().describe('What came of it so far, such as "3 of 3 targets up".'),
  startedAt: at.nullable(),
  tookMs: z.number().min(0).nullable().describe('null: it has not ended.'),
});

const gateView = z.strictObject({
  name: z.string(),
  kind: z.string().describe('requests, warm-up, webhook, command, prometheus, shadow or approve.'),
  at: z.enum(['before', 'step', 'after', 'drained', 'rollback']),
  verdict: z
    .enum(['ok', 'fail', 'later', 'error', 'timeout', 'cancelled', 'inconclusive', 'skipped'])
    .nullable()
    .describe('Of the last try; null: none yet.'),
  isOver: z.boolean().describe('Its last word is said.'),
  tries: z.int().min(0),
  tookMs: z.number().min(0).nullable(),
  until: at.nullable().describe('Deadline of all its tries; null: it is not asked now.'),
  detail: z.string(),
  facts: z.record(z.string(), z.unknown()).nullable().describe('What else it found.'),
});
export type GateView = z.infer<typeof gateView>;

const judged = z.strictObject({
  judged: z.int().describe('Requests that counted.'),
  bad: z.int().describe('Of these.'),
});

const guardView = z.strictObject({
  mode: z.enum(['off', 'watch', 'rollback']),
  verdict: z
    .enum(['fail', 'pass', 'inconclusive', 'blind'])
    .nullable()
    .describe('Of the current step; null: none yet.'),
  detail: z.string().describe('Why, with numbers.'),
  evidence: z.number().describe('So many to one against the release; it begins at 1.'),
  limit: z.number().describe('It fails at so many to one.'),
  comparison: z
    .enum(['side-by-side', 'before-after'])
    .nullable()
    .describe('With the other color in the same second, or with what was before; null: not yet.'),
  recent: z.array(z.number()).describe('Evidence every ten seconds, the latest last.'),
  signals: z.array(
    z.strictObject({
      service: serviceName,
      name: z.string().describe('Such as "errors" or "slower than 100 ms (p90)".'),
      old: judged,
      new: judged,
      tolerated: z.string(),
      evidence: z.number(),
    }),
  ),
  clients: z.strictObject({
    bad: z.int().describe('Different clients that met a failure of the release.'),
    needed: z.int().describe('It fails with no fewer.'),
  }),
  verdicts: z
    .array(z.strictObject({ at, stage, share, verdict: z.string(), detail: z.string() }))
    .describe('Of the steps so far, the latest last.'),
});
export type GuardView = z.infer<typeof guardView>;

const event = z.strictObject({
  seq: z.int().min(0).describe('Number in the log of all events; grows.'),
  at,
  kind: z.string().describe('Such as rollout.stage, gate.result, guard.verdict.'),
  actor: z.string().describe('What did it; empty: Turnout itself.'),
  text: z.string().describe('One sentence.'),
});
export type RolloutEvent = z.infer<typeof event>;

export const rolloutView = z.strictObject({
  ...brief,
  service: serviceName.optional().describe('The only one that it moves.'),
  from: release.optional().describe('Of the only service.'),
  to: release.optional().describe('Of the only service.'),
  stages: z.array(stageView).describe('From registered to draining, in their order.'),
  step: z.int().min(0).nullable().describe('Index of the current one; null: none is.'),
  steps: z.array(stepView),
  bake: z.strictObject({
    for: span.describe('0s: there is none.'),
    observed: span.nullable(),
  }),
  next: z
    .strictObject({
      what: z.string().describe('Such as "100 %".'),
      at: at.nullable().describe('At the earliest; null: no time decides it.'),
      needs: z.array(z.string()).describe('What has to be so.'),
    })
    .nullable()
    .describe('What comes next; null: nothing does.'),
  gates: z.array(gateView).describe('In the order in which they are asked.'),
  skipped: z
    .strictObject({ gates: z.array(z.string()), reason: z.string() })
    .nullable()
    .describe('Gates that were left out when it was started.'),
  guard: guardView,
  pointOfNoReturn: z
    .strictObject({ actor: z.string(), at, reason: z.string() })
    .nullable()
    .describe('Since then no rollback is made by itself; null: one may be.'),
  warnings: z.array(z.string()).describe('What went wrong and did not stop it.'),
  events: z.array(event).describe('The latest of them, the last one last.'),
});
export type RolloutView = z.infer<typeof rolloutView>;

/** What the status of a service tells of its rollout. */
export const rolloutBrief = z
  .strictObject({
    id: rolloutId,
    stage,
    status,
    plan: z.string(),
    share: shareNow,
    to: release,
    actor: z.string(),
    next: rolloutView.shape.next,
  })
  .describe('The rollout that moves this service; null: none does.');
export type RolloutBrief = z.infer<typeof rolloutBrief>;
