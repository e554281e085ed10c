// How many requests of one service may be sent again because of the status of their response, in one
// worker: a share of those that come, so that in an outage the targets get little more than without.
// A bucket that each request fills a little, and each second try empties by one.

import { RETRY_BURST } from '../../../base/limits.ts';
import type { RetryPolicy } from '../../../contract/service-policy.ts';

/** In the bucket, a second try is this many; whole numbers cost no memory. */
const ONE_TRY = 100;
const FULL = RETRY_BURST * ONE_TRY;

export class RetryBudget {
  readonly #isOn: boolean;
  /** What each request brings, of ONE_TRY: so a percentage. */
  readonly #percent: number;
  #left = FULL;

  constructor({ isOn, budgetPercent }: RetryPolicy) {
    this.#isOn = isOn;
    this.#percent = budgetPercent;
  }

  /** A request is sent for the first time. */
  requestBegan(): void {
    if (this.#left < FULL) this.#left = Math.min(FULL, this.#left + this.#percent);
  }

  /** Takes the right to send one again; false: there is none. */
  take(): boolean {
    if (!this.#isOn || this.#left < ONE_TRY) return false;
    this.#left -= ONE_TRY;
    return true;
  }
}
