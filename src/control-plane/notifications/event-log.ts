// What has happened, as it is stored: rows in order, each with a number, and how far each receiver has got.
// Says what is needed of the store; which store it is, others know.

/** One thing that has happened, before it has its number. */
export interface EventDraft {
  /** Such as `rollout.done` or `switch`. */
  readonly kind: string;
  /** Empty: it is about the whole process. */
  readonly service: string;
  /** Id of the rollout that it belongs to; empty: none. */
  readonly rollout: string;
  /** In ms since the epoch. */
  readonly atMs: number;
  /** The facts, as JSON; never a secret. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface EventRow extends EventDraft {
  /** Grows by one with each row, also over restarts. */
  readonly seq: number;
}

export interface EventLog {
  /** Number of the last row; 0: there is none. */
  readonly last: number;
  /** Returns the first `limit` rows behind `seq`, in order. The oldest are not kept for ever. */
  after(seq: number, limit: number): readonly EventRow[];
  /** Writes rows down; resolves when they would survive the end of the process. */
  add(drafts: readonly EventDraft[]): Promise<void>;
  /** Returns the last row that `sink` has done with; undefined: the sink is new. */
  delivered(sink: string): number | undefined;
  /** May be lost, which repeats a delivery. */
  setDelivered(sink: string, seq: number): Promise<void>;
}
