// What durable state keeps of rollouts, and of everything that is told to the outside: events. What
// stands in the state of a rollout is known to rollouts alone; here it is a text.

import type { Notes } from './store.ts';

/** One rollout, as it is after its last transition. */
export interface StoredRollout {
  /** `r-118`: grows with each one. */
  readonly id: string;
  readonly services: readonly string[];
  /** JSON. */
  readonly state: string;
  readonly startedAtMs: number;
  /** Undefined: it is not over. */
  readonly endedAtMs: number | undefined;
}

/** Something that has happened. */
export interface EventDraft {
  /** Such as `rollout.step` or `drain.ended`. */
  readonly kind: string;
  /** Empty: of no single service. */
  readonly service: string;
  /** Empty: of no rollout. */
  readonly rollout: string;
  readonly atMs: number;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface StoredEvent extends EventDraft {
  /** Grows with each event; none is given twice. */
  readonly seq: number;
}

/** What is written together with a rollout. */
interface RolloutWrite {
  readonly events: readonly EventDraft[];
  readonly notes?: Notes | undefined;
  /** A power cut may take it, the end of the process does not; it costs no wait for the disk. */
  readonly mayBeLost?: boolean;
}

export interface RolloutStore {
  /** Writes what belongs to no change of the table; what does goes with `Store.commit`. */
  save(rollout: StoredRollout, write: RolloutWrite): Promise<void>;
  find(id: string): StoredRollout | undefined;
  /** Returns the latest first. */
  latest(query: RolloutQuery): StoredRollout[];
}

export interface RolloutQuery {
  readonly service: string | undefined;
  readonly isOver: boolean | undefined;
  readonly limit: number;
}

/** What is added to the series of one rollout. */
export interface PointsDraft {
  readonly rollout: string;
  /** JSON, in the order in which they were measured. */
  readonly points: readonly string[];
  /** They take the place of all that were there. */
  readonly isWhole: boolean;
  /** The rollout has ended: the series of older ones may be dropped. */
  readonly isOver: boolean;
}

/** What was measured while rollouts had traffic. */
export interface PointStore {
  /** Writes all of them at once; may be lost with the power. */
  add(drafts: readonly PointsDraft[]): Promise<void>;
  /** Returns the points of one rollout, the oldest first. */
  of(rollout: string): string[];
}

export interface EventStore {
  /** Writes events that go with no change; may be lost with the power. */
  add(events: readonly EventDraft[]): Promise<void>;
  /** Returns the first `limit` events behind `seq`, in order. */
  after(seq: number, limit: number): StoredEvent[];
  /** Returns the last `limit` events of one rollout, in order. */
  ofRollout(rollout: string, limit: number): StoredEvent[];
  /** Number of the last event; 0: there was none. */
  last(): number;
  /** Returns the number up to which `sink` has been told; undefined: it was told nothing yet. */
  delivered(sink: string): number | undefined;
  /** May be lost with the power: what was delivered then is delivered again. */
  setDelivered(sink: string, seq: number): Promise<void>;
}
