// Pure: a rollout → what the API tells of it.

import { unreachable } from '../../base/assert.ts';
import type {
  GateView,
  GuardView,
  PlanStep as PlanStepView,
  RolloutBrief,
  RolloutEvent as EventView,
  RolloutSummary,
  RolloutView,
} from '../../api/rollout-views.ts';
import { durationText } from '../../base/duration.ts';
import { shareText, type PlanStep } from '../../config/values/traffic-plan.ts';
import {
  isHalted,
  shareOf,
  statusOf,
  type End,
  type GateRun,
  type GateTerms,
  type Leg,
  type Rollout,
  type Side,
  type Stage,
} from './rollout-record.ts';

/** What is known beside the rollout itself. */
export interface Beside {
  readonly nowMs: number;
  /** Of the requests of the last minute, of 100; undefined: there were none. */
  readonly measured: number | undefined;
  readonly guard: Omit<GuardView, 'mode'>;
  readonly events: readonly EventView[];
}

/** Of a rollout that no guard watches. */
export const NO_GUARD: Omit<GuardView, 'mode'> = {
  verdict: null,
  detail: '',
  evidence: 1,
  limit: 1_000,
  comparison: null,
  recent: [],
  signals: [],
  clients: { bad: 0, needed: 0 },
  verdicts: [],
};

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

export function summaryOf(rollout: Rollout, measured: number | undefined): RolloutSummary {
  const { id, transitions, legs, stage, plan, actor, reason, startedAtMs, end } = rollout;
  return {
    id,
    event: transitions,
    services: legs.map(moveOf),
    stage,
    status: statusView(rollout),
    plan,
    share: shareView(rollout, measured),
    actor,
    reason,
    startedAt: timeText(startedAtMs),
    end: end === undefined ? null : endView(end),
  };
}

export function viewOf(rollout: Rollout, { nowMs, measured, guard, events }: Beside): RolloutView {
  const { legs, terms, step, steps, segment, stage, pointOfNoReturn, skipped } = rollout;
  const [only] = legs.length === 1 ? legs.map(moveOf) : [];
  return {
    ...summaryOf(rollout, measured),
    ...only,
    stages: PATH.map((name) => stageView(rollout, name)),
    step: stage === 'shifting' ? step : null,
    steps: steps.map((one, index) => stepView(rollout, one, index)),
    bake: {
      for: durationText(terms.bakeMs),
      observed: stage === 'baking' ? observedText(segment.observedMs) : null,
    },
    next: nextView(rollout, nowMs),
    gates: gatesView(rollout),
    skipped: skipped.length === 0 ? null : { gates: [...skipped], reason: rollout.reason },
    guard: { ...guard, mode: terms.guard },
    pointOfNoReturn:
      pointOfNoReturn === undefined
        ? null
        : {
            actor: pointOfNoReturn.actor,
            at: timeText(pointOfNoReturn.atMs),
            reason: pointOfNoReturn.reason,
          },
    warnings: warningsOf(rollout),
    events: [...events],
  };
}

/** Returns what the status of `service` tells of a rollout that moves it. */
export function briefOf(
  rollout: Rollout,
  service: string,
  { nowMs, measured }: Pick<Beside, 'nowMs' | 'measured'>,
): RolloutBrief {
  const leg = rollout.legs.find((one) => one.service === service) ?? rollout.legs[0]!;
  const { id, stage, plan, actor } = rollout;
  return {
    id,
    stage,
    status: statusView(rollout),
    plan,
    share: shareView(rollout, measured),
    to: sideView(leg.to),
    actor,
    next: nextView(rollout, nowMs),
  };
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

function moveOf({ service, from, to }: Leg) {
  return { service, from: sideView(from), to: sideView(to) };
}

function sideView({ color, release, deployment }: Side) {
  return { color, release, deployment };
}

function statusView(rollout: Rollout): RolloutSummary['status'] {
  if (rollout.end !== undefined) return { kind: 'over' };
  const status = statusOf(rollout);
  switch (status.kind) {
    case 'running':
      return { kind: 'running' };
    case 'paused':
      return { kind: 'paused', since: timeText(status.atMs), by: status.by, reason: status.reason };
    case 'blocked':
      return {
        kind: 'blocked',
        since: timeText(status.sinceMs),
        why: status.why,
        reason: status.detail,
      };
    case 'waiting': {
      const { for: what, gate, sinceMs, untilMs, onTimeout } = status;
      return {
        kind: 'waiting',
        since: timeText(sinceMs),
        for: what,
        ...(gate === '' ? {} : { gate }),
        ...(untilMs === undefined ? {} : { until: timeText(untilMs), onTimeout }),
      };
    }
    default:
      return unreachable(status);
  }
}

const UNIT = { session: 'sessions', address: 'clients', request: 'requests' } as const;

function shareView(rollout: Rollout, measured: number | undefined): RolloutSummary['share'] {
  const of = UNIT[rollout.terms.by];
  return { wanted: shareOf(rollout) / 100, of, measured: measured ?? null };
}

function endView({ outcome, cause, reason, actor, restick, lockedOut, atMs }: End) {
  return { outcome, cause, reason, at: timeText(atMs), actor, restick: restick ?? null, lockedOut };
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

function stepView(rollout: Rollout, one: PlanStep, index: number): RolloutView['steps'][number] {
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

function nextView(rollout: Rollout, nowMs: number): RolloutView['next'] {
  const { stage, end, steps, step, segment, terms, waiting, stageAtMs } = rollout;
  if (end !== undefined) return null;
  const guard = terms.guard === 'off' ? [] : ['the guard passes, or cannot tell twice'];
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

function openGates({ terms, gates, skipped, step }: Rollout, at: GateTerms['at']): string[] {
  return terms.gates
    .filter((gate) => gate.at === at && !skipped.includes(gate.name))
    .filter((gate) => runOf(gates, gate, at === 'step' ? step : 0)?.verdict !== 'ok')
    .map(({ name }) => `gate ${name}`);
}

function runOf(
  runs: readonly GateRun[],
  { service, name, at }: GateTerms,
  step: number,
): GateRun | undefined {
  return runs.find(
    (run) => run.service === service && run.name === name && run.at === at && run.step === step,
  );
}

function gatesView({ terms, gates, skipped }: Rollout): GateView[] {
  return terms.gates.map((gate): GateView => {
    const { name, kind, at } = gate;
    const run = gates.findLast(
      (one) => one.service === gate.service && one.name === name && one.at === at,
    );
    if (run === undefined) {
      const verdict = skipped.includes(name) ? 'skipped' : null;
      return {
        name,
        kind,
        at,
        verdict,
        isOver: verdict !== null,
        tries: 0,
        tookMs: null,
        until: null,
        detail: '',
        facts: null,
      };
    }
    const { verdict, tries, startedAtMs, endedAtMs, deadlineMs, detail, retryAtMs } = run;
    const isOver = verdict !== undefined;
    return {
      name,
      kind,
      at,
      verdict: verdict ?? (retryAtMs === undefined ? null : 'later'),
      isOver,
      tries,
      tookMs: isOver ? Math.max(0, (endedAtMs ?? startedAtMs) - startedAtMs) : null,
      until: isOver ? null : timeText(deadlineMs),
      detail,
      facts: factsOf(run.facts),
    };
  });
}

function factsOf(facts: unknown): Record<string, unknown> | null {
  return typeof facts === 'object' && facts !== null && !Array.isArray(facts) ? { ...facts } : null;
}

function warningsOf({ gates, terms, isForced, isWarm }: Rollout): string[] {
  const warned = gates
    .filter(({ verdict }) => verdict === 'fail' || verdict === 'timeout' || verdict === 'error')
    .filter((run) => terms.gates.some(({ name, onFail }) => name === run.name && onFail === 'warn'))
    .map(({ name, detail }) => `gate ${name}: ${detail}`);
  return [
    ...(isForced
      ? ['it was forced: health and gates were not asked, and the guard only watches']
      : []),
    ...(isWarm === false ? ['not all was warmed up'] : []),
    ...warned,
  ];
}

function observedText(ms: number): string {
  return durationText(Math.floor(ms / 1_000) * 1_000);
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
