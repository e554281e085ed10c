// Waits for conditions that become true by what threads report. Each look costs a call, and a wait
// has a limit, so no answer of a thread can keep a change waiting for ever.

interface Waiter {
  readonly isDone: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Conditions {
  readonly #waiters = new Set<Waiter>();

  /** Resolves when `isDone` says so at a look; rejects with `late` after `withinMs`. */
  async until(isDone: () => boolean, withinMs: number, late: () => Error): Promise<void> {
    if (isDone()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { isDone, resolve, reject };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => reject(late()), withinMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }

  /** Something has changed. */
  look(): void {
    for (const waiter of this.#waiters) if (waiter.isDone()) waiter.resolve();
  }

  /** Ends every wait with `error`. */
  fail(error: Error): void {
    for (const waiter of this.#waiters) waiter.reject(error);
  }
}
