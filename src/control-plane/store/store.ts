// What the control plane asks of durable state. A store that is far away (a shared one for fleets) has
// to keep the same promises: what is known is read from memory, and what is written may take its time.
// Which store it is, only those know that open one: daemon.ts and offline-tokens.ts.

import type { Color } from '../../contract/table.ts';
import type { AuditDraft, AuditRow, Ends } from './audit-chain.ts';
import type { TrimBounds } from './audit-trim.ts';
import type { Role } from '../../api/roles.ts';
import type {
  EventDraft,
  EventStore,
  PointStore,
  RolloutStore,
  StoredRollout,
} from './rollout-store.ts';
import type { ScheduleStore } from './schedule-store.ts';
import type { ServiceState, SwitchOutcome } from './service-state.ts';

/** All switching of the process is stopped, because an operator wants it so. */
export interface Freeze {
  readonly reason: string;
  readonly actor: string;
  readonly atMs: number;
}

/** What is known of everything that was decided. */
export interface StoredState {
  /** Of the last decision; 0 when there was none. */
  readonly epoch: number;
  /** Number of the deployment that is registered next; none is given twice. */
  readonly nextDeployment: number;
  readonly services: ReadonlyMap<string, ServiceState>;
  /** Undefined: switching is allowed. */
  readonly freeze: Freeze | undefined;
  /** Those that are not over, by id. */
  readonly rollouts: ReadonlyMap<string, StoredRollout>;
}

/** One change of what is stored, and of the routing table with it. */
export interface StoredChange extends Pick<StoredState, 'epoch' | 'nextDeployment'> {
  /** What has changed. */
  readonly services: readonly ServiceState[];
  /** One for each service in which another deployment became active. */
  readonly records: readonly SwitchRecord[];
  /** Stands or falls with the change. */
  readonly notes?: Notes | undefined;
  /** Rollouts that the change is a transition of. */
  readonly rollouts?: readonly StoredRollout[] | undefined;
  /** What is told of it once it is in force. */
  readonly events?: readonly EventDraft[] | undefined;
}

/** What is written down about a call. */
export interface Notes {
  /** Undefined where the call has no entry of its own. */
  readonly audit: AuditDraft | undefined;
  /** Undefined where the call had no key. */
  readonly answer: StoredAnswer | undefined;
}

/** With an entry of its own. */
export interface CallNotes extends Notes {
  readonly audit: AuditDraft;
}

/** The answer to a call with an `Idempotency-Key`. */
export interface StoredAnswer {
  readonly key: string;
  readonly digest: string;
  /** Whose call it was. Where too many are stored, those of the actor that has most go first. */
  readonly actor: string;
  readonly atMs: number;
  readonly status: number;
  /** Epoch that the answer speaks of. */
  readonly generation: number;
  readonly body: string;
}

export interface StoredToken {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Good for these services only; empty: for all, and for the process. */
  readonly services: readonly string[];
  /** Where targets may lead that are registered with it; empty: anywhere. */
  readonly targets: readonly string[];
  /** What secret-hash.ts made of the secret. */
  readonly hash: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | undefined;
  readonly revokedAtMs: number | undefined;
  readonly lastUsedAtMs: number | undefined;
}

/** One time that another deployment became active, as it is remembered. */
export interface SwitchRecord {
  readonly epoch: number;
  readonly service: string;
  /** The same as `to` where a deployment took the place of another one on its color. */
  readonly from: Color;
  readonly to: Color;
  readonly release: string;
  /** What is active since then, and what was before; 0: not known, or nothing. */
  readonly deployment: number;
  readonly left: number;
  readonly atMs: number;
  readonly outcome: SwitchOutcome;
  readonly forced: boolean;
  readonly reason: string;
  /** Whose request it was: see `AuditDraft`. */
  readonly actor: string;
}

export interface HistoryEntry extends SwitchRecord {
  /** From the request to the publication; unknown when the process died in between. */
  readonly tookMs: number | undefined;
}

/** Nothing of what was to be written was written; the message says why. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}

/** What a change was decided on, and how to ask for it again. */
export interface CommitTerms {
  /** The same for no other change. */
  readonly id: string;
  /** Epoch that the change was decided on: it counts only where no other decision was first. */
  readonly expected: number;
}

/** What became of a change. */
export type CommitOutcome =
  | { readonly kind: 'committed' }
  /** Another decision was first, which began `epoch`; nothing of the change was written. */
  | { readonly kind: 'lost'; readonly epoch: number }
  /** It may have been written, or may be yet: `outcomeOf` is to be asked. */
  | { readonly kind: 'unknown' };

/**
 * Durable state. When the promise of a write has resolved, what was written survives the end of the
 * process at any instruction. When it rejects, with a StoreError, nothing of it was written.
 */
export interface Store {
  /** What an operator must know about this state; undefined when all is well. */
  readonly warning: string | undefined;
  /** Why nothing can be written now, and what to do; undefined: it can, as far as is known. */
  readonly fault: string | undefined;
  /** What was committed last: in memory, never changed, replaced as a whole. */
  readonly state: StoredState;
  /** Records a change, before the table that it leads to is published. */
  commit(change: StoredChange, terms: CommitTerms): Promise<CommitOutcome>;
  /** Says what became of the change with this `id`, where its commit did not. */
  outcomeOf(id: string): Promise<CommitOutcome>;
  /** Begins a freeze, or ends it (undefined). */
  setFreeze(freeze: Freeze | undefined, notes: Notes): Promise<void>;
  /** Adds how long a committed switch took; may be lost. */
  recordTook(epoch: number, tookMs: number): Promise<void>;
  /** Returns the latest first. */
  history(query: { readonly service: string | undefined; readonly limit: number }): HistoryEntry[];
  /**
   * Writes what belongs to no change of the table. `mayBeLost`: a power cut may take it, the end
   * of the process does not; it costs no wait for the disk.
   */
  note(notes: Notes, options: { readonly mayBeLost: boolean }): Promise<void>;
  readonly audit: AuditReader;
  readonly answers: AnswerStore;
  readonly tokens: TokenStore;
  readonly rollouts: RolloutStore;
  readonly points: PointStore;
  readonly events: EventStore;
  readonly schedules: ScheduleStore;
  close(): Promise<void>;
}

export interface AuditReader {
  /** Returns the latest first. `services`: of these alone; `before`: with a smaller number. */
  latest(query: AuditQuery): AuditRow[];
  /** Returns the first `limit` entries behind `seq`, in order. */
  after(seq: number, limit: number): AuditRow[];
  ends(): Ends;
  /** When entries are trimmed. */
  readonly bounds: TrimBounds;
}

export interface AuditQuery {
  readonly services: readonly string[] | undefined;
  readonly before: number | undefined;
  readonly limit: number;
}

export interface AnswerStore {
  /** Returns what is stored under `key`, unless it is older than `sinceMs`. */
  find(key: string, sinceMs: number): StoredAnswer | undefined;
  /** Replaces the body of a stored answer; may be lost. */
  complete(key: string, body: string): Promise<void>;
}

export interface TokenStore {
  all(): StoredToken[];
  add(token: StoredToken, notes: Notes): Promise<void>;
  revoke(id: string, atMs: number, notes: Notes): Promise<void>;
  /** Notes when a token was used last; may be lost. */
  touch(id: string, atMs: number): Promise<void>;
}
