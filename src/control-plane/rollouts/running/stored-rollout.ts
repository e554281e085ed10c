// A rollout as the text that is stored, and back. Written by this version and read by this one or a
// later one; what can't be read is told, not guessed.

import { z } from 'zod';
import type { EventDraft, StoredRollout } from '../../store/rollout-store.ts';
import { NOTHING_YET, STAGES, type Rollout } from '../machine/rollout-record.ts';
import type { Told } from '../machine/transition.ts';

export function storedOf(rollout: Rollout): StoredRollout {
  return {
    id: rollout.id,
    services: rollout.legs.map(({ service }) => service),
    state: JSON.stringify(rollout),
    startedAtMs: rollout.startedAtMs,
    endedAtMs: rollout.end?.atMs,
  };
}

/**
 * Returns what is written to the log of events. Each thing that is told has an entry for each service:
 * a caller of one service alone hears of that, and of no other.
 */
export function draftsOf(rollout: Rollout, told: readonly Told[], atMs: number): EventDraft[] {
  return told.flatMap(({ kind, data }) =>
    rollout.legs.map(({ service }) => {
      const own = data['services'];
      const services = Array.isArray(own) ? own.filter((one) => one.service === service) : own;
      return { kind, service, rollout: rollout.id, atMs, data: { ...data, services } };
    }),
  );
}

const side = z.strictObject({
  deployment: z.int(),
  color: z.enum(['blue', 'green']),
  release: z.string(),
});
const leg = z.strictObject({ service: z.string(), from: side, to: side });
const step = z.strictObject({
  share: z.int(),
  forMs: z.number(),
  end: z.enum(['next', 'pause', 'approve']),
});
const restick = z.enum(['all', 'new']);
const approvedBy = z.enum(['anyone', 'others']);
const onTimeout = z.enum(['stop', 'proceed']);
const gateAt = z.enum(['before', 'step', 'after']);
const cause = z.enum([
  'guard',
  'down',
  'gate',
  'approval',
  'inconclusive',
  'health',
  'warm-up',
  'operator',
  'changed',
  'none',
]);
const gateTerms = z.strictObject({
  service: z.string(),
  name: z.string(),
  at: gateAt,
  kind: z.string(),
  timeoutMs: z.number(),
  onFail: z.enum(['stop', 'warn']),
  by: approvedBy,
  onTimeout,
});
const terms = z.strictObject({
  healthMs: z.number(),
  warmupMs: z.number(),
  isWarmupRequired: z.boolean(),
  bakeMs: z.number(),
  onInconclusive: z.enum(['proceed', 'pause', 'rollback']),
  guard: z.enum(['off', 'watch', 'rollback']),
  sessions: z.enum(['new', 'all']),
  by: z.enum(['session', 'address', 'request']),
  restick,
  rampBackMs: z.number(),
  lockOut: z.boolean(),
  gates: z.array(gateTerms),
});
const gateRun = z.strictObject({
  attempt: z.string(),
  service: z.string(),
  name: z.string(),
  at: gateAt,
  step: z.int(),
  tries: z.int(),
  verdict: z.enum(['ok', 'fail', 'error', 'timeout', 'cancelled']).optional(),
  detail: z.string(),
  facts: z.unknown().optional(),
  startedAtMs: z.number(),
  deadlineMs: z.number(),
  retryAtMs: z.number().optional(),
  endedAtMs: z.number().optional(),
});
const said = z.strictObject({ actor: z.string(), reason: z.string(), atMs: z.number() });
const stored = z.strictObject({
  id: z.string(),
  legs: z.array(leg).min(1),
  plan: z.string(),
  steps: z.array(step).min(1),
  rampMs: z.number(),
  terms,
  actor: z.string(),
  reason: z.string(),
  isForced: z.boolean(),
  startedAtMs: z.number(),
  transitions: z.int(),
  stage: z.enum(STAGES),
  stageAtMs: z.number(),
  step: z.int(),
  segment: z.strictObject({
    observedMs: z.number(),
    verdict: z.enum(['fail', 'pass', 'inconclusive']).optional(),
    reason: z.string(),
    isSettled: z.boolean(),
    isAnswered: z.boolean(),
  }),
  marks: z.array(z.strictObject({ stage: z.enum(STAGES), atMs: z.number(), note: z.string() })),
  gates: z.array(gateRun),
  skipped: z.array(z.string()),
  isWarm: z.boolean().optional(),
  paused: z.strictObject({ by: z.string(), reason: z.string(), atMs: z.number() }).optional(),
  waiting: z
    .strictObject({
      for: z.enum(['approval', 'inconclusive', 'plan']),
      gate: z.string(),
      by: approvedBy,
      sinceMs: z.number(),
      untilMs: z.number().optional(),
      onTimeout,
    })
    .optional(),
  blocked: z
    .strictObject({
      why: z.string(),
      detail: z.string(),
      sinceMs: z.number(),
      tries: z.int(),
      retryAtMs: z.number(),
    })
    .optional(),
  hurry: z.enum(['skip', 'promote']).optional(),
  back: z
    .strictObject({
      cause,
      reason: z.string(),
      actor: z.string(),
      restick,
      rampMs: z.number(),
      lockOut: z.boolean(),
    })
    .optional(),
  rampEndsAtMs: z.number().optional(),
  pointOfNoReturn: said.optional(),
  guard: z.unknown().optional(),
  isSafeToStop: z.boolean(),
  end: z
    .strictObject({
      outcome: z.enum(['done', 'rolled-back', 'failed', 'superseded']),
      cause,
      reason: z.string(),
      actor: z.string(),
      restick: restick.optional(),
      lockedOut: z.boolean(),
      atMs: z.number(),
    })
    .optional(),
});

/** Returns the rollout in `text`; undefined: it is none that this version can read. */
export function parseRollout(text: string): Rollout | undefined {
  const found = stored.safeParse(jsonOf(text)).data;
  // What JSON leaves out is undefined.
  return found === undefined ? undefined : ({ ...NOTHING_YET, ...found } as Rollout);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // No rollout, and what is none is told by the schema.
  }
}
