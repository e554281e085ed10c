// Made-up rollouts for the guard: two releases, requests that arrive by chance, errors, bursts and slow
// requests, second by second. Seeded, so each run can be repeated.

import { DURATION_EDGES_MS } from '../../src/contract/counters.ts';
import { BASELINE_WINDOWS } from '../../src/control-plane/base/control-limits.ts';
import { Baseline, type FrozenBaseline } from '../../src/control-plane/guard/baseline.ts';
import type {
  Counts,
  GuardSettings,
  Look,
  Segment,
  Verdict,
} from '../../src/control-plane/guard/guard-types.ts';
import { beginSegment, lookAt, newGuard, verdictOf } from '../../src/control-plane/guard/guard.ts';
import { plan, SETTINGS } from './guard-looks.ts';
import { Random } from './random.ts';

/** How long requests take: most are lognormal with a median of 40 ms, some have a second more. */
export interface Pace {
  /** Times the median. */
  readonly slower: number;
  /** Part of the requests that take a second more. */
  readonly late: number;
}

/** A time in which a part of the requests goes wrong. Lengths are geometric. */
export interface Bursts {
  readonly on: 'new' | 'both';
  readonly perHour: number;
  readonly meanS: number;
  readonly bad: number;
  readonly pace: Pace;
}

export interface Scenario {
  readonly mode: 'before/after' | 'side by side';
  /** Of both releases together. */
  readonly rps: number;
  /** Of the new release, in a step. */
  readonly share: number;
  readonly base: number;
  /** Rate of the new release from `fromS` on. */
  readonly fresh: number;
  readonly fromS: number;
  /** Of the new release, from `fromS` to `untilS`; the old one has that of `NORMAL_PACE`. */
  readonly pace: Pace;
  readonly untilS: number;
  readonly bursts: Bursts | undefined;
  readonly seconds: number;
  /** Of a rollout side by side: so many of one length, whose shares grow evenly up to all. */
  readonly steps: number;
  readonly isExtended: boolean;
  /** Part of the traffic that still drains on the old release in the bake. */
  readonly draining: number;
  readonly settings: GuardSettings;
}

export const NORMAL_PACE: Pace = { slower: 1, late: 0 };

export const SCENARIO: Scenario = {
  mode: 'before/after',
  rps: 100,
  share: 0.5,
  base: 0.001,
  fresh: 0.001,
  fromS: 0,
  pace: NORMAL_PACE,
  untilS: Infinity,
  bursts: undefined,
  seconds: 300,
  steps: 1,
  isExtended: false,
  draining: 0,
  settings: SETTINGS,
};

export interface Outcome {
  readonly verdict: Verdict | undefined;
  /** Looks until then. */
  readonly afterS: number;
}

/** Runs one rollout until it fails or its time is over, which an extension doubles. */
export function simulate(scenario: Scenario, seed: number): Outcome {
  const random = new Random(seed);
  const { mode, seconds, steps, settings } = scenario;
  const lastsMs = (seconds * 1_000) / steps;
  const isBake = mode === 'before/after';
  const segment: Segment = isBake
    ? { kind: 'bake', lastsMs, baseline: undefined }
    : { kind: 'step', lastsMs };
  const baseline = baselineOf(scenario, random);
  const times = isBake
    ? { shiftMs: undefined, bakeMs: lastsMs }
    : { shiftMs: seconds * 1_000, bakeMs: undefined };
  let state = newGuard(plan({ settings, baseline, ...times }), segment);
  const world = new World(scenario, random);
  const looks = scenario.isExtended ? 2 * seconds : seconds;
  for (let second = 1; second <= looks; second++) {
    if (steps > 1 && (second - 1) % (seconds / steps) === 0) state = beginSegment(state, segment);
    state = lookAt(state, world.next());
    const verdict = verdictOf(state);
    if (verdict?.kind === 'fail') return { verdict, afterS: second };
  }
  return { verdict: verdictOf(state), afterS: looks };
}

/** Looks of a judge that goes back once fewer than `GOOD_MIN` of a minute were good, `CHECKS_FAILED` times. */
const WINDOW_S = 60;
const CHECK_EVERY_S = 10;
const GOOD_MIN = 0.99;
const CHECKS_FAILED = 2;

/** Tells whether a rule of a threshold, as others have it, would roll back the new release. */
export function thresholdRollsBack(scenario: Scenario, seed: number): boolean {
  const world = new World(scenario, new Random(seed));
  const seen: Counts[] = [];
  let failed = 0;
  for (let second = 1; second <= scenario.seconds; second++) {
    seen.push(world.next().new.all);
    if (second % CHECK_EVERY_S !== 0) continue;
    const last = seen.slice(-WINDOW_S);
    const judged = last.reduce((sum, counts) => sum + counts.judged, 0);
    const bad = last.reduce((sum, counts) => sum + counts.bad, 0);
    if (judged > 0 && bad / judged > 1 - GOOD_MIN) failed += 1;
    if (failed === CHECKS_FAILED) return true;
  }
  return false;
}

class World {
  readonly #scenario: Scenario;
  readonly #random: Random;
  #second = 0;
  #burstLeft = false;

  constructor(scenario: Scenario, random: Random) {
    this.#scenario = scenario;
    this.#random = random;
  }

  next(): Look {
    const { mode, rps, base, fresh, draining } = this.#scenario;
    const share = this.#share();
    const isBake = mode === 'before/after';
    const burst = this.#burst();
    const part = isBake ? 1 - draining : share;
    const usual = { bad: base, pace: NORMAL_PACE };
    const changed = this.#isChanged() ? { bad: fresh, pace: this.#scenario.pace } : usual;
    const old = this.#side(rps * (1 - part), burst?.on === 'both' ? burst : usual);
    const now = this.#side(rps * part, burst ?? changed);
    this.#second += 1;
    return {
      elapsedMs: 1_000,
      old: { all: old, split: isBake ? NOTHING : old },
      new: { all: now, split: isBake ? NOTHING : now },
      share: isBake ? 10_000 : Math.round(share * 10_000),
      clients: { seen: 100, bad: 100 },
      isPaused: false,
    };
  }

  #share(): number {
    const { share, steps, seconds } = this.#scenario;
    return steps === 1 ? share : Math.ceil(((this.#second + 1) * steps) / seconds) / steps;
  }

  #isChanged(): boolean {
    const { fromS, untilS } = this.#scenario;
    return this.#second >= fromS && this.#second < untilS;
  }

  #side(rps: number, { bad, pace }: Pick<Bursts, 'bad' | 'pace'>): Counts {
    const good = poisson(rps * (1 - bad), this.#random);
    const failed = poisson(rps * bad, this.#random);
    const { latency } = this.#scenario.settings;
    const durations =
      latency.mode === 'off' ? NO_DURATIONS : durationsOf(rps, { pace, random: this.#random });
    return { judged: good + failed, bad: failed, durations };
  }

  /** Returns the burst that goes on in this second, if there is one. */
  #burst(): Bursts | undefined {
    const { bursts } = this.#scenario;
    if (bursts === undefined) return undefined;
    this.#burstLeft = this.#burstLeft
      ? this.#random.fraction() >= 1 / bursts.meanS
      : this.#random.fraction() < bursts.perHour / 3_600;
    return this.#burstLeft ? bursts : undefined;
  }
}

const MEDIAN_MS = 40;
/** Of the logarithm of a duration. */
const SPREAD = 0.8;
const LATE_MS = 1_000;

function durationsOf(
  rps: number,
  { pace, random }: { readonly pace: Pace; readonly random: Random },
): number[] {
  return partsOf(pace).map((part) => (part < 1e-9 ? 0 : poisson(rps * part, random)));
}

const PARTS = new Map<Pace, readonly number[]>();

/** Returns the part of the requests that falls into each bucket. */
function partsOf(pace: Pace): readonly number[] {
  const known = PARTS.get(pace);
  if (known !== undefined) return known;
  const upTo = DURATION_EDGES_MS.map(
    (edgeMs) =>
      (1 - pace.late) * partBelow(edgeMs, pace) + pace.late * partBelow(edgeMs - LATE_MS, pace),
  );
  const parts = [...upTo, 1].map((part, index) => part - (upTo[index - 1] ?? 0));
  PARTS.set(pace, parts);
  return parts;
}

function partBelow(ms: number, { slower }: Pace): number {
  return ms <= 0 ? 0 : normalPartBelow(Math.log(ms / (MEDIAN_MS * slower)) / SPREAD);
}

/** The normal distribution function, to seven digits (Abramowitz & Stegun 26.2.17). */
function normalPartBelow(x: number): number {
  if (x < 0) return 1 - normalPartBelow(-x);
  const t = 1 / (1 + 0.2316419 * x);
  const sum = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429].reduceRight(
    (total, factor) => (total + factor) * t,
    0,
  );
  return 1 - (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * sum;
}

const NO_DURATIONS = Array.from({ length: DURATION_EDGES_MS.length + 1 }, () => 0);
const NOTHING: Counts = { judged: 0, bad: 0, durations: NO_DURATIONS };

/** All windows of the old release alone, of 10 s each. */
function baselineOf({ rps, base, settings }: Scenario, random: Random): FrozenBaseline | undefined {
  const baseline = new Baseline();
  for (let window = 0; window < BASELINE_WINDOWS; window++) {
    const bad = poisson(10 * rps * base, random);
    const judged = bad + poisson(10 * rps * (1 - base), random);
    const durations =
      settings.latency.mode === 'off'
        ? NO_DURATIONS
        : durationsOf(10 * rps, { pace: NORMAL_PACE, random });
    baseline.add(10_000, { judged, bad, durations });
  }
  return baseline.freeze();
}

/** Means to the sums of their chances, from 0 on. */
const SUMS = new Map<number, Float64Array>();

/** Returns how many of something arrive where `mean` are expected. */
function poisson(mean: number, random: Random): number {
  if (mean <= 0) return 0;
  let sums = SUMS.get(mean);
  if (sums === undefined) {
    sums = sumsOf(mean);
    SUMS.set(mean, sums);
  }
  const drawn = random.fraction();
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sums[middle]! > drawn) high = middle;
    else low = middle + 1;
  }
  return low;
}

function sumsOf(mean: number): Float64Array {
  const sums = new Float64Array(Math.ceil(mean + 12 * Math.sqrt(mean) + 20));
  let log = -mean;
  let sum = 0;
  for (const index of sums.keys()) {
    if (index > 0) log += Math.log(mean / index);
    sum += Math.exp(log);
    sums[index] = sum;
  }
  return sums;
}
