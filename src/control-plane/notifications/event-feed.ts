// Hands each row of the event log once, in order, to all who listen in this process. Looks when it is told
// that there may be new rows, and once a second. Decides nothing about them.

import { EVENT_LOOK_EVERY_MS, EVENTS_AT_ONCE } from '../base/control-limits.ts';
import type { EventStore, StoredEvent } from '../store/rollout-store.ts';

export type OnEvents = (rows: readonly StoredEvent[]) => void;

export class EventFeed {
  readonly #log: Pick<EventStore, 'last' | 'after'>;
  readonly #listeners = new Set<OnEvents>();
  #seen: number;
  #timer: NodeJS.Timeout | undefined;

  /** Rows that are there already are not handed out. */
  constructor(log: Pick<EventStore, 'last' | 'after'>) {
    this.#log = log;
    this.#seen = log.last();
  }

  /** Number of the last row that was handed out. */
  get seen(): number {
    return this.#seen;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), EVENT_LOOK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  listen(listener: OnEvents): void {
    this.#listeners.add(listener);
  }

  /** There may be new rows. */
  look(): void {
    while (this.#seen < this.#log.last()) {
      const rows = this.#log.after(this.#seen, EVENTS_AT_ONCE);
      // Rows that are gone already were never seen; who counts them finds the gap in the numbers.
      this.#seen = rows.at(-1)?.seq ?? this.#log.last();
      for (const listener of this.#listeners) listener(rows);
    }
  }
}
