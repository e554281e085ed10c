// One thing that is judged through one phase of a rollout, such as errors: a bet that the new release is
// worse than tolerated, and a bet that it is not. Pure and plain JSON; knows no verdict.

import { slowerThan, type Level } from './baseline.ts';
import { betValue, grownWealth, newBet, nextBet, type Bet } from './bet.ts';
import type { Counts, SideCounts } from './guard-types.ts';
import {
  FLOOR_ODDS,
  floorRatios,
  PASS_PARTS,
  passRatios,
  passSideBySideRatios,
  RATIO_STEPS,
  sideBySideRatios,
  type Tallies,
  type Tally,
} from './likelihood.ts';

/** What counts as bad, and how much of it is tolerated. */
export interface SignalRule {
  readonly name: string;
  /** Bad is slower than this edge of DURATION_EDGES_MS, by index; undefined: bad is what failed. */
  readonly edge: number | undefined;
  /** Always tolerated. */
  readonly floor: number;
  /** What a release must stay near to pass, however much is tolerated for want of a comparison. */
  readonly passFloor: number;
  /** Tolerated times what the old release shows; undefined: the floor alone counts. */
  readonly ratio: number | undefined;
  /** What was normal for the old release before traffic moved; undefined: not known. */
  readonly normal: Level | undefined;
}

/** How the two releases are compared in one tick. */
type TickComparison = 'side by side' | 'before/after';

export interface Tick {
  readonly elapsedMs: number;
  readonly old: SideCounts;
  readonly new: SideCounts;
  readonly comparison: TickComparison;
  /** The bake looks at all requests, a step at those that the split placed. */
  readonly cohort: 'all' | 'split';
  readonly cap: number;
  readonly isPaused: boolean;
}

/** Counts of both releases since one moment. */
interface Stretch extends Tallies {
  readonly elapsedMs: number;
}

export interface Signal {
  readonly rule: SignalRule;
  /** Against the tolerated rate. */
  readonly floorBet: Bet;
  /** Against the other release; undefined: this phase has only the rate. */
  readonly ratioBet: Bet | undefined;
  /** Wealth of the mirrored bet, which begins anew with each segment: by rate, then side by side. */
  readonly passWealth: readonly number[];
  /** The old release in the last 10 s, the latest last. */
  readonly recent: readonly { readonly elapsedMs: number; readonly tally: Tally }[];
  readonly phase: Stretch;
  readonly segment: Stretch;
  /** Since the stake was placed that is worth most: about since something began to go wrong. */
  readonly rise: Stretch;
}

/** How long the old release is looked back at for what hits both releases at this moment. */
const RECENT_MS = 10_000;
/** Requests of the old release that are made up to be normal, so that a few can't say much. */
const NORMAL_WEIGHT = 20;
/** A bad release has at least twice what is tolerated. */
const BAD_TIMES = 2;

const NOTHING: Tally = { judged: 0, bad: 0 };
const NO_STRETCH: Stretch = { elapsedMs: 0, old: NOTHING, new: NOTHING };

export interface SignalPlan {
  /** Planned ticks of the phase, its extension included. */
  readonly ticks: number;
  readonly isSideBySide: boolean;
}

export function newSignal(rule: SignalRule, { ticks, isSideBySide }: SignalPlan): Signal {
  const compares = isSideBySide && rule.ratio !== undefined;
  return {
    rule,
    floorBet: newBet(FLOOR_ODDS.length, ticks),
    ratioBet: compares ? newBet(RATIO_STEPS.length, ticks) : undefined,
    passWealth: newPassWealth(compares),
    recent: [],
    phase: NO_STRETCH,
    segment: NO_STRETCH,
    rise: NO_STRETCH,
  };
}

/** Returns the signal at the begin of another segment of the same phase: only the pass bet is new. */
export function inNextSegment(signal: Signal): Signal {
  const isSideBySide = signal.ratioBet !== undefined;
  return { ...signal, passWealth: newPassWealth(isSideBySide), segment: NO_STRETCH };
}

function newPassWealth(isSideBySide: boolean): number[] {
  const alternatives = isSideBySide ? [...PASS_PARTS, ...PASS_PARTS] : PASS_PARTS;
  return alternatives.map(() => 1 / alternatives.length);
}

/** Returns the signal after a gap: what the old release showed before it says nothing about now. */
export function afterGap(signal: Signal): Signal {
  return { ...signal, recent: [] };
}

/** Returns the signal after a tick that is not judged, such as one of the grace: stakes go on. */
export function afterUnjudged(signal: Signal, tick: Tick): Signal {
  return {
    ...signal,
    ...nextBets(signal, tick, { floor: undefined, ratio: undefined }),
    recent: recentWith(signal, tick),
  };
}

/** Returns the signal after one tick. */
export function afterTick(signal: Signal, tick: Tick): Signal {
  const { rule } = signal;
  const counts = {
    elapsedMs: tick.elapsedMs,
    old: tallyOf(rule, tick.old[tick.cohort]),
    new: tallyOf(rule, tick.new[tick.cohort]),
  };
  const recent = recentWith(signal, tick);
  const bets = nextBets(signal, tick, logRatiosOf({ ...signal, recent }, tick, counts));
  return {
    ...signal,
    ...bets,
    passWealth: grownWealth(signal.passWealth, passLogRatiosOf(signal, counts), Infinity),
    recent,
    phase: longer(signal.phase, counts),
    segment: longer(signal.segment, counts),
    rise: hasJustStarted(bets) ? NO_STRETCH : longer(signal.rise, counts),
  };
}

function hasJustStarted({ floorBet, ratioBet }: Bets): boolean {
  return [floorBet, ratioBet].some((bet) => bet !== undefined && bet.startedAt === bet.ticks);
}

type Bets = Pick<Signal, 'floorBet' | 'ratioBet'>;

interface LogRatios {
  readonly floor: readonly number[] | undefined;
  readonly ratio: readonly number[] | undefined;
}

/**
 * Where a step gives the new release nearly everything, the other one has too few requests to be compared
 * with, and what was normal before takes its place.
 */
function logRatiosOf(signal: Signal, tick: Tick, tallies: Tallies): LogRatios {
  const { rule, ratioBet } = signal;
  const after = (): number[] | undefined => floorRatios(toleratedAfter(signal), tallies.new);
  if (ratioBet === undefined || rule.ratio === undefined)
    return { floor: after(), ratio: undefined };
  const isAfter = tick.comparison === 'before/after' && rule.normal !== undefined;
  return {
    floor: floorRatios(rule.floor, tallies.new),
    ratio: isAfter ? after() : sideBySideRatios(rule.ratio, tallies),
  };
}

function nextBets(
  { floorBet, ratioBet }: Signal,
  { cap, isPaused }: Tick,
  { floor, ratio }: LogRatios,
): Bets {
  return {
    floorBet: nextBet(floorBet, { logRatios: floor, cap, isPaused }),
    ratioBet:
      ratioBet === undefined ? undefined : nextBet(ratioBet, { logRatios: ratio, cap, isPaused }),
  };
}

/**
 * Returns the evidence that the new release is worse than tolerated, to one. Side by side it must be worse
 * than the other release and worse than the floor: the smaller of two bets tests both at no price.
 */
export function signalEvidence({ floorBet, ratioBet }: Signal): number {
  const floor = betValue(floorBet);
  return ratioBet === undefined ? floor : Math.min(floor, betValue(ratioBet));
}

/** Returns the evidence that the new release is no worse than tolerated, to one. */
export function passEvidence({ passWealth }: Signal): number {
  return betValue({ wealth: passWealth });
}

/** Returns the rate that is tolerated of the new release, by what is known of the old one now. */
export function toleratedRate(signal: Signal): number {
  const { rule, ratioBet, phase } = signal;
  if (ratioBet === undefined) return toleratedAfter(signal);
  const rate = phase.old.judged > 0 ? phase.old.bad / phase.old.judged : 0;
  return Math.max(rule.floor, (rule.ratio ?? 0) * rate);
}

function tallyOf({ edge }: SignalRule, counts: Counts): Tally {
  if (edge !== undefined) return slowerThan(edge, counts.durations);
  return { judged: counts.judged, bad: counts.bad };
}

/**
 * Before and after: the upper bound of what was normal, or more where the sessions that still drain on the
 * old release show that something hits both.
 */
function toleratedAfter({ rule, recent }: Signal): number {
  const { floor, ratio, normal } = rule;
  if (ratio === undefined || normal === undefined) return floor;
  const now = recent.map(({ tally }) => tally).reduce(sum, NOTHING);
  return Math.max(floor, ratio * Math.max(normal.upper, drawnToNormal(now, normal.rate)));
}

function drawnToNormal({ judged, bad }: Tally, normal: number): number {
  return (bad + NORMAL_WEIGHT * normal) / (judged + NORMAL_WEIGHT);
}

/**
 * A release is bad with twice what is tolerated. Side by side that is a rate and a ratio, and to disprove
 * one of them is enough. Before and after, the estimate of the old release counts, never its upper bound:
 * not to know the old release would make this bet generous.
 */
function passLogRatiosOf({ rule, ratioBet }: Signal, tallies: Tallies): readonly number[] {
  const { passFloor, ratio, normal } = rule;
  if (ratioBet === undefined || ratio === undefined) {
    const tolerated = Math.max(passFloor, (ratio ?? 0) * (normal?.rate ?? 0));
    return passRatios(badRate(tolerated), tallies.new) ?? SAYS_NOTHING;
  }
  return [
    ...(passRatios(badRate(passFloor), tallies.new) ?? SAYS_NOTHING),
    ...(passSideBySideRatios(BAD_TIMES * ratio, tallies) ?? SAYS_NOTHING),
  ];
}

const SAYS_NOTHING: readonly number[] = PASS_PARTS.map(() => 0);

/** Where nearly everything is tolerated, twice as much is no rate: bad is then half way to all. */
function badRate(tolerated: number): number {
  return Math.min(BAD_TIMES * tolerated, (1 + tolerated) / 2);
}

function recentWith({ rule, recent }: Signal, { elapsedMs, old }: Tick): Signal['recent'] {
  let spanMs = elapsedMs;
  let from = recent.length;
  while (from > 0 && spanMs + recent[from - 1]!.elapsedMs <= RECENT_MS) {
    from -= 1;
    spanMs += recent[from]!.elapsedMs;
  }
  return [...recent.slice(from), { elapsedMs, tally: tallyOf(rule, old.all) }];
}

function longer(stretch: Stretch, more: Stretch): Stretch {
  return {
    elapsedMs: stretch.elapsedMs + more.elapsedMs,
    old: sum(stretch.old, more.old),
    new: sum(stretch.new, more.new),
  };
}

function sum(one: Tally, other: Tally): Tally {
  return { judged: one.judged + other.judged, bad: one.bad + other.bad };
}
