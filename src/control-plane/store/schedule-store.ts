// What durable state keeps of switches that were ordered for later. What stands in the order is known
// to schedule/ alone; here it is a text.

import type { EventDraft } from './rollout-store.ts';
import type { Notes } from './store.ts';

/** An order, as it is now. */
export interface StoredOrder {
  /** `s-12`: grows with each one. */
  readonly id: string;
  /** JSON. */
  readonly state: string;
  /** When it is due, in ms since the epoch. */
  readonly atMs: number;
  /** Undefined: it is still to be carried out. */
  readonly endedAtMs: number | undefined;
}

/** What is stored with an order, in the same transaction. */
export interface OrderNotes extends Notes {
  readonly events?: readonly EventDraft[];
}

export interface ScheduleStore {
  /** Writes a new order; `noted` gives what is stored with it. Returns its id. */
  add(
    order: Omit<StoredOrder, 'id' | 'endedAtMs'>,
    noted: (id: string) => OrderNotes,
  ): Promise<string>;
  /** Writes how an order is now. */
  save(order: StoredOrder, notes: OrderNotes): Promise<void>;
  /** Returns those that are still to be carried out, what is due first comes first. */
  pending(): StoredOrder[];
  /** Returns the latest of those that are over, the latest first. */
  over(limit: number): StoredOrder[];
  find(id: string): StoredOrder | undefined;
}
