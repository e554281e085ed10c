// How much of something bounded each may use: so much at once, and then one more from time to time.
// Bounded itself: who was not seen for longest is forgotten first. Knows no clock.

export interface AllowanceLimits {
  /** That many at once, for whoever has rested. */
  readonly most: number;
  /** After this long there is one more. */
  readonly everyMs: number;
  /** Payers that are known at once. */
  readonly payersMax: number;
}

interface Purse {
  /** Whole and parts, at `atMs`. */
  readonly left: number;
  readonly atMs: number;
}

export class Allowance {
  readonly #limits: AllowanceLimits;
  /** Who has not the most; who has paid last is last. */
  readonly #purses = new Map<string, Purse>();

  constructor(limits: AllowanceLimits) {
    this.#limits = limits;
  }

  /** Returns how long `payer` has to wait until one is left, in ms; 0: not at all. */
  waitMs(payer: string, nowMs: number): number {
    const left = this.#left(payer, nowMs);
    return left >= 1 ? 0 : Math.ceil((1 - left) * this.#limits.everyMs);
  }

  /** Takes one from `payer`; false: there is none. */
  take(payer: string, nowMs: number): boolean {
    const left = this.#left(payer, nowMs);
    if (left < 1) return false;
    this.#purses.delete(payer);
    if (this.#purses.size >= this.#limits.payersMax) {
      const [oldest] = this.#purses.keys();
      this.#purses.delete(oldest!);
    }
    this.#purses.set(payer, { left: left - 1, atMs: nowMs });
    return true;
  }

  #left(payer: string, nowMs: number): number {
    const { most, everyMs } = this.#limits;
    const { left, atMs } = this.#purses.get(payer) ?? { left: most, atMs: nowMs };
    // A clock that was set back brings nothing.
    return Math.min(most, left + Math.max(0, nowMs - atMs) / everyMs);
  }
}
