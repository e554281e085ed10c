// Time that passes when the test says so.

import type { Timers } from '../../../../src/control-plane/base/timers.ts';

interface Pending {
  readonly atMs: number;
  readonly run: () => void;
}

export class ManualTimers implements Timers {
  #nowMs = 0;
  readonly #pending = new Set<Pending>();

  /** How many calls are still to come. */
  get count(): number {
    return this.#pending.size;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    const one: Pending = { atMs: this.#nowMs + ms, run };
    this.#pending.add(one);
    return () => this.#pending.delete(one);
  }

  /** Lets `ms` pass, and whatever follows from it happen. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#pending.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
      await settled();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Pending | undefined {
    let next: Pending | undefined;
    for (const one of this.#pending) {
      if (one.atMs <= endMs && (next === undefined || one.atMs < next.atMs)) next = one;
    }
    return next;
  }
}

/** Resolves when every promise that could go on has done so. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}
