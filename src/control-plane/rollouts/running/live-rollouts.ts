// The rollouts that this process knows: those that are not over, as they are now, and those that are kept
// in the store. Gives ids, and lets callers wait for the next transition. What becomes of one is not
// decided here, nor when.

import { ROLLOUT_SAVE_MS, ROLLOUT_WAITERS_MAX, ROLLOUTS_KEPT } from '../../base/control-limits.ts';
import type { Log } from '../../base/log.ts';
import { OperatorError } from '../../base/problems.ts';
import type { Store } from '../../store/store.ts';
import type { Rollout } from '../machine/rollout-record.ts';
import { parseRollout, storedOf } from './stored-rollout.ts';

interface LiveRolloutsParts {
  readonly store: Pick<Store, 'state' | 'rollouts'>;
  readonly log: Log;
}

export class LiveRollouts {
  readonly #parts: LiveRolloutsParts;
  readonly #live = new Map<string, Rollout>();
  readonly #waiters = new Set<() => void>();
  /** When the observed time of each was stored last, by the clock of the looks. */
  readonly #savedAtMs = new Map<string, number>();
  /** Of the last id that was given. */
  #lastNumber = 0;

  constructor(parts: LiveRolloutsParts) {
    this.#parts = parts;
    for (const stored of parts.store.state.rollouts.values()) {
      const rollout = parseRollout(stored.state);
      if (rollout !== undefined) this.#live.set(stored.id, rollout);
      else
        parts.log.error(
          { rollout: stored.id },
          `the rollout ${stored.id} cannot be read by this version: its services stay as they are until a switch with force`,
        );
    }
  }

  /** Returns those that are not over. */
  all(): Rollout[] {
    return [...this.#live.values()];
  }

  /** Returns a rollout, also one that is over; throws `rollout-unknown`. */
  find(id: string): Rollout {
    const live = this.#live.get(id);
    if (live !== undefined) return live;
    const stored = this.#parts.store.rollouts.find(id);
    const found = stored && parseRollout(stored.state);
    if (found !== undefined) return found;
    throw new OperatorError('rollout-unknown', `no rollout ${id} is kept`);
  }

  /** Resolves when a rollout has another number of transitions than `known`, or `signal` is aborted. */
  async waitFor(id: string, known: number, signal: AbortSignal): Promise<void> {
    if (this.#waiters.size >= ROLLOUT_WAITERS_MAX) {
      throw new OperatorError(
        'busy',
        `${ROLLOUT_WAITERS_MAX} callers wait already; ask without a wait`,
      );
    }
    while (!signal.aborted && this.find(id).transitions === known) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiters.add(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      this.#waiters.delete(resolve);
    }
  }

  /** Returns an id that no other rollout has, nor gets while this one is not stored yet. */
  nextId(): string {
    const { store } = this.#parts;
    // Those that began at once may be stored in another order.
    const query = { service: undefined, isOver: undefined, limit: ROLLOUTS_KEPT };
    const numbers = store.rollouts.latest(query).map(({ id }) => Number(id.slice(2)));
    this.#lastNumber = Math.max(this.#lastNumber, ...numbers) + 1;
    return `r-${this.#lastNumber}`;
  }

  /** Takes what a rollout is after a transition: one that is over is known to the store alone. */
  set(rollout: Rollout): void {
    const { id, end } = rollout;
    if (end === undefined) this.#live.set(id, rollout);
    else {
      this.#live.delete(id);
      this.#savedAtMs.delete(id);
    }
    for (const resolve of this.#waiters) resolve();
  }

  /** Takes what a look has found out, which is no transition. */
  observed(rollout: Rollout): void {
    this.#live.set(rollout.id, rollout);
  }

  /** Whether the observed time of a rollout has not been stored for long. */
  isSaveDue(id: string, nowMs: number): boolean {
    return nowMs - (this.#savedAtMs.get(id) ?? 0) >= ROLLOUT_SAVE_MS;
  }

  /** Stores what was observed so far. */
  async settle(nowMs: number): Promise<void> {
    for (const rollout of this.#live.values()) {
      try {
        await this.save(rollout, nowMs);
      } catch (error) {
        this.#parts.log.warn(
          { err: error },
          `what the rollout ${rollout.id} has observed was not stored`,
        );
      }
    }
  }

  /** Stores what was observed of a rollout; that may be lost. */
  async save(rollout: Rollout, nowMs: number): Promise<void> {
    this.#savedAtMs.set(rollout.id, nowMs);
    await this.#parts.store.rollouts.save(storedOf(rollout), { events: [], mayBeLost: true });
  }
}
