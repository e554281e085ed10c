// When a rollout goes on or back by itself, from what is known of it, stage by stage: one transition at a
// time, or none. What such a move does is written in going-on.ts and going-back.ts. Pure.

import { unreachable } from '../../../base/assert.ts';
import type { PlanStep } from '../../../config/values/traffic-plan.ts';
import { gatesNext, type GatesNext } from './gate-runs.ts';
import { endOfRamp, goBack, sentBack } from './going-back.ts';
import { done, intoStep, passedText, promoted, released } from './going-on.ts';
import type { Rollout, Waiting } from './rollout-record.ts';
import { entered, tell, wayBack, type Transition } from './transition.ts';

/** What was seen of the world in this moment. */
export interface Seen {
  /** Every target of the new deployments is up. */
  readonly isUp: boolean;
  /** For people: `2 of 3 targets up: 10.0.0.7:3000: status 503`. */
  readonly healthText: string;
  /** Nothing is left on the old deployments that a stop would hurt. */
  readonly isSafeToStop: boolean;
  /** Their drains have ended. */
  readonly isDrained: boolean;
}

export const NOTHING_SEEN: Seen = {
  isUp: false,
  healthText: '',
  isSafeToStop: false,
  isDrained: false,
};

/** Returns the transition that is due; undefined: none is. */
export function nextOf(
  rollout: Rollout,
  nowMs: number,
  seen: Seen | undefined,
): Transition | undefined {
  if (rollout.end !== undefined) return undefined;
  const { blocked } = rollout;
  if (blocked === undefined) return wantedNext(rollout, nowMs, seen);
  if (nowMs < blocked.retryAtMs) return undefined;
  // What it was refused may be wanted no more.
  const to = { ...rollout, blocked: undefined, transitions: rollout.transitions + 1 };
  return wantedNext(rollout, nowMs, seen) ?? { to, effects: [], told: [] };
}

function wantedNext(
  rollout: Rollout,
  nowMs: number,
  seen: Seen | undefined,
): Transition | undefined {
  if (rollout.rampEndsAtMs !== undefined) return endOfRamp(rollout, nowMs);
  if (rollout.back !== undefined) return goBack(rollout, rollout.back, nowMs);
  switch (rollout.stage) {
    case 'registered':
      return fromRegistered(rollout, nowMs, seen);
    case 'warming':
      return fromWarming(rollout, nowMs);
    case 'testing':
      return fromTesting(rollout, nowMs);
    case 'gated':
      return fromGated(rollout, nowMs);
    case 'shifting':
      return fromShifting(rollout, nowMs);
    case 'baking':
      return fromBaking(rollout, nowMs);
    case 'draining':
      return fromDraining(rollout, nowMs, seen);
    case 'done':
    case 'rolled-back':
    case 'failed':
    case 'superseded':
      return undefined;
    default:
      return unreachable(rollout.stage);
  }
}

function fromRegistered(
  rollout: Rollout,
  nowMs: number,
  seen: Seen | undefined,
): Transition | undefined {
  const { stageAtMs, terms, isForced } = rollout;
  if (seen?.isUp === true || isForced) {
    const note = seen?.isUp === true ? seen.healthText : 'forced: health was not asked';
    if (terms.warmupMs === 0 || isForced) return stage(rollout, 'testing', nowMs, note);
    const { to, told } = stage(rollout, 'warming', nowMs, note);
    return { to, told, effects: [{ kind: 'warm' }] };
  }
  if (seen === undefined || nowMs < stageAtMs + terms.healthMs) return undefined;
  return sentBack(
    rollout,
    wayBack(rollout, 'health', `in ${terms.healthMs / 1_000} s only ${seen.healthText}`),
    nowMs,
  );
}

function fromWarming(rollout: Rollout, nowMs: number): Transition | undefined {
  const { isWarm, terms, stageAtMs } = rollout;
  if (isWarm === undefined && nowMs < stageAtMs + terms.warmupMs + WARM_GRACE_MS) return undefined;
  if (isWarm !== true && terms.isWarmupRequired) {
    return sentBack(rollout, wayBack(rollout, 'warm-up', 'the warm-up did not end well'), nowMs);
  }
  return stage(rollout, 'testing', nowMs, isWarm === true ? '' : 'not all was warmed up');
}

/** A warm-up ends by itself at its limit; this is for one that does not. */
const WARM_GRACE_MS = 5_000;

function fromTesting(rollout: Rollout, nowMs: number): Transition | undefined {
  const gates = rollout.isForced
    ? OVER
    : gatesNext(rollout, 'before', { nowMs, isApproval: false });
  if (gates.kind !== 'over') return dueOf(rollout, gates, nowMs);
  return stage(rollout, 'gated', nowMs, passedText(rollout, 'before'));
}

const OVER: GatesNext = { kind: 'over' };

function fromGated(rollout: Rollout, nowMs: number): Transition | undefined {
  const gates = rollout.isForced ? OVER : gatesNext(rollout, 'before', { nowMs, isApproval: true });
  if (gates.kind !== 'over') return dueOf(rollout, gates, nowMs);
  if (rollout.paused !== undefined) return undefined;
  return intoStep(rollout, 0, nowMs);
}

function fromShifting(rollout: Rollout, nowMs: number): Transition | undefined {
  const { step, steps, hurry, paused, waiting, segment } = rollout;
  if (hurry === 'promote') return promoted(rollout, nowMs);
  if (hurry === 'skip') return intoStep(rollout, step + 1, nowMs);
  if (waiting !== undefined && isOfStep(waiting)) return timedOut(rollout, waiting, nowMs);
  if (paused !== undefined) return undefined;
  const unclear = settledNext(rollout, steps[step]!.forMs, nowMs);
  if (unclear !== undefined) return unclear === 'not over' ? undefined : unclear;
  const gates = rollout.isForced ? OVER : gatesNext(rollout, 'step', { nowMs });
  if (gates.kind !== 'over') return dueOf(rollout, gates, nowMs);
  const { end } = steps[step]!;
  if (end !== 'next' && !segment.isAnswered) return waitForStep(rollout, end, nowMs);
  return intoStep(rollout, step + 1, nowMs);
}

function fromBaking(rollout: Rollout, nowMs: number): Transition | undefined {
  const { hurry, paused, waiting, terms } = rollout;
  if (hurry !== undefined) return released(rollout, nowMs);
  const gates = rollout.isForced ? OVER : gatesNext(rollout, 'after', { nowMs });
  const due = dueOf(rollout, gates, nowMs);
  if (due !== undefined) return due;
  // One word at a time is waited for.
  if (waiting !== undefined)
    return isOfStep(waiting) ? timedOut(rollout, waiting, nowMs) : undefined;
  if (paused !== undefined) return undefined;
  const unclear = terms.bakeMs === 0 ? undefined : settledNext(rollout, terms.bakeMs, nowMs);
  if (unclear !== undefined) return unclear === 'not over' ? undefined : unclear;
  return gates.kind === 'over' ? released(rollout, nowMs) : undefined;
}

function fromDraining(
  rollout: Rollout,
  nowMs: number,
  seen: Seen | undefined,
): Transition | undefined {
  if (seen === undefined) return undefined;
  if (seen.isSafeToStop && !rollout.isSafeToStop) {
    const to = { ...rollout, isSafeToStop: true, transitions: rollout.transitions + 1 };
    return {
      to,
      effects: [],
      told: [tell(to, 'rollout.safe-to-stop')],
    };
  }
  if (!seen.isDrained) return undefined;
  const reason = 'all traffic is on the new release, and nothing is left on the old one';
  return done(rollout, reason, nowMs);
}

/** Returns what an end without a verdict leads to; undefined: the segment is over, and it goes on. */
function settledNext(
  rollout: Rollout,
  lastsMs: number,
  nowMs: number,
): Transition | 'not over' | undefined {
  const { segment, terms, isForced } = rollout;
  const { verdict, observedMs, isSettled } = segment;
  if (isSettled) return undefined;
  const isTimeUp = observedMs >= lastsMs;
  if (terms.guard === 'off') return isTimeUp ? undefined : 'not over';
  if (verdict === undefined) return 'not over';
  // It only watches: what it would have done was told.
  if (verdict === 'fail') return isTimeUp ? undefined : 'not over';
  if (verdict === 'pass' || isForced || terms.guard === 'watch') return undefined;
  const reason = `the guard could not tell: ${segment.reason}`;
  switch (terms.onInconclusive) {
    case 'proceed':
      return undefined;
    case 'rollback':
      return sentBack(rollout, wayBack(rollout, 'inconclusive', reason), nowMs) ?? 'not over';
    case 'pause':
      return waits(
        rollout,
        { for: 'inconclusive', gate: '', by: 'anyone', untilMs: undefined, onTimeout: 'stop' },
        nowMs,
      );
    default:
      return unreachable(terms.onInconclusive);
  }
}

function waitForStep(rollout: Rollout, end: PlanStep['end'], nowMs: number): Transition {
  const isApproval = end === 'approve';
  const about = { gate: '', by: 'anyone', onTimeout: 'stop' } as const;
  const untilMs = isApproval ? nowMs + APPROVAL_MS : undefined;
  return waits(rollout, { ...about, for: isApproval ? 'approval' : 'plan', untilMs }, nowMs);
}

/** An approval that a plan asks for. */
const APPROVAL_MS = 86_400_000;

function waits(rollout: Rollout, about: Omit<Waiting, 'sinceMs'>, nowMs: number): Transition {
  const waiting = { ...about, sinceMs: nowMs };
  const to = { ...rollout, waiting, transitions: rollout.transitions + 1 };
  return { to, effects: [], told: [tell(to, 'rollout.waiting', { for: about.for })] };
}

/** It waits for a word on the step itself; a gate looks after its own time. */
function isOfStep({ for: what, gate }: Waiting): boolean {
  return what !== 'approval' || gate === '';
}

function timedOut(rollout: Rollout, { untilMs }: Waiting, nowMs: number): Transition | undefined {
  if (untilMs === undefined || nowMs < untilMs) return undefined;
  return sentBack(
    rollout,
    wayBack(rollout, 'approval', 'the next step was not approved in time'),
    nowMs,
  );
}

function stage(
  rollout: Rollout,
  name: 'warming' | 'testing' | 'gated',
  nowMs: number,
  note: string,
): Transition {
  const to = entered(rollout, name, { nowMs, note });
  return { to, effects: [], told: [tell(to, 'rollout.stage')] };
}

function dueOf(rollout: Rollout, gates: GatesNext, nowMs: number): Transition | undefined {
  if (gates.kind === 'refused') return sentBack(rollout, gates.back, nowMs);
  return gates.kind === 'due' ? gates.transition : undefined;
}
