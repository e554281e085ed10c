// The guard of one rollout: gathers evidence that the new release is worse than the old one, look by look,
// and says of each segment fail, pass, inconclusive or blind. It never promotes anything. Pure: its state
// is plain JSON, and what follows from a verdict is decided elsewhere.
//
//   shift (all steps)  ──► side by side: the same second of the same cohort on both releases
//   bake               ──► before/after: what was normal before, lifted by what still drains there
//
//   evidence = the two phases by weight; a phase = 0.6 errors + 0.4 mean of the latency edges

import { assert, unreachable } from '../../base/assert.ts';
import { failText, inconclusiveText } from './guard-text.ts';
import type { ClientCounts, GuardPlan, Look, Patience, Segment, Verdict } from './guard-types.ts';
import { lookFault } from './look-fault.ts';
import { addedLook, type Pending } from './pending-look.ts';
import {
  hasPassed,
  inSegment,
  newPhase,
  phaseAfter,
  phaseAfterGap,
  weightedSignals,
  type Phase,
  type WeightedSignal,
} from './phase.ts';
import type { Tick } from './signal.ts';

/** The most by which one second multiplies the evidence: a burst counts as few coins, not as 500. */
const CAP: Readonly<Record<Patience, number>> = { calm: 1.5, normal: 2, quick: 3 };

/** Two looks closer than this are one tick, since the cap is one of a second. */
const TICK_MS_MIN = 900;

/** Above this share, of 10,000, the old release has too little to be compared with. */
const SIDE_BY_SIDE_SHARE_MAX = 8_000;
/** Of 10,000. */
const SHARE_ALL = 10_000;
/** A release that gets twice as much or more has cold caches again. */
const GRACE_TIMES = 2;

/** With fewer clients, all may stand behind one address, and the rule of clients says nothing. */
export const CLIENTS_SEEN_MIN = 20;

/** Of a stored guard. Raise it with each change of what a state or its parts hold. */
const FORMAT = 1;

export interface SegmentState {
  readonly kind: Segment['kind'];
  /** Without an extension. */
  readonly lastsMs: number;
  readonly observedMs: number;
  readonly blindMs: number;
  readonly isExtended: boolean;
  /** Why it failed; undefined: it did not. */
  readonly failed: string | undefined;
  readonly ended: 'pass' | 'inconclusive' | undefined;
}

export interface GuardState {
  /** Of this form; a guard of another one can't go on. */
  readonly format: typeof FORMAT;
  readonly plan: GuardPlan;
  readonly shift: Phase | undefined;
  readonly bake: Phase | undefined;
  readonly segment: SegmentState;
  readonly pending: Pending | undefined;
  /** The share at which the grace of latency began, and what is left of it. */
  readonly grace: { readonly share: number; readonly leftMs: number };
  readonly clients: ClientCounts;
  readonly comparison: Tick['comparison'];
  /** Why the last look saw nothing; undefined: it saw something. */
  readonly blind: string | undefined;
}

/** Returns the guard of a rollout at the begin of its first segment. */
export function newGuard(plan: GuardPlan, first: Segment): GuardState {
  const state: GuardState = {
    format: FORMAT,
    plan,
    shift: undefined,
    bake: undefined,
    segment: segmentOf(first),
    pending: undefined,
    grace: { share: 0, leftMs: 0 },
    clients: { seen: 0, bad: 0 },
    comparison: 'side by side',
    blind: undefined,
  };
  return beginSegment(state, first);
}

/** Returns the guard at the begin of the next segment. One bet goes on over all steps; the bake has its own. */
export function beginSegment(state: GuardState, segment: Segment): GuardState {
  const begun = { ...state, segment: segmentOf(segment), pending: undefined };
  const { plan } = state;
  switch (segment.kind) {
    case 'step':
      return { ...begun, shift: inSegment(state.shift ?? newPhase('shift', plan, plan.baseline)) };
    case 'bake': {
      const baseline = segment.baseline ?? plan.baseline;
      return {
        ...begun,
        bake: inSegment(state.bake ?? newPhase('bake', plan, baseline)),
        grace: { share: SHARE_ALL, leftMs: plan.settings.latency.graceMs },
        comparison: 'before/after',
      };
    }
    default:
      return unreachable(segment);
  }
}

/**
 * Returns the guard after one look. A look that can't be true, or that comes too late, is a gap. Looks may
 * come as often as one likes: what is closer than a tick is put together first.
 */
export function lookAt(state: GuardState, look: Look): GuardState {
  const fault = lookFault(look);
  if (fault !== undefined) return gapIn(state, { elapsedMs: look.elapsedMs, reason: fault });
  const seen = { ...state, clients: look.clients, blind: undefined };
  const pending = state.pending === undefined ? look : addedLook(state.pending, look);
  const { elapsedMs } = pending;
  if (elapsedMs < TICK_MS_MIN) {
    return { ...seen, pending: { elapsedMs, old: pending.old, new: pending.new } };
  }
  return afterWholeTick({ ...seen, pending: undefined }, { ...look, ...pending });
}

/** What could not be seen: no look for long, counters that were lost or began anew. */
interface Gap {
  readonly elapsedMs: number;
  /** For people, without a period: `no look for 14 s`. */
  readonly reason: string;
}

/** Returns the guard after a gap. It is no evidence either way; the segment gets as much longer. */
export function gapIn(state: GuardState, { elapsedMs, reason }: Gap): GuardState {
  const lostMs = Number.isFinite(elapsedMs) ? Math.max(0, elapsedMs) : 0;
  const { segment } = state;
  return {
    ...state,
    blind: reason,
    shift: state.shift && phaseAfterGap(state.shift),
    bake: state.bake && phaseAfterGap(state.bake),
    segment: { ...segment, blindMs: segment.blindMs + lostMs },
  };
}

/**
 * Returns a guard that was stored, which goes on after a gap; undefined: another version of Turnout stored
 * it in another form, and a new guard has to begin.
 */
export function restoredGuard(stored: unknown, gap: Gap): GuardState | undefined {
  const isOfThisForm =
    typeof stored === 'object' && stored !== null && 'format' in stored && stored.format === FORMAT;
  return isOfThisForm ? gapIn(stored as GuardState, gap) : undefined;
}

/** Returns what the guard says of the segment now; undefined: it is still looking. */
export function verdictOf(state: GuardState): Verdict | undefined {
  const { failed, ended } = state.segment;
  if (failed !== undefined) return { kind: 'fail', reason: failed };
  if (ended === 'pass') return { kind: 'pass' };
  if (ended === 'inconclusive') {
    return { kind: 'inconclusive', reason: inconclusiveText(state.plan.names, phaseOf(state)) };
  }
  return state.blind === undefined ? undefined : { kind: 'blind', reason: state.blind };
}

/** Returns the evidence against the release by all that was seen of the rollout, to one. */
export function evidenceOf(state: GuardState): number {
  return sumOf(weighted(state).map(({ evidence }) => evidence));
}

/** Returns what the evidence has to reach. */
export function limitOf({ plan }: GuardState): number {
  return 1 / plan.settings.alpha;
}

/** Returns the phase that the present segment belongs to. */
export function phaseOf({ segment, shift, bake }: GuardState): Phase {
  const phase = segment.kind === 'step' ? shift : bake;
  assert(phase !== undefined, 'a segment has its phase');
  return phase;
}

/** Returns the rule of clients: how many need a bad answer; 0: too few were seen for such a rule. */
export function clientsNeeded({ plan, clients }: GuardState): number {
  return clients.seen >= CLIENTS_SEEN_MIN ? plan.settings.clients : 0;
}

/** Returns the time of the segment, its extension included once that has begun. */
export function lengthOf({ lastsMs, isExtended }: SegmentState): number {
  return isExtended ? 2 * lastsMs : lastsMs;
}

function segmentOf({ kind, lastsMs }: Segment): SegmentState {
  const none = { failed: undefined, ended: undefined, isExtended: false };
  return { kind, lastsMs, observedMs: 0, blindMs: 0, ...none };
}

function afterWholeTick(state: GuardState, look: Look): GuardState {
  const { elapsedMs, share } = look;
  const { settings } = state.plan;
  const isStep = state.segment.kind === 'step';
  const comparison =
    isStep && share <= SIDE_BY_SIDE_SHARE_MAX ? 'side by side' : ('before/after' as const);
  const grace = graceAt(state, look);
  const tick: Tick = {
    elapsedMs,
    old: look.old,
    new: look.new,
    comparison,
    cohort: isStep ? 'split' : 'all',
    cap: CAP[settings.patience],
    isPaused: look.isPaused || state.segment.ended !== undefined,
  };
  const judged = phaseAfter(phaseOf(state), tick, { isLatencyJudged: grace.leftMs <= 0 });
  const next: GuardState = {
    ...state,
    [judged.kind]: judged,
    comparison,
    grace: { ...grace, leftMs: Math.max(0, grace.leftMs - elapsedMs) },
  };
  return { ...next, segment: segmentAfter(next, look) };
}

/** The grace begins anew with each doubling of the share, in one step or along a ramp. */
function graceAt({ grace, plan }: GuardState, { share }: Look): GuardState['grace'] {
  if (share === 0 || share < GRACE_TIMES * grace.share) return grace;
  return { share, leftMs: plan.settings.latency.graceMs };
}

function segmentAfter(state: GuardState, { elapsedMs, isPaused }: Look): SegmentState {
  const { segment } = state;
  const failed = segment.failed ?? failureOf(state);
  if (isPaused || segment.ended !== undefined) return { ...segment, failed };
  const next = { ...segment, failed, observedMs: segment.observedMs + elapsedMs };
  const { lastsMs, observedMs } = next;
  if (failed !== undefined || observedMs < lastsMs) return next;
  if (hasPassed(phaseOf(state))) return { ...next, ended: 'pass' };
  if (observedMs < 2 * lastsMs) return { ...next, isExtended: true };
  return { ...next, isExtended: true, ended: 'inconclusive' };
}

/** Returns why the release fails now; undefined: it does not. */
function failureOf(state: GuardState): string | undefined {
  if (evidenceOf(state) < limitOf(state)) return undefined;
  const { clients } = state;
  const areErrorsHeldBack = clients.bad < clientsNeeded(state);
  const counting = weighted(state).filter(
    ({ signal }) => signal.rule.edge !== undefined || !areErrorsHeldBack,
  );
  const evidence = sumOf(counting.map((one) => one.evidence));
  if (evidence < limitOf(state)) return undefined;
  const worst = counting.toSorted((one, other) => other.evidence - one.evidence)[0]!;
  return failText({ ...worst, names: state.plan.names, evidence, clients });
}

function weighted({ shift, bake }: GuardState): WeightedSignal[] {
  return [shift, bake].flatMap((phase) => (phase === undefined ? [] : weightedSignals(phase)));
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0);
}
