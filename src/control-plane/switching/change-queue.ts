// One change at a time, in the order they came; how many may wait is bounded.

import { OperatorError } from '../base/problems.ts';

/** Runs tasks one after the other. */
export class ChangeQueue {
  readonly #waitersMax: number;
  #last: Promise<unknown> = Promise.resolve();
  #count = 0;

  constructor({ waitersMax }: { readonly waitersMax: number }) {
    this.#waitersMax = waitersMax;
  }

  /** Runs `task` when all earlier ones have ended; refuses with `busy` when too many wait. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#count > this.#waitersMax) {
      throw new OperatorError(
        'busy',
        `${this.#waitersMax} changes wait already; try again shortly`,
      );
    }
    this.#count++;
    const mine = this.#last.then(task);
    // The next one waits for the end of this one, not for its success.
    this.#last = mine.catch(() => {});
    try {
      return await mine;
    } finally {
      this.#count--;
    }
  }

  /** Resolves when every task that was taken has ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
