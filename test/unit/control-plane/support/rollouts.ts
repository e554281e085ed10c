// Rollouts as a test wants them, and what happens to them.

import { parseTrafficPlan } from '../../../../src/config/values/traffic-plan.ts';
import {
  step,
  type GuardSays,
  type RolloutEvent,
  type Step,
} from '../../../../src/control-plane/rollouts/machine/machine.ts';
import type { Seen } from '../../../../src/control-plane/rollouts/machine/next.ts';
import {
  NOTHING_YET,
  type GateTerms,
  type Leg,
  type Rollout,
  type Terms,
} from '../../../../src/control-plane/rollouts/machine/rollout-record.ts';
import { EMPTY_SEGMENT } from '../../../../src/control-plane/rollouts/machine/transition.ts';
import {
  VerbRefusal,
  type Verb,
  type VerbEvent,
} from '../../../../src/control-plane/rollouts/machine/verbs.ts';

export const NOW_MS = 1_700_000_000_000;

const LEG: Leg = {
  service: 'default',
  from: { deployment: 1, color: 'blue', release: 'v1' },
  to: { deployment: 2, color: 'green', release: 'v2' },
};

export function terms(changes: Partial<Terms> = {}): Terms {
  return {
    healthMs: 60_000,
    warmupMs: 0,
    isWarmupRequired: false,
    bakeMs: 300_000,
    onInconclusive: 'proceed',
    guard: 'rollback',
    sessions: 'new',
    by: 'session',
    restick: 'all',
    rampBackMs: 0,
    lockOut: true,
    gates: [],
    ...changes,
  };
}

export function gate(name: string, changes: Partial<GateTerms> = {}): GateTerms {
  return {
    service: 'default',
    name,
    at: 'before',
    kind: 'webhook',
    timeoutMs: 3_600_000,
    onFail: 'stop',
    by: 'anyone',
    onTimeout: 'stop',
    ...changes,
  };
}

/** A gate that a person answers. */
export function approval(changes: Partial<GateTerms> = {}): GateTerms {
  return gate('word', { kind: 'approve', timeoutMs: 86_400_000, ...changes });
}

/** Returns a rollout that has just been registered, at `NOW_MS`; `plan` as an operator writes it. */
export function rollout(
  changes: Partial<Omit<Rollout, 'terms'>> & { readonly terms?: Partial<Terms> } = {},
): Rollout {
  const plan = changes.plan ?? '10%:5m, 50%:5m, 100%';
  const found = parseTrafficPlan(plan);
  if (!found.ok) throw new Error(found.problem);
  const { steps, rampMs } = found.value;
  return {
    id: 'r-1',
    legs: [LEG],
    plan,
    steps,
    rampMs,
    actor: 'ci',
    reason: 'build 1182',
    isForced: false,
    startedAtMs: NOW_MS,
    transitions: 1,
    stage: 'registered',
    stageAtMs: NOW_MS,
    step: 0,
    segment: EMPTY_SEGMENT,
    marks: [{ stage: 'registered', atMs: NOW_MS, note: '' }],
    gates: [],
    skipped: [],
    ...NOTHING_YET,
    isSafeToStop: false,
    ...changes,
    terms: terms(changes.terms),
  };
}

export const UP: Seen = {
  isUp: true,
  healthText: '1 of 1 targets up',
  isSafeToStop: false,
  isDrained: false,
};

export const DOWN: Seen = {
  ...UP,
  isUp: false,
  healthText: '0 of 1 targets up: http://127.0.0.1:3002: connection refused',
};

type Tick = Extract<RolloutEvent, { kind: 'tick' }>;

/** A second passes in which all targets are up, and the guard still looks. */
export function tick(changes: Partial<Tick> = {}): Tick {
  return {
    kind: 'tick',
    elapsedMs: 1_000,
    seen: UP,
    guard: { verdict: undefined, reason: '', state: undefined },
    downText: '',
    ...changes,
  };
}

/** A second passes, and the guard says something. */
export function says(verdict: GuardSays['verdict'], reason = `it says ${verdict}`): Tick {
  return tick({ guard: { verdict, reason, state: undefined } });
}

export function verb(wanted: Verb, changes: Partial<VerbEvent> = {}): VerbEvent {
  return { kind: 'verb', verb: wanted, actor: 'mia', reason: '', isForced: false, ...changes };
}

/** Returns what an event makes of a rollout once all that it wants is in force. */
export function after(before: Rollout, event: RolloutEvent, nowMs = NOW_MS): Rollout {
  return inForce(step(before, event, nowMs));
}

/** Returns the rollout once what it wants is in force. */
export function inForce({ rollout: without, move }: Step): Rollout {
  return move?.to ?? without;
}

/** Returns what is told of an event, with what it wants. */
export function toldOf({ told, move }: Step): string[] {
  return [...told, ...(move?.told ?? [])].map(({ kind }) => kind);
}

/** An abort as the terms of the rollout have it. */
export const ABORT: Verb = { kind: 'abort' };
/** The time of a step or of the bake has passed, and the guard has nothing against the release. */
export const ALL_OBSERVED = tick({
  elapsedMs: 300_000,
  guard: { verdict: 'pass', reason: '', state: undefined },
});

export function gateSays(
  before: Rollout,
  verdict: 'ok' | 'fail' | 'later' | 'error',
): RolloutEvent {
  const { attempt } = before.gates.findLast((run) => run.verdict === undefined)!;
  return { kind: 'gate', attempt, answer: { verdict, detail: `said ${verdict}` } };
}

/** Returns it with 10 % of the sessions. */
export function shifting(changes: Parameters<typeof rollout>[0] = {}): Rollout {
  return after(rollout(changes), tick());
}

/** Returns it with all traffic. */
export function baking(changes: Parameters<typeof rollout>[0] = {}): Rollout {
  return after(rollout({ ...changes, plan: 'all-at-once' }), tick());
}

/** Returns the code with which a verb is refused, or `none`. */
export function refusalOf(before: Rollout, event: RolloutEvent): string {
  try {
    step(before, event, NOW_MS);
  } catch (error) {
    if (error instanceof VerbRefusal) return error.code;
    throw error;
  }
  return 'none';
}
