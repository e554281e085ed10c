// Durable state that is not: what a switchboard stores, for a test to look at. Audit log, answers
// and tokens are the real ones, in a database that lives in memory.

import { DatabaseSync } from 'node:sqlite';
import type {
  EventDraft,
  EventStore,
  PointStore,
  RolloutStore,
  StoredRollout,
} from '../../../../src/control-plane/store/rollout-store.ts';
import type { ServiceState } from '../../../../src/control-plane/store/service-state.ts';
import { SqliteAnswers } from '../../../../src/control-plane/store/sqlite/sqlite-answers.ts';
import { SqliteAudit } from '../../../../src/control-plane/store/sqlite/sqlite-audit.ts';
import { migrate } from '../../../../src/control-plane/store/sqlite/sqlite-schema.ts';
import { SqliteEvents } from '../../../../src/control-plane/store/sqlite/sqlite-events.ts';
import { SqlitePoints } from '../../../../src/control-plane/store/sqlite/sqlite-points.ts';
import { SqliteRollouts } from '../../../../src/control-plane/store/sqlite/sqlite-rollouts.ts';
import { SqliteSchedules } from '../../../../src/control-plane/store/sqlite/sqlite-schedules.ts';
import type { ScheduleStore } from '../../../../src/control-plane/store/schedule-store.ts';
import { SqliteTokens } from '../../../../src/control-plane/store/sqlite/sqlite-tokens.ts';
import type {
  AnswerStore,
  CommitOutcome,
  CommitTerms,
  Freeze,
  HistoryEntry,
  Notes,
  Store,
  StoredChange,
  StoredState,
  StoredToken,
  SwitchRecord,
  TokenStore,
} from '../../../../src/control-plane/store/store.ts';

export class MemoryStore implements Store {
  readonly warning = undefined;
  fault: string | undefined;
  /** The latest first. */
  readonly records: SwitchRecord[] = [];
  state: StoredState = {
    epoch: 0,
    nextDeployment: 1,
    services: new Map(),
    freeze: undefined,
    rollouts: new Map(),
  };
  /** What the next commits and questions say became of a change; then each is committed. */
  readonly outcomes: CommitOutcome[] = [];
  /** Called before anything is written; may throw. */
  onCommit: (change: StoredChange, terms: CommitTerms) => void = () => {};
  /** Called when it is asked what became of a change; may throw. */
  onAsked: (id: string) => void = () => {};
  /** Called before a note is written; may throw. */
  onNote: (notes: Notes) => void = () => {};
  /** Called before points are written; may throw. */
  onPoints: () => void = () => {};
  readonly audit: SqliteAudit;
  readonly answers: AnswerStore;
  readonly #answers: SqliteAnswers;
  #asked: StoredChange | undefined;
  readonly tokens: TokenStore;
  readonly rollouts: RolloutStore;
  readonly points: PointStore;
  readonly events: EventStore;
  readonly schedules: ScheduleStore;
  readonly #rollouts: SqliteRollouts;
  readonly #events: SqliteEvents;
  readonly database = new DatabaseSync(':memory:');

  /** `stored`: what was written to it before. */
  constructor(stored?: Pick<StoredState, 'epoch' | 'nextDeployment' | 'services'>) {
    const { database } = this;
    if (stored !== undefined) this.state = { ...this.state, ...stored };
    migrate(database);
    this.audit = new SqliteAudit(database);
    const tokens = new SqliteTokens(database);
    this.tokens = {
      all: () => tokens.all(),
      add: async (token: StoredToken, notes) => {
        await this.note(notes);
        tokens.add(token);
      },
      revoke: async (id, atMs, notes) => {
        await this.note(notes);
        tokens.revoke(id, atMs);
      },
      touch: async (id, atMs) => tokens.touch(id, atMs),
    };
    const answers = new SqliteAnswers(database);
    this.answers = {
      find: (key, sinceMs) => answers.find(key, sinceMs),
      complete: async (key, body) => answers.complete(key, body),
    };
    this.#answers = answers;
    const rollouts = new SqliteRollouts(database);
    const events = new SqliteEvents(database);
    this.rollouts = {
      save: async (rollout, write) => {
        if (write.notes !== undefined) await this.note(write.notes);
        this.#move([rollout], write.events);
      },
      find: (id) => rollouts.find(id),
      latest: (query) => rollouts.latest(query),
    };
    const points = new SqlitePoints(database);
    this.points = {
      add: async (drafts) => {
        this.onPoints();
        for (const draft of drafts) points.write(draft);
      },
      of: (rollout) => points.of(rollout),
    };
    this.events = {
      add: async (drafts) => this.#move([], drafts),
      after: (seq, limit) => events.after(seq, limit),
      ofRollout: (rollout, limit) => events.ofRollout(rollout, limit),
      last: () => events.last(),
      delivered: (sink) => events.delivered(sink),
      setDelivered: async (sink, seq) => events.setDelivered(sink, seq),
    };
    const schedules = new SqliteSchedules(database);
    this.schedules = {
      add: async (order, noted) => {
        const id = schedules.add(order);
        const { events: told = [], ...notes } = noted(id);
        await this.note(notes);
        this.#move([], told);
        return id;
      },
      save: async (order, { events: told = [], ...notes }) => {
        await this.note(notes);
        schedules.put(order);
        this.#move([], told);
      },
      pending: () => schedules.pending(),
      over: (limit) => schedules.over(limit),
      find: (id) => schedules.find(id),
    };
    this.#rollouts = rollouts;
    this.#events = events;
  }

  get services(): ReadonlyMap<string, ServiceState> {
    return this.state.services;
  }
  get epoch(): number {
    return this.state.epoch;
  }
  get freeze(): Freeze | undefined {
    return this.state.freeze;
  }

  async setFreeze(freeze: Freeze | undefined, notes: Notes): Promise<void> {
    await this.note(notes);
    this.state = { ...this.state, freeze };
  }
  async commit(change: StoredChange, terms: CommitTerms): Promise<CommitOutcome> {
    this.onCommit(change, terms);
    this.#asked = change;
    const { epoch } = this.state;
    if (epoch !== terms.expected) return { kind: 'lost', epoch };
    return this.#outcome();
  }
  async outcomeOf(id: string): Promise<CommitOutcome> {
    this.onAsked(id);
    return this.#outcome();
  }
  async recordTook(): Promise<void> {}
  async note(notes: Notes): Promise<void> {
    this.onNote(notes);
    this.#note(notes);
  }
  history({ service, limit }: { service: string | undefined; limit: number }): HistoryEntry[] {
    return this.records
      .filter((record) => record.service === (service ?? record.service))
      .slice(0, limit)
      .map((record) => ({ ...record, tookMs: undefined }));
  }
  async close(): Promise<void> {}

  #outcome(): CommitOutcome {
    const outcome = this.outcomes.shift() ?? { kind: 'committed' };
    if (outcome.kind === 'committed') this.#write(this.#asked!);
    return outcome;
  }

  #write(change: StoredChange): void {
    const { epoch, nextDeployment, services: changed, records, notes } = change;
    if (notes !== undefined) {
      this.onNote(notes);
      this.#note(notes);
    }
    const services = new Map(this.services);
    for (const service of changed) services.set(service.name, service);
    this.state = { ...this.state, epoch, nextDeployment, services };
    this.records.unshift(...records);
    this.#move(change.rollouts ?? [], change.events ?? []);
  }

  #move(rollouts: readonly StoredRollout[], events: readonly EventDraft[]): void {
    for (const event of events) this.#events.append(event);
    for (const rollout of rollouts) this.#rollouts.put(rollout);
    const query = { service: undefined, isOver: false, limit: -1 };
    const running = this.#rollouts.latest(query).toReversed();
    this.state = { ...this.state, rollouts: new Map(running.map((one) => [one.id, one])) };
  }

  #note({ audit, answer }: Notes): void {
    if (audit !== undefined) this.audit.append(audit);
    if (answer !== undefined) this.#answers.add(answer);
  }
}
