// The rollout machine: a rollout, an event and the time → what it is then, at most one edit of the
// routing table, and what is to be done beside. Pure; time comes in events only. docs/rollout.md has
// all its transitions, printed by its test.

import { unreachable } from '../../../base/assert.ts';
import { answered, askedAgain, cancelled, type GateAnswer } from './gate-runs.ts';
import { done } from './going-on.ts';
import { nextOf, type Seen } from './next.ts';
import { isHalted, type Cause, type Rollout, type WayBack } from './rollout-record.ts';
import {
  ended,
  held,
  tell,
  wayBack,
  type Effect,
  type RolloutEdit,
  type Told,
  type Transition,
} from './transition.ts';

import { obeyed, VerbRefusal, type VerbEvent } from './verbs.ts';

/** What the guard says of the present segment. */
export interface GuardSays {
  readonly verdict: 'fail' | 'pass' | 'inconclusive' | undefined;
  readonly reason: string;
}

export type RolloutEvent =
  /** Time has passed in which Turnout looked. */
  | {
      readonly kind: 'tick';
      readonly elapsedMs: number;
      readonly seen: Seen;
      /** Undefined: no guard looks. */
      readonly guard: (GuardSays & { readonly state: unknown }) | undefined;
      /** Every target of a new deployment is down, while the old one could serve; else empty. */
      readonly downText: string;
    }
  | { readonly kind: 'warmed'; readonly isGood: boolean }
  | { readonly kind: 'gate'; readonly attempt: string; readonly answer: GateAnswer }
  | VerbEvent
  /** Traffic is not where the rollout has put it: an operator with force, failover, a reload. */
  | {
      readonly kind: 'changed';
      readonly detail: string;
      /** Some of its services are where it has put them. */
      readonly holdsSome: boolean;
    }
  /** Another rollout of the service begins. */
  | { readonly kind: 'followed' }
  | { readonly kind: 'restarted' };

/** What an event makes of a rollout. */
export interface Step {
  /** As it is without the edit: true whatever becomes of that. */
  readonly rollout: Rollout;
  readonly effects: readonly Effect[];
  readonly told: readonly Told[];
  /** What it wants of the routing table, and what it is once that is in force. */
  readonly move: (Transition & { readonly edit: RolloutEdit }) | undefined;
}

/** Transitions that follow from one event without an edit: more would be a circle. */
const CHAIN_MAX = 200;

/** Returns what `event` makes of `rollout`. Throws VerbRefusal where it is a verb that can't be. */
export function step(rollout: Rollout, event: RolloutEvent, nowMs: number): Step {
  const noted = note(rollout, event, nowMs);
  const { edit: wanted } = noted;
  if (wanted !== undefined)
    return { rollout, effects: [], told: [], move: { ...noted, edit: wanted } };
  const seen = event.kind === 'tick' ? event.seen : undefined;
  let { to } = noted;
  const effects = [...noted.effects];
  const told = [...noted.told];
  for (let count = 0; count < CHAIN_MAX; count++) {
    const next = nextOf(to, nowMs, seen);
    if (next === undefined) return { rollout: to, effects, told, move: undefined };
    const { edit } = next;
    if (edit !== undefined) return { rollout: to, effects, told, move: { ...next, edit } };
    effects.push(...next.effects);
    told.push(...next.told);
    to = next.to;
  }
  throw new Error(`rollout ${rollout.id} goes in a circle in ${to.stage}`);
}

function stays(to: Rollout): Transition {
  return { to, effects: [], told: [] };
}

function note(rollout: Rollout, event: RolloutEvent, nowMs: number): Transition {
  if (rollout.end !== undefined) {
    if (event.kind !== 'verb') return stays(rollout);
    throw new VerbRefusal('rollout-over', `${rollout.id} is over: ${rollout.end.reason}`);
  }
  switch (event.kind) {
    case 'tick':
      return ticked(rollout, event, nowMs);
    case 'warmed':
      return stays(rollout.stage === 'warming' ? { ...rollout, isWarm: event.isGood } : rollout);
    case 'gate':
      return answered(rollout, event.attempt, event.answer, nowMs) ?? stays(rollout);
    case 'verb':
      return obeyed(rollout, event, nowMs);
    case 'changed':
      return superseded(rollout, event, nowMs);
    case 'followed':
      return rollout.stage === 'draining'
        ? done(rollout, 'all traffic is on the new release; the next rollout has begun', nowMs)
        : stays(rollout);
    case 'restarted':
      return restarted(rollout, nowMs);
    default:
      return unreachable(event);
  }
}

function ticked(
  rollout: Rollout,
  event: Extract<RolloutEvent, { kind: 'tick' }>,
  nowMs: number,
): Transition {
  const { stage, back, segment } = rollout;
  if ((stage !== 'shifting' && stage !== 'baking') || back !== undefined) return stays(rollout);
  const observedMs = segment.observedMs + (isHalted(rollout) ? 0 : event.elapsedMs);
  const known = event.guard === undefined ? rollout.guard : event.guard.state;
  const timed = { ...rollout, guard: known, segment: { ...segment, observedMs } };
  const { mode, text, cause } = alarmOf(timed, event);
  const judged = withVerdict(timed, event.guard);
  if (text === '') return judged;
  if (mode === 'told') return judged;
  if (mode === 'watch') {
    const to = {
      ...judged.to,
      transitions: judged.to.transitions + 1,
      segment: { ...judged.to.segment, verdict: 'fail', reason: text } as const,
    };
    return {
      to,
      effects: [],
      told: [
        ...judged.told,
        tell(to, 'guard.verdict', { verdict: 'fail', cause, reason: text, acts: false }),
      ],
    };
  }
  if (mode === 'no-return') return heldBack(judged, wayBack(rollout, cause, text), nowMs);
  // Whatever it was refused before: this has not been tried yet.
  const way = { waiting: undefined, blocked: undefined, back: wayBack(rollout, cause, text) };
  const to = { ...judged.to, ...way };
  return { to, effects: [], told: judged.told };
}

/** Returns what speaks against the release, and whether that is acted on. */
function alarmOf(
  rollout: Rollout,
  { guard, downText }: Pick<Extract<RolloutEvent, { kind: 'tick' }>, 'guard' | 'downText'>,
): {
  readonly mode: 'act' | 'watch' | 'told' | 'no-return';
  readonly text: string;
  readonly cause: Cause;
} {
  const { terms, isForced, segment, pointOfNoReturn } = rollout;
  const isDown = downText !== '' && terms.guard !== 'off';
  const hasFailed = guard?.verdict === 'fail';
  const cause = isDown ? 'down' : 'guard';
  const text = isDown ? downText : hasFailed ? guard.reason : '';
  if (text === '') return { mode: 'told', text, cause };
  // Its numbers differ with each look; once told is enough.
  const isKnown = segment.verdict === 'fail';
  if (isForced || terms.guard === 'watch') return { mode: isKnown ? 'told' : 'watch', text, cause };
  if (pointOfNoReturn === undefined) return { mode: 'act', text, cause };
  return { mode: isKnown ? 'told' : 'no-return', text, cause };
}

function withVerdict(rollout: Rollout, guard: GuardSays | undefined): Transition {
  const { segment } = rollout;
  if (guard === undefined || guard.verdict === undefined || guard.verdict === 'fail')
    return stays(rollout);
  if (segment.verdict !== undefined) return stays(rollout);
  const { verdict, reason } = guard;
  const to = {
    ...rollout,
    transitions: rollout.transitions + 1,
    segment: { ...segment, verdict, reason },
  };
  return { to, effects: [], told: [tell(to, 'guard.verdict', { verdict, reason })] };
}

/** The guard would go back, and must not: it stands until an operator says what is to be done. */
function heldBack({ to: before, told }: Transition, back: WayBack, nowMs: number): Transition {
  const { segment } = before;
  const judged: Rollout = {
    ...before,
    segment: { ...segment, verdict: 'fail', reason: back.reason },
  };
  const stands = held(judged, back, nowMs);
  return { ...stands, told: [...told, ...stands.told] };
}

/** What others have moved is not ours to mend; what they have left of it is let go. */
function superseded(
  rollout: Rollout,
  { detail, holdsSome }: Extract<RolloutEvent, { kind: 'changed' }>,
  nowMs: number,
): Transition {
  if (rollout.stage === 'draining') return done(rollout, `all traffic was moved; ${detail}`, nowMs);
  const { blocked } = rollout;
  if (holdsSome && blocked !== undefined && nowMs < blocked.retryAtMs) return stays(rollout);
  const about = { cause: 'changed', reason: detail, actor: 'turnout', nowMs } as const;
  const to = ended(cancelled(rollout, nowMs), 'superseded', about);
  const told = [tell(to, 'rollout.superseded', { reason: detail })];
  const effects = [{ kind: 'cancel' }] as const;
  return { to, effects, told, ...(holdsSome ? { edit: { kind: 'leave' } as const } : {}) };
}

/** Health is not known yet, and the warm-up begins anew: so does the time that they have. */
function restarted(rollout: Rollout, nowMs: number): Transition {
  const { stage, isWarm } = rollout;
  const isWarming = stage === 'warming' && isWarm === undefined;
  const to = isWarming || stage === 'registered' ? { ...rollout, stageAtMs: nowMs } : rollout;
  const warm = isWarming ? [{ kind: 'warm' } as const] : [];
  return { to, effects: [...warm, ...askedAgain(rollout)], told: [] };
}
