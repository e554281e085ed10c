// A rollout: the life of one change of one service, or of several in the same tables. Plain data, so
// that it can be stored with the table that it causes. What it becomes next is decided by machine.ts.
//
//   registered ─► warming ─► testing ─► gated ─► shifting ─► baking ─► draining ─► done
//       └───────────┴───────────┴─────────┴► failed   └──────────┴► rolled-back    any ─► superseded

import type { Color } from '../../../contract/table.ts';
import type { PlanStep } from '../../../config/values/traffic-plan.ts';

export const STAGES = [
  'registered',
  'warming',
  'testing',
  'gated',
  'shifting',
  'baking',
  'draining',
  'done',
  'rolled-back',
  'failed',
  'superseded',
] as const;
export type Stage = (typeof STAGES)[number];

/** No request has reached the new deployment yet, but for tests. */
export const STAGES_BEFORE_TRAFFIC: ReadonlySet<Stage> = new Set([
  'registered',
  'warming',
  'testing',
  'gated',
]);

/** What is left, or shall be active, of one service. */
export interface Side {
  readonly deployment: number;
  readonly color: Color;
  readonly release: string;
}

/** One service of a rollout. */
export interface Leg {
  readonly service: string;
  readonly from: Side;
  readonly to: Side;
}

/** Who lets it go on; `others`: not the one that has started the rollout. */
type ApprovedBy = 'anyone' | 'others';

/** A gate, as it was configured when the rollout started. */
export interface GateTerms {
  readonly service: string;
  readonly name: string;
  readonly at: 'before' | 'step' | 'after';
  /** `approve`: an operator has to say so; others are asked by the process. */
  readonly kind: string;
  readonly timeoutMs: number;
  /** `warn`: it goes on, and says so. */
  readonly onFail: 'stop' | 'warn';
  readonly by: ApprovedBy;
  /** Where no operator approves in time. */
  readonly onTimeout: 'stop' | 'proceed';
}

/** What was set when it started: a reload does not change a rollout that runs. */
export interface Terms {
  /** All targets have to be up within this time. */
  readonly healthMs: number;
  /** 0: nothing is warmed up. */
  readonly warmupMs: number;
  /** What could not be warmed up ends it; else that is told. */
  readonly isWarmupRequired: boolean;
  readonly bakeMs: number;
  readonly onInconclusive: 'proceed' | 'pause' | 'rollback';
  readonly guard: 'off' | 'watch' | 'rollback';
  readonly sessions: 'new' | 'all';
  readonly by: 'session' | 'address' | 'request';
  readonly restick: 'all' | 'new';
  readonly rampBackMs: number;
  readonly lockOut: boolean;
  readonly gates: readonly GateTerms[];
}

export type GateVerdict = 'ok' | 'fail' | 'error' | 'timeout' | 'cancelled';

/** One question to a gate, with all its tries. */
export interface GateRun {
  /** The same for all tries, also after a restart. */
  readonly attempt: string;
  readonly service: string;
  readonly name: string;
  readonly at: GateTerms['at'];
  /** The step that it is asked in; 0 where there is none. */
  readonly step: number;
  readonly tries: number;
  /** Undefined: it is asked, or will be again. */
  readonly verdict: GateVerdict | undefined;
  readonly detail: string;
  readonly facts?: unknown;
  readonly startedAtMs: number;
  readonly deadlineMs: number;
  /** It is asked again then; undefined: it is being asked. */
  readonly retryAtMs: number | undefined;
  readonly endedAtMs?: number | undefined;
}

/** It stands because an operator wants it so. */
interface Paused {
  readonly by: string;
  readonly reason: string;
  readonly atMs: number;
}

/** It stands until an operator says that it goes on. */
export interface Waiting {
  readonly for: 'approval' | 'inconclusive' | 'plan';
  /** Of an approval: the gate; empty: the step itself. */
  readonly gate: string;
  readonly by: ApprovedBy;
  readonly sinceMs: number;
  /** Undefined: for ever. */
  readonly untilMs: number | undefined;
  readonly onTimeout: 'stop' | 'proceed';
}

/** It would go on, or back, and may not. */
export interface Blocked {
  /** Code of the refusal: `frozen`, `held`, `store-failed`, … */
  readonly why: string;
  readonly detail: string;
  readonly sinceMs: number;
  readonly tries: number;
  readonly retryAtMs: number;
}

export type Cause =
  | 'guard'
  | 'down'
  | 'gate'
  | 'approval'
  | 'inconclusive'
  | 'health'
  | 'warm-up'
  | 'operator'
  | 'changed'
  | 'none';

/** It shall go back, as soon as it may. */
export interface WayBack {
  readonly cause: Cause;
  readonly reason: string;
  readonly actor: string;
  readonly restick: 'all' | 'new';
  readonly rampMs: number;
  readonly lockOut: boolean;
}

/** How the time of a step or of the bake goes. */
export interface Segment {
  /** Time in which Turnout ran, looked, and was not to wait. */
  readonly observedMs: number;
  /** What the guard says; undefined: it still looks, or there is none. */
  readonly verdict: 'fail' | 'pass' | 'inconclusive' | undefined;
  /** Of the verdict, for people. */
  readonly reason: string;
  /** An operator has it go on without one. */
  readonly isSettled: boolean;
  /** An operator has answered what the plan asks for at the end of this step. */
  readonly isAnswered: boolean;
}

interface PointOfNoReturn {
  readonly actor: string;
  readonly reason: string;
  readonly atMs: number;
}

export type Outcome = 'done' | 'rolled-back' | 'failed' | 'superseded';

export interface End {
  readonly outcome: Outcome;
  readonly cause: Cause;
  /** A sentence. */
  readonly reason: string;
  readonly actor: string;
  readonly restick: 'all' | 'new' | undefined;
  readonly lockedOut: boolean;
  readonly atMs: number;
}

/** A stage that was reached. */
export interface Mark {
  readonly stage: Stage;
  readonly atMs: number;
  /** What came of it, for people; filled when it is left. */
  readonly note: string;
}

export interface Rollout {
  readonly id: string;
  readonly legs: readonly Leg[];
  readonly plan: string;
  readonly steps: readonly PlanStep[];
  readonly rampMs: number;
  readonly terms: Terms;
  readonly actor: string;
  readonly reason: string;
  /** It may go on whatever health and gates say; the guard only watches. */
  readonly isForced: boolean;
  readonly startedAtMs: number;
  /** Grows with each transition. */
  readonly transitions: number;
  readonly stage: Stage;
  readonly stageAtMs: number;
  /** Index of the step that runs, or ran last. */
  readonly step: number;
  readonly segment: Segment;
  readonly marks: readonly Mark[];
  readonly gates: readonly GateRun[];
  /** Names of gates that are left out, by the one who started it. */
  readonly skipped: readonly string[];
  /** Undefined: not yet known. */
  readonly isWarm: boolean | undefined;
  readonly paused: Paused | undefined;
  readonly waiting: Waiting | undefined;
  readonly blocked: Blocked | undefined;
  /** To the next step, or to all traffic, whatever is still missing. */
  readonly hurry: 'skip' | 'promote' | undefined;
  readonly back: WayBack | undefined;
  /** The way back goes over a ramp, which ends then. */
  readonly rampEndsAtMs: number | undefined;
  readonly pointOfNoReturn: PointOfNoReturn | undefined;
  /** What the guard knows of each service; only its reader understands it. */
  readonly guard: unknown;
  readonly isSafeToStop: boolean;
  readonly end: End | undefined;
}

/** What people are told of how it stands. */
export type Status =
  | { readonly kind: 'running' }
  | ({ readonly kind: 'paused' } & Paused)
  | ({ readonly kind: 'waiting' } & Waiting)
  | ({ readonly kind: 'blocked' } & Blocked);

export function statusOf({ end, blocked, paused, waiting }: Rollout): Status {
  if (end !== undefined) return { kind: 'running' };
  if (blocked !== undefined) return { kind: 'blocked', ...blocked };
  if (paused !== undefined) return { kind: 'paused', ...paused };
  return waiting === undefined ? { kind: 'running' } : { kind: 'waiting', ...waiting };
}

/** Nothing is asked of a rollout, and nothing keeps it. */
export const NOTHING_PENDING = {
  paused: undefined,
  waiting: undefined,
  blocked: undefined,
  hurry: undefined,
  back: undefined,
  rampEndsAtMs: undefined,
} as const satisfies Partial<Rollout>;

/** What a rollout that has just begun has not met yet; JSON leaves it out. */
export const NOTHING_YET = {
  ...NOTHING_PENDING,
  isWarm: undefined,
  pointOfNoReturn: undefined,
  guard: undefined,
  end: undefined,
} as const satisfies Partial<Rollout>;

/** The next rollout, and any switch, has to wait for it. */
export function holdsService({ end, stage }: Rollout): boolean {
  return end === undefined && stage !== 'draining';
}

/** The time of its step, or of its bake, does not go on. */
export function isHalted({ stage, paused, waiting, blocked }: Rollout): boolean {
  // What is asked while it bakes is asked beside that.
  const waits = waiting !== undefined && (stage !== 'baking' || waiting.gate === '');
  return paused !== undefined || waits || blocked !== undefined;
}

/** Returns the share of sessions that it wants on the new deployment now, of 10,000. */
export function shareOf({ stage, steps, step, rampEndsAtMs }: Rollout): number {
  if (rampEndsAtMs !== undefined) return 0;
  if (stage === 'shifting') return steps[step]!.share;
  return stage === 'baking' || stage === 'draining' || stage === 'done' ? 10_000 : 0;
}
