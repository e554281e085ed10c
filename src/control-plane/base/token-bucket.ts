// Token buckets: each owner may use so many at once, and then one more from time to time. Bounded:
// the bucket that was not used for longest is forgotten first. Knows no clock.

export interface BucketLimits {
  /** So many at once, from a full bucket. */
  readonly most: number;
  /** After this long there is one more. */
  readonly everyMs: number;
  /** Buckets that are kept at once. */
  readonly bucketsMax: number;
}

interface Bucket {
  /** Whole and parts, at `atMs`. */
  readonly left: number;
  readonly atMs: number;
}

export class TokenBuckets {
  readonly #limits: BucketLimits;
  /** Those that are not full, the last one used last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: BucketLimits) {
    this.#limits = limits;
  }

  /** Returns how long `owner` has to wait until one is left, in ms; 0: not at all. */
  waitMs(owner: string, nowMs: number): number {
    const left = this.#left(owner, nowMs);
    return left >= 1 ? 0 : Math.ceil((1 - left) * this.#limits.everyMs);
  }

  /** Takes one from `owner`; false: there is none. */
  take(owner: string, nowMs: number): boolean {
    const left = this.#left(owner, nowMs);
    if (left < 1) return false;
    this.#buckets.delete(owner);
    if (this.#buckets.size >= this.#limits.bucketsMax) {
      const [oldest] = this.#buckets.keys();
      this.#buckets.delete(oldest!);
    }
    this.#buckets.set(owner, { left: left - 1, atMs: nowMs });
    return true;
  }

  #left(owner: string, nowMs: number): number {
    const { most, everyMs } = this.#limits;
    const { left, atMs } = this.#buckets.get(owner) ?? { left: most, atMs: nowMs };
    // A clock that was set back brings nothing.
    return Math.min(most, left + Math.max(0, nowMs - atMs) / everyMs);
  }
}
