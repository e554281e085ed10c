// How many lines at level debug are written: enough to see what goes on, and not so many that writing
// them becomes most of the work. Each kind of line has a share of its own.

import { TokenBuckets } from './token-bucket.ts';

/** Of each kind at once; then so many a second. */
const LINES_AT_ONCE = 50;
const LINES_PER_SECOND = 20;
/** Kinds there are; a test counts them in the code. */
const KINDS_MAX = 16;

export class DebugBound {
  readonly #buckets = new TokenBuckets({
    most: LINES_AT_ONCE,
    everyMs: 1_000 / LINES_PER_SECOND,
    bucketsMax: KINDS_MAX,
  });
  readonly #leftOut = new Map<string, number>();

  /** Returns how many lines of `kind` were left out before this one; undefined: this one is, too. */
  take(kind: string, nowMs: number): number | undefined {
    const leftOut = this.#leftOut.get(kind) ?? 0;
    if (!this.#buckets.take(kind, nowMs)) {
      this.#leftOut.set(kind, leftOut + 1);
      return undefined;
    }
    this.#leftOut.delete(kind);
    return leftOut;
  }
}
