// Pure: a rollout → how far it is on its way: stages, steps of its plan, what comes next and what that
// needs. Who it is and what else is told of it is put together in view.ts.

import type { PlanStep as PlanStepView, RolloutView } from '../../../api/rollout-views.ts';
import { durationText } from '../../../base/duration.ts';
import { shareText, type PlanStep } from '../../../config/values/traffic-plan.ts';
import { openGates } from './gates-view.ts';
import {
  isHalted,
  STAGES_BEFORE_TRAFFIC,
  type Rollout,
  type Stage,
} from '../machine/rollout-record.ts';
import { timeText } from '../../base/time-text.ts';

/** In their order; each is there once traffic may reach it. */
const PATH = [
  'registered',
  'warming',
  'testing',
  'gated',
  'shifting',
  'baking',
  'draining',
] as const satisfies readonly Stage[];

/** Returns the stages on the usual path, and what came of those that were reached. */
export function stagesView(rollout: Rollout): RolloutView['stages'] {
  return PATH.map((name) => stageView(rollout, name));
}

/** Returns one step of a plan as the API has it. */
export function planStepView({ share, forMs, end }: PlanStep): PlanStepView {
  return {
    share: share / 100,
    for: forMs === 0 ? null : durationText(forMs),
    pause: end === 'pause',
    approve: end === 'approve',
  };
}

function stageView(rollout: Rollout, name: (typeof PATH)[number]): RolloutView['stages'][number] {
  const { marks, stage, end } = rollout;
  const at = marks.findIndex((mark) => mark.stage === name);
  const mark = marks[at];
  if (mark === undefined) {
    const isPast = PATH.indexOf(name) < PATH.indexOf(lastOnPath(rollout));
    return {
      stage: name,
      state: isPast ? 'skipped' : 'next',
      detail: '',
      startedAt: null,
      tookMs: null,
    };
  }
  const endedAtMs = marks[at + 1]?.atMs ?? end?.atMs;
  const hasFailed = end !== undefined && end.outcome !== 'done' && name === lastOnPath(rollout);
  const state = hasFailed ? 'failed' : stage === name && end === undefined ? 'running' : 'done';
  return {
    stage: name,
    state,
    detail: hasFailed ? end.reason : mark.note,
    startedAt: timeText(mark.atMs),
    tookMs: endedAtMs === undefined ? null : Math.max(0, endedAtMs - mark.atMs),
  };
}

/** The last stage on the usual path that was reached. */
function lastOnPath({ marks }: Rollout): (typeof PATH)[number] {
  const reached = PATH.filter((name) => marks.some(({ stage }) => stage === name));
  return reached.at(-1) ?? 'registered';
}

export function stepView(
  rollout: Rollout,
  one: PlanStep,
  index: number,
): RolloutView['steps'][number] {
  const { stage, step, segment, end } = rollout;
  const isShifting = stage === 'shifting' && end === undefined;
  const { marks } = rollout;
  const wasShifted = marks.some((mark) => mark.stage === 'shifting');
  const isPromoted = marks.some((mark) => mark.stage === 'baking' || mark.stage === 'draining');
  const isReached = wasShifted ? index <= step : isPromoted;
  const isRunning = isShifting && index === step;
  const state = isRunning
    ? 'running'
    : isReached
      ? 'done'
      : isPromoted
        ? doneOrSkipped(rollout, index)
        : 'next';
  return {
    ...planStepView(one),
    state,
    observed: isRunning ? observedText(segment.observedMs) : null,
  };
}

/** All traffic has moved: the last step is done, and those in between were left out. */
function doneOrSkipped({ steps }: Rollout, index: number): 'done' | 'skipped' {
  return index === steps.length - 1 ? 'done' : 'skipped';
}

export function nextView(rollout: Rollout, nowMs: number): RolloutView['next'] {
  const { stage, end, steps, step, segment, terms, waiting, stageAtMs, back } = rollout;
  if (end !== undefined) return null;
  // Nothing else happens to it any more.
  if (back !== undefined) return backView(rollout, nowMs);
  const isWatched = terms.guard !== 'off' && (stage !== 'baking' || terms.bakeMs > 0);
  const guard = isWatched ? ['the guard passes, or cannot tell twice'] : [];
  const waits = waiting === undefined ? [] : [waitText(waiting.for, waiting.gate)];
  switch (stage) {
    case 'registered':
      return {
        what: 'warm-up and tests',
        at: timeText(stageAtMs + terms.healthMs),
        needs: ['all targets up'],
      };
    case 'warming':
      return { what: 'tests', at: null, needs: ['the warm-up ends'] };
    case 'testing':
      return { what: firstText(rollout), at: null, needs: openGates(rollout, 'before') };
    case 'gated':
      return { what: firstText(rollout), at: null, needs: waits };
    case 'shifting': {
      const next = steps[step + 1];
      const isLast = next === undefined || next.share === 10_000;
      const what = isLast ? '100 %' : shareText(next.share).replace('%', ' %');
      const at = soonest(rollout, nowMs, steps[step]!.forMs - segment.observedMs);
      const { end: then } = steps[step]!;
      const word =
        then === 'next' || segment.isAnswered
          ? []
          : [then === 'pause' ? 'turnout rollout resume' : 'an approval'];
      return {
        what,
        at,
        needs: [...guard, ...openGates(rollout, 'step'), ...(waits.length > 0 ? waits : word)],
      };
    }
    case 'baking':
      return {
        what: 'the new release is the stable one',
        at: soonest(rollout, nowMs, terms.bakeMs - segment.observedMs),
        needs: [...guard, ...openGates(rollout, 'after'), ...waits],
      };
    case 'draining':
      return { what: 'done', at: null, needs: ['nothing is left on the old release'] };
    default:
      return null;
  }
}

/** The way back may be blocked, or goes over a ramp. */
function backView(
  { stage, blocked, rampEndsAtMs }: Rollout,
  nowMs: number,
): NonNullable<RolloutView['next']> {
  const isTimed = rampEndsAtMs !== undefined && blocked === undefined;
  return {
    what: STAGES_BEFORE_TRAFFIC.has(stage) ? 'failed' : 'rolled back',
    at: isTimed ? timeText(Math.max(nowMs, rampEndsAtMs)) : null,
    needs: blocked === undefined ? [] : [blocked.detail],
  };
}

function soonest(rollout: Rollout, nowMs: number, leftMs: number): string | null {
  return isHalted(rollout) ? null : timeText(nowMs + Math.max(0, leftMs));
}

function firstText({ steps }: Rollout): string {
  return shareText(steps[0]!.share).replace('%', ' %');
}

function waitText(what: string, gate: string): string {
  if (what === 'inconclusive') return 'a word of an operator: the guard cannot tell';
  if (what === 'plan') return 'turnout rollout resume';
  return gate === '' ? 'an approval' : `an approval: ${gate}`;
}

export function observedText(ms: number): string {
  return durationText(Math.floor(ms / 1_000) * 1_000);
}
