// What a step of a rollout consists of, and the small changes of its record that all stages share.
// Pure.

import type { Color } from '../../../contract/table.ts';
import {
  NOTHING_PENDING,
  type Blocked,
  type Cause,
  type End,
  type Mark,
  type Outcome,
  type Rollout,
  type Segment,
  type Stage,
  type WayBack,
} from './rollout-record.ts';

/** What becomes of the routing table. One edit is made of each service of the rollout. */
export type RolloutEdit =
  /** No table differs, but other switches have to wait from now on. */
  | { readonly kind: 'claim' }
  | { readonly kind: 'split'; readonly share: number; readonly rampMs: number }
  | { readonly kind: 'move'; readonly share: number; readonly rampMs: number }
  | { readonly kind: 'promote' }
  /** What the split gave to the new deployment is taken back. */
  | { readonly kind: 'abort'; readonly back: WayBack }
  /** The old deployment becomes the active one again. */
  | { readonly kind: 'return'; readonly back: WayBack }
  /** What is left may become the active one again, or may not, as the rollout says by then. */
  | { readonly kind: 'bar' }
  /** Others may switch again. */
  | { readonly kind: 'release' }
  /** Others have moved one of its services: what is left of the others' splits goes, and all may switch. */
  | { readonly kind: 'leave' };

/** What is to be done beside; it may be done twice, after a restart. */
export type Effect =
  | { readonly kind: 'warm' }
  | { readonly kind: 'ask'; readonly attempt: string }
  /** Of all gates that are asked. */
  | { readonly kind: 'cancel' };

/** Something that is told to the outside; the rollout itself is told with it. */
export interface Told {
  /** Such as `rollout.step`. */
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** One transition: what the rollout is then, and what belongs to it. */
export interface Transition {
  readonly to: Rollout;
  readonly edit?: RolloutEdit;
  readonly effects: readonly Effect[];
  readonly told: readonly Told[];
}

export const EMPTY_SEGMENT: Segment = {
  observedMs: 0,
  verdict: undefined,
  reason: '',
  isSettled: false,
  isAnswered: false,
};

/** Returns the rollout in `stage`; `note` is what came of the one before. */
export function entered(
  rollout: Rollout,
  stage: Stage,
  { nowMs, note }: { readonly nowMs: number; readonly note: string },
): Rollout {
  return {
    ...rollout,
    stage,
    stageAtMs: nowMs,
    transitions: rollout.transitions + 1,
    marks: [...noted(rollout.marks, note), { stage, atMs: nowMs, note: '' }],
    waiting: undefined,
    blocked: undefined,
    hurry: undefined,
  };
}

function noted(marks: readonly Mark[], note: string): Mark[] {
  return marks.map((mark, at) =>
    at === marks.length - 1 && note !== '' ? { ...mark, note } : mark,
  );
}

/** Returns the rollout at its end. */
export function ended(
  rollout: Rollout,
  outcome: Outcome,
  about: Pick<End, 'cause' | 'reason' | 'actor'> &
    Partial<Pick<End, 'restick' | 'lockedOut'>> & { readonly nowMs: number },
): Rollout {
  const { nowMs, cause, reason, actor, restick, lockedOut = false } = about;
  const end = { outcome, cause, reason, actor, restick, lockedOut, atMs: nowMs };
  // Where the way back goes over a ramp, it is in this stage already.
  const last = rollout.stage === outcome ? rollout : entered(rollout, outcome, { nowMs, note: '' });
  return {
    ...last,
    transitions: rollout.transitions + 1,
    ...NOTHING_PENDING,
    end,
  };
}

/** Returns `told` with what everybody wants to know of the rollout. */
export function tell(
  rollout: Rollout,
  kind: string,
  data: Readonly<Record<string, unknown>> = {},
): Told {
  const { stage, step, steps, legs } = rollout;
  const moves = legs.map(({ service, from, to }) => ({
    service,
    from: sideData(from),
    to: sideData(to),
  }));
  const share = stage === 'shifting' ? { share: steps[step]!.share / 100 } : {};
  return { kind, data: { stage, ...share, services: moves, ...data } };
}

function sideData({
  color,
  release,
  deployment,
}: {
  readonly color: Color;
  readonly release: string;
  readonly deployment: number;
}) {
  return { color, release, deployment };
}

/** Returns the way back as the settings have it. */
export function wayBack(
  { terms }: Pick<Rollout, 'terms'>,
  cause: Cause,
  reason: string,
  actor = 'turnout',
): WayBack {
  const { restick, rampBackMs: rampMs, lockOut } = terms;
  return { cause, reason, actor, restick, rampMs, lockOut };
}

/** It would go back, and must not: it stands until an operator says what is to be done. */
export function held(rollout: Rollout, back: WayBack, nowMs: number): Transition {
  const { cause, reason } = back;
  const isGuards = cause === 'guard' || cause === 'down';
  const by = isGuards ? 'guard' : 'turnout';
  const to: Rollout = {
    ...rollout,
    transitions: rollout.transitions + 1,
    paused: rollout.paused ?? { by, reason, atMs: nowMs },
  };
  const why = `past the point of no return: ${rollout.pointOfNoReturn!.reason}`;
  const detail = `${why}; go on by skip or promote, or abort with force`;
  const about = { why: 'point-of-no-return', detail, wanted: reason };
  const kind = isGuards ? 'guard.blocked' : 'rollout.blocked';
  return { to, effects: [], told: [tell(to, kind, about)] };
}

/** It may not go where it wants to: looked at again a little later. */
export function refused(
  rollout: Rollout,
  { code, detail }: { readonly code: string; readonly detail: string },
  nowMs: number,
): Transition {
  const before = rollout.blocked;
  const isSame = before?.why === code;
  const blocked: Blocked = {
    why: code,
    detail,
    sinceMs: isSame ? before.sinceMs : nowMs,
    tries: (isSame ? before.tries : 0) + 1,
    retryAtMs: nowMs + RETRY_MS,
  };
  const to = { ...rollout, blocked, transitions: rollout.transitions + (isSame ? 0 : 1) };
  if (isSame) return { to, effects: [], told: [] };
  const isGuards = rollout.back?.cause === 'guard' || rollout.back?.cause === 'down';
  const kind = isGuards ? 'guard.blocked' : 'rollout.blocked';
  const wanted = rollout.back === undefined ? {} : { wanted: rollout.back.reason };
  return { to, effects: [], told: [tell(to, kind, { why: code, detail, ...wanted })] };
}

/** A refusal is asked for again after this. */
const RETRY_MS = 5_000;
