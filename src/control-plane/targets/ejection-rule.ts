// Pure: when an endpoint counts as broken by the requests that it fails, and for how long it is left out.
// Compares it with its siblings, the other endpoints of its deployment: where these fail too, it is the
// app that is sick, and leaving endpoints out would only make that worse. Knows no counters and no clock.

import type { EjectionConfig } from '../../config/config.ts';
import { EJECTION_CHANCE_MAX, EJECTION_MEMORY } from '../base/control-limits.ts';

/** Requests that ended at an endpoint. */
export interface Outcomes {
  readonly failed: number;
  readonly answered: number;
}

export const NO_OUTCOMES: Outcomes = { failed: 0, answered: 0 };

/** Returns the last outcomes of an endpoint, after `news`: about as many as EJECTION_MEMORY, the latest. */
export function remember(recent: Outcomes, news: Outcomes): Outcomes {
  const count = news.failed + news.answered;
  const kept = Math.max(0, 1 - count / EJECTION_MEMORY);
  const taken = Math.min(1, EJECTION_MEMORY / count);
  return {
    failed: recent.failed * kept + (count === 0 ? 0 : news.failed * taken),
    answered: recent.answered * kept + (count === 0 ? 0 : news.answered * taken),
  };
}

/**
 * Tells whether an endpoint that has failed its last `run` requests, all of them, is worse than its siblings.
 * It is not if these fail half of theirs, and not if the run can be chance: what share of their requests they
 * fail says how likely that is.
 */
export function isOutlier(run: number, siblings: readonly Outcomes[]): boolean {
  let failed = 0;
  let answered = 0;
  for (const one of siblings) {
    failed += one.failed;
    answered += one.answered;
  }
  // Nothing known of them is a share of one half (Krichevsky–Trofimov).
  const share = (failed + 0.5) / (failed + answered + 1);
  return share < 0.5 && share ** run <= EJECTION_CHANCE_MAX;
}

/** When an endpoint was last left out. */
export interface Before {
  /** How many times in a row. */
  readonly times: number;
  /** From its return to the last request that it answered; 0 or less: it has answered none since. */
  readonly servedMs: number;
}

/** Returns how many times in a row it is left out now: each `time` that it served well takes one back. */
export function timesNow({ times, servedMs }: Before, { timeMs }: EjectionConfig): number {
  const forgiven = Math.max(0, Math.floor(servedMs / timeMs));
  return Math.max(0, times - forgiven) + 1;
}

/** Returns for how long an endpoint is left out that is so for the `times`th time in a row. */
export function ejectionMs(times: number, { timeMs, timeMaxMs }: EjectionConfig): number {
  return Math.max(timeMs, Math.min(timeMs * times, timeMaxMs));
}
