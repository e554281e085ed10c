// How much likelier the bad requests of one tick are if a release is worse than tolerated than if it is
// just as bad as tolerated: log-likelihood ratios, one for each alternative. For a release that is no
// worse than tolerated, the mean of each ratio is at most 1. Pure; knows neither stakes nor time.

/** Times the odds of what is tolerated: from barely worse to failing everything. */
export const FLOOR_ODDS: readonly number[] = [2, 4, 10, 40, 400];
/** Times the ratio that is tolerated. */
export const RATIO_STEPS: readonly number[] = [1.5, 2.5, 5, 15, 100];
/** Parts of what a bad release shows, as a rate or as a ratio: what a good one would show. */
export const PASS_PARTS: readonly number[] = [1 / 8, 1 / 3];

/** Of both releases, in the same time. */
export interface Tallies {
  readonly old: Tally;
  readonly new: Tally;
}

/** Where more may go wrong, everything may: there is no worse that could be told from it. */
const TOLERATED_MAX = 0.999;

/** A floor of nothing is as good as this: rates and odds have to be above 0. */
const TOLERATED_MIN = 1e-6;

/** How many of how many went wrong. */
export interface Tally {
  readonly judged: number;
  readonly bad: number;
}

/**
 * Judges one release alone: its rate of bad requests is at most `rate`. Undefined: nothing was
 * judged, or everything is tolerated.
 */
export function floorRatios(rate: number, { judged, bad }: Tally): number[] | undefined {
  const tolerated = Math.max(TOLERATED_MIN, rate);
  if (judged === 0 || tolerated > TOLERATED_MAX) return undefined;
  const odds = tolerated / (1 - tolerated);
  return FLOOR_ODDS.map((times) => {
    const worse = (odds * times) / (1 + odds * times);
    return rateRatio({ from: tolerated, to: worse }, { judged, bad });
  });
}

/**
 * Judges two releases side by side: given that a request went bad, how likely was it one of the new
 * release? Whatever hits both in the same second cancels out. Undefined: nothing went bad, or only one
 * of the two had requests.
 */
export function sideBySideRatios(ratio: number, tallies: Tallies): number[] | undefined {
  return sharesOf({ ratio, steps: RATIO_STEPS }, tallies);
}

/** The mirror: the rate is at least `rate`; a good release would show a part of it. */
export function passRatios(rate: number, tally: Tally): number[] | undefined {
  const badRate = Math.max(TOLERATED_MIN, rate);
  if (tally.judged === 0 || badRate >= 1) return undefined;
  return PASS_PARTS.map((part) => rateRatio({ from: badRate, to: badRate * part }, tally));
}

/** The mirror side by side: the new release has at least `badRatio` times what the old one has. */
export function passSideBySideRatios(badRatio: number, tallies: Tallies): number[] | undefined {
  return sharesOf({ ratio: badRatio, steps: PASS_PARTS }, tallies);
}

interface RatioTest {
  readonly ratio: number;
  /** Each alternative is the ratio times one of these. */
  readonly steps: readonly number[];
}

function sharesOf({ ratio, steps }: RatioTest, { old, new: fresh }: Tallies): number[] | undefined {
  if (old.bad + fresh.bad === 0 || old.judged === 0 || fresh.judged === 0) return undefined;
  // Of the bad requests, those of each release; the parts are never taken from 1, so none becomes 0.
  const partsOf = (times: number): Parts => {
    const sum = fresh.judged * times + old.judged;
    return { fresh: (fresh.judged * times) / sum, old: old.judged / sum };
  };
  const from = partsOf(ratio);
  return steps.map((step) => {
    const to = partsOf(ratio * step);
    return fresh.bad * Math.log(to.fresh / from.fresh) + old.bad * Math.log(to.old / from.old);
  });
}

interface Parts {
  readonly fresh: number;
  readonly old: number;
}

interface Rates {
  readonly from: number;
  readonly to: number;
}

/** Log-likelihood ratio of two rates, both above 0 and below 1. */
function rateRatio({ from, to }: Rates, { judged, bad }: Tally): number {
  return bad * Math.log(to / from) + (judged - bad) * Math.log((1 - to) / (1 - from));
}
