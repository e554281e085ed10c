// An event log in memory, with the promises of the stored one: numbers that grow by one, a bounded tail, and
// the positions of those that read it. What is in it outlives the parts of a test that are made anew.

import type {
  EventDraft,
  EventStore,
  StoredEvent,
} from '../../src/control-plane/store/rollout-store.ts';

export class EventMemory implements EventStore {
  readonly #keptMax: number;
  readonly positions = new Map<string, number>();
  #rows: StoredEvent[] = [];
  #last = 0;

  constructor(keptMax = 10_000) {
    this.#keptMax = keptMax;
  }

  last(): number {
    return this.#last;
  }

  ofRollout(rollout: string, limit: number): StoredEvent[] {
    return this.#rows.filter((row) => row.rollout === rollout).slice(-limit);
  }

  after(seq: number, limit: number): StoredEvent[] {
    return this.#rows.filter((row) => row.seq > seq).slice(0, limit);
  }

  async add(drafts: readonly EventDraft[]): Promise<void> {
    for (const draft of drafts) this.#rows.push({ ...draft, seq: ++this.#last });
    this.#rows = this.#rows.slice(-this.#keptMax);
  }

  delivered(sink: string): number | undefined {
    return this.positions.get(sink);
  }

  async setDelivered(sink: string, seq: number): Promise<void> {
    this.positions.set(sink, seq);
  }
}

/** Returns `count` events of `service`, that name their place in the row. */
export function drafts(count: number, more: Partial<EventDraft> = {}): EventDraft[] {
  return Array.from({ length: count }, (_, index) => ({
    kind: 'switch',
    service: 'shop',
    rollout: '',
    atMs: Date.now(),
    data: { index },
    ...more,
  }));
}
