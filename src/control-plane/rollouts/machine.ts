// The rollout machine: a rollout, an event and the time → what it is then, at most one edit of the
// routing table, and what is to be done beside. Pure; time comes in events only. docs/rollout.md has
// all its transitions, printed by its test.

import { answered, approved, askedAgain, type GateAnswer } from './gate-runs.ts';
import { done, nextOf, NOTHING_SEEN, type Seen } from './next.ts';
import { STAGES_BEFORE_TRAFFIC, type Cause, type Rollout, type WayBack } from './rollout.ts';
import {
  ended,
  tell,
  wayBack,
  type Effect,
  type RolloutEdit,
  type Told,
  type Transition,
} from './transition.ts';

/** What an operator wants of a rollout that runs. */
export type Verb =
  | { readonly kind: 'approve'; readonly gate: string | undefined }
  | { readonly kind: 'reject'; readonly gate: string | undefined }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'skip' }
  | { readonly kind: 'promote' }
  | ({ readonly kind: 'abort' } & Partial<Pick<WayBack, 'restick' | 'rampMs' | 'lockOut'>>)
  | { readonly kind: 'point-of-no-return'; readonly on: boolean };

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
  | {
      readonly kind: 'verb';
      readonly verb: Verb;
      readonly actor: string;
      readonly reason: string;
      readonly isForced: boolean;
    }
  /** Traffic is not where the rollout has put it: an operator with force, failover, a reload. */
  | { readonly kind: 'changed'; readonly detail: string }
  /** Another rollout of the service begins. */
  | { readonly kind: 'followed' }
  | { readonly kind: 'restarted' };

/** Why an operator's verb does nothing. */
export class VerbRefusal extends Error {
  override readonly name = 'VerbRefusal';
  readonly code:
    | 'rollout-over'
    | 'not-waiting'
    | 'gate-unknown'
    | 'approval-by-same-actor'
    | 'point-of-no-return'
    | 'reason-required';

  constructor(code: VerbRefusal['code'], detail: string) {
    super(detail);
    this.code = code;
  }
}

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
  const seen = event.kind === 'tick' ? event.seen : NOTHING_SEEN;
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
      return superseded(rollout, event.detail, nowMs);
    case 'followed':
      return rollout.stage === 'draining'
        ? done(rollout, 'all traffic is on the new release; the next rollout has begun', nowMs)
        : stays(rollout);
    case 'restarted':
      return restarted(rollout);
  }
}

function ticked(
  rollout: Rollout,
  event: Extract<RolloutEvent, { kind: 'tick' }>,
  nowMs: number,
): Transition {
  const { stage, paused, waiting, blocked, back, segment } = rollout;
  if ((stage !== 'shifting' && stage !== 'baking') || back !== undefined) return stays(rollout);
  const stands = paused !== undefined || waiting !== undefined || blocked !== undefined;
  const observedMs = segment.observedMs + (stands ? 0 : event.elapsedMs);
  const known = event.guard === undefined ? rollout.guard : event.guard.state;
  const timed = { ...rollout, guard: known, segment: { ...segment, observedMs } };
  const { mode, text, cause } = alarmOf(timed, event);
  const judged = withVerdict(timed, event.guard);
  if (text === '') return judged;
  if (mode === 'told') return judged;
  if (mode === 'watch') {
    const to = {
      ...judged.to,
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
  if (mode === 'no-return') return heldBack(judged, text, nowMs);
  const to = { ...judged.to, waiting: undefined, back: wayBack(rollout, cause, text) };
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
  const isKnown = segment.verdict === 'fail' && segment.reason === text;
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
function heldBack({ to: before, told }: Transition, reason: string, nowMs: number): Transition {
  const to: Rollout = {
    ...before,
    transitions: before.transitions + 1,
    segment: { ...before.segment, verdict: 'fail', reason },
    paused: before.paused ?? { by: 'guard', reason, atMs: nowMs },
  };
  const why = `past the point of no return: ${to.pointOfNoReturn!.reason}`;
  const about = { why: 'point-of-no-return', detail: why, wanted: reason };
  return { to, effects: [], told: [...told, tell(to, 'guard.blocked', about)] };
}

function superseded(rollout: Rollout, detail: string, nowMs: number): Transition {
  if (rollout.stage === 'draining') return done(rollout, `all traffic was moved; ${detail}`, nowMs);
  const about = { cause: 'changed', reason: detail, actor: 'turnout', nowMs } as const;
  const to = ended(rollout, 'superseded', about);
  return {
    to,
    effects: [{ kind: 'cancel' }],
    told: [tell(to, 'rollout.superseded', { reason: detail })],
  };
}

function restarted(rollout: Rollout): Transition {
  const isWarming = rollout.stage === 'warming' && rollout.isWarm === undefined;
  const warm = isWarming ? [{ kind: 'warm' } as const] : [];
  return { to: rollout, effects: [...warm, ...askedAgain(rollout)], told: [] };
}

function obeyed(
  before: Rollout,
  event: Extract<RolloutEvent, { kind: 'verb' }>,
  nowMs: number,
): Transition {
  const { verb, actor, reason } = event;
  // What it was refused is tried at once: the operator may have mended it.
  const rollout = { ...before, blocked: undefined };
  switch (verb.kind) {
    case 'approve':
    case 'reject':
      return answeredByPerson(rollout, event, nowMs);
    case 'pause':
      return pausedBy(rollout, { by: actor, reason, atMs: nowMs });
    case 'resume':
      return resumedBy(rollout, actor);
    case 'skip':
    case 'promote':
      return hurried(rollout, event);
    case 'abort':
      return abortedBy(rollout, event);
    case 'point-of-no-return': {
      const pointOfNoReturn = verb.on ? { actor, reason, atMs: nowMs } : undefined;
      const to = { ...rollout, pointOfNoReturn, transitions: rollout.transitions + 1 };
      return {
        to,
        effects: [],
        told: [tell(to, 'rollout.point-of-no-return', { on: verb.on, by: actor, reason })],
      };
    }
  }
}

function answeredByPerson(
  rollout: Rollout,
  { verb, actor, reason, isForced }: Extract<RolloutEvent, { kind: 'verb' }>,
  nowMs: number,
): Transition {
  const { waiting, actor: starter, terms } = rollout;
  const named = verb.kind === 'approve' || verb.kind === 'reject' ? verb.gate : undefined;
  const isYes = verb.kind === 'approve';
  if (named !== undefined && !terms.gates.some(({ name }) => name === named)) {
    const known = terms.gates.filter(({ kind }) => kind === 'approve').map(({ name }) => name);
    const hint =
      known.length === 0 ? 'it has no gate for approvals' : `expected ${known.join(' or ')}`;
    throw new VerbRefusal('gate-unknown', `${rollout.id} has no gate ${named}: ${hint}`);
  }
  if (waiting === undefined || (named !== undefined && waiting.gate !== named)) {
    throw new VerbRefusal(
      'not-waiting',
      `${rollout.id} does not wait for ${named ?? 'an approval'}: ${standsText(rollout)}`,
    );
  }
  if (isYes && waiting.by === 'others' && actor === starter && !isForced) {
    const detail = `${waiting.gate}: ${actor} has started ${rollout.id}, so another operator has to approve it`;
    throw new VerbRefusal('approval-by-same-actor', detail);
  }
  if (waiting.gate !== '') {
    return approved(rollout, { gate: waiting.gate, isYes, actor, reason }, nowMs);
  }
  if (isYes) return wentOn(rollout, 'rollout.approved', { by: actor, reason });
  const said = reason === '' ? '' : `: ${JSON.stringify(reason)}`;
  const back = wayBack(rollout, 'approval', `rejected by ${actor}${said}`, actor);
  return stays({ ...rollout, waiting: undefined, back });
}

/** Whatever was awaited at the end of this step is there. */
function wentOn(
  rollout: Rollout,
  kind: string,
  data: Readonly<Record<string, unknown>>,
): Transition {
  const to = {
    ...rollout,
    waiting: undefined,
    segment: { ...rollout.segment, isSettled: true },
    transitions: rollout.transitions + 1,
  };
  return { to, effects: [], told: [tell(to, kind, data)] };
}

function pausedBy(rollout: Rollout, paused: NonNullable<Rollout['paused']>): Transition {
  if (rollout.stage === 'draining') {
    throw new VerbRefusal(
      'rollout-over',
      `${rollout.id} has moved all traffic: nothing is left to pause`,
    );
  }
  if (rollout.paused !== undefined) return stays(rollout);
  const to = { ...rollout, paused, transitions: rollout.transitions + 1 };
  return {
    to,
    effects: [],
    told: [tell(to, 'rollout.paused', { by: paused.by, reason: paused.reason })],
  };
}

function resumedBy(rollout: Rollout, actor: string): Transition {
  const { paused, waiting } = rollout;
  if (paused !== undefined) {
    const to = { ...rollout, paused: undefined, transitions: rollout.transitions + 1 };
    return { to, effects: [], told: [tell(to, 'rollout.resumed', { by: actor })] };
  }
  if (waiting?.for === 'plan' || waiting?.for === 'inconclusive') {
    return wentOn(rollout, 'rollout.resumed', { by: actor });
  }
  throw new VerbRefusal('not-waiting', `${rollout.id} is not paused: ${standsText(rollout)}`);
}

function hurried(
  rollout: Rollout,
  { verb, actor, reason }: Extract<RolloutEvent, { kind: 'verb' }>,
): Transition {
  const hurry = verb.kind === 'promote' ? 'promote' : 'skip';
  if (
    rollout.rampEndsAtMs !== undefined ||
    (rollout.stage !== 'shifting' && rollout.stage !== 'baking')
  ) {
    const hint = STAGES_BEFORE_TRAFFIC.has(rollout.stage)
      ? 'no traffic has moved yet; approve its gates, or abort it and switch with force'
      : 'all traffic has moved';
    throw new VerbRefusal('not-waiting', `${rollout.id} has no step to leave: ${hint}`);
  }
  if (hurry === 'promote' && reason.trim() === '') {
    throw new VerbRefusal(
      'reason-required',
      'promote leaves out steps and their guard; say why in "reason"',
    );
  }
  const to: Rollout = { ...rollout, hurry, paused: undefined, waiting: undefined, back: undefined };
  const data = { what: hurry, by: actor, reason };
  return { to, effects: [], told: [tell(to, 'rollout.hurried', data)] };
}

function abortedBy(
  rollout: Rollout,
  { verb, actor, reason, isForced }: Extract<RolloutEvent, { kind: 'verb' }>,
): Transition {
  if (verb.kind !== 'abort') return stays(rollout);
  if (rollout.stage === 'draining') {
    const hint = `${rollout.id} has moved all traffic; use rollback`;
    throw new VerbRefusal('rollout-over', hint);
  }
  const { pointOfNoReturn } = rollout;
  if (pointOfNoReturn !== undefined && !isForced && !STAGES_BEFORE_TRAFFIC.has(rollout.stage)) {
    const { actor: by, reason: why } = pointOfNoReturn;
    throw new VerbRefusal(
      'point-of-no-return',
      `${by} has declared the point of no return: ${why}; say "force" with a reason`,
    );
  }
  const { restick, rampMs, lockOut } = verb;
  const usual = wayBack(rollout, 'operator', reason === '' ? `aborted by ${actor}` : reason, actor);
  const back = {
    ...usual,
    restick: restick ?? usual.restick,
    rampMs: rampMs ?? usual.rampMs,
    lockOut: lockOut ?? usual.lockOut,
  };
  // A ramp that runs is cut short where the new wish has none.
  const rampEndsAtMs =
    rollout.rampEndsAtMs !== undefined && back.rampMs === 0 ? 0 : rollout.rampEndsAtMs;
  return stays({
    ...rollout,
    paused: undefined,
    waiting: undefined,
    hurry: undefined,
    back,
    rampEndsAtMs,
  });
}

/** Returns in a few words how it stands, for a refusal. */
function standsText({ stage, paused, waiting }: Rollout): string {
  if (paused !== undefined) return `it is paused by ${paused.by}`;
  if (waiting !== undefined)
    return `it waits for ${waiting.gate === '' ? waiting.for : waiting.gate}`;
  return `it is ${stage}`;
}
