// How likely it is that a release answers otherwise than the one before: a bet against it, which fails it,
// and the mirrored bet for it, which lets it pass. Both may be looked at as often as one likes. Pure.

import { betValue, grownWealth, newBet, nextBet, type Bet } from '../guard/bet.ts';
import { FLOOR_ODDS, floorRatios, PASS_PARTS, passRatios } from '../guard/likelihood.ts';

/** Of 1,000 releases that differ no more than tolerated, one fails at the most. */
const FAIL_EVIDENCE = 1_000;
/** Of 20 releases that differ twice as much as tolerated, one passes at the most. */
const PASS_EVIDENCE = 20;
/** One look multiplies the evidence by this at the most: a burst of a second is one event. */
const CAP = 2;
/** The passing bet has to have something to be bad. */
const BAD_SHARE_MAX = 0.99;

export interface ShadowEvidence {
  readonly against: Bet;
  /** Wealth of the bet for it, one for each alternative. */
  readonly inFavor: readonly number[];
  readonly judged: number;
  readonly bad: number;
}

/** `looks`: how many there will be at the most. */
export function newEvidence(looks: number): ShadowEvidence {
  return {
    against: newBet(FLOOR_ODDS.length, looks),
    inFavor: PASS_PARTS.map(() => 1 / PASS_PARTS.length),
    judged: 0,
    bad: 0,
  };
}

/** Returns the evidence after one more look. `mismatch`: share of differences that is tolerated. */
export function withLook(
  evidence: ShadowEvidence,
  mismatch: number,
  seen: { readonly judged: number; readonly bad: number },
): ShadowEvidence {
  const badShare = Math.min(2 * mismatch, BAD_SHARE_MAX);
  const logRatios = floorRatios(mismatch, seen);
  return {
    against: nextBet(evidence.against, { logRatios, cap: CAP, isPaused: false }),
    inFavor: grownWealth(evidence.inFavor, passRatios(badShare, seen), Infinity),
    judged: evidence.judged + seen.judged,
    bad: evidence.bad + seen.bad,
  };
}

export function evidenceAgainst({ against }: ShadowEvidence): number {
  return betValue(against);
}

/** `minimum`: fewer comparisons never pass. */
export function verdictOf(evidence: ShadowEvidence, minimum: number): 'ok' | 'fail' | 'later' {
  if (evidenceAgainst(evidence) >= FAIL_EVIDENCE) return 'fail';
  const isEnough = evidence.judged >= minimum;
  return isEnough && betValue({ wealth: evidence.inFavor }) >= PASS_EVIDENCE ? 'ok' : 'later';
}
