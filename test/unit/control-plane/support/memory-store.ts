// Durable state that is not: what a switchboard stores, for a test to look at. Audit log, answers
// and tokens are the real ones, in a database that lives in memory.

import { DatabaseSync } from 'node:sqlite';
import type { ServiceState } from '../../../../src/control-plane/store/service-state.ts';
import { SqliteAnswers } from '../../../../src/control-plane/store/sqlite/sqlite-answers.ts';
import { SqliteAudit } from '../../../../src/control-plane/store/sqlite/sqlite-audit.ts';
import { migrate } from '../../../../src/control-plane/store/sqlite/sqlite-schema.ts';
import { SqliteTokens } from '../../../../src/control-plane/store/sqlite/sqlite-tokens.ts';
import type {
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
  readonly services = new Map<string, ServiceState>();
  /** The latest first. */
  readonly records: SwitchRecord[] = [];
  epoch = 0;
  nextDeployment = 1;
  freeze: Freeze | undefined;
  /** Called before anything is written; may throw. */
  onCommit: (change: StoredChange) => void = () => {};
  /** Called before a note is written; may throw. */
  onNote: (notes: Notes) => void = () => {};
  readonly audit: SqliteAudit;
  readonly answers: SqliteAnswers;
  readonly tokens: TokenStore;
  readonly database = new DatabaseSync(':memory:');

  /** `stored`: what was written to it before. */
  constructor(stored?: Pick<StoredState, 'epoch' | 'nextDeployment' | 'services'>) {
    const { database } = this;
    if (stored !== undefined) this.#write({ ...stored, services: [...stored.services.values()] });
    migrate(database);
    this.audit = new SqliteAudit(database);
    this.answers = new SqliteAnswers(database);
    const tokens = new SqliteTokens(database);
    this.tokens = {
      all: () => tokens.all(),
      add: (token: StoredToken, notes) => {
        this.note(notes);
        tokens.add(token);
      },
      revoke: (id, atMs, notes) => {
        this.note(notes);
        tokens.revoke(id, atMs);
      },
      touch: (id, atMs) => tokens.touch(id, atMs),
    };
  }

  load(): StoredState {
    const { epoch, nextDeployment, services, freeze } = this;
    return { epoch, nextDeployment, services: new Map(services), freeze };
  }
  setFreeze(freeze: Freeze | undefined, notes: Notes): void {
    this.note(notes);
    this.freeze = freeze;
  }
  commit(change: StoredChange): void {
    this.onCommit(change);
    const { records, notes } = change;
    if (notes !== undefined) this.note(notes);
    this.#write(change);
    this.records.unshift(...records);
  }
  recordTook(): void {}
  note(notes: Notes): void {
    this.onNote(notes);
    if (notes.audit !== undefined) this.audit.append(notes.audit);
    if (notes.answer !== undefined) this.answers.add(notes.answer);
  }
  history({ service, limit }: { service: string | undefined; limit: number }): HistoryEntry[] {
    return this.records
      .filter((record) => record.service === (service ?? record.service))
      .slice(0, limit)
      .map((record) => ({ ...record, tookMs: undefined }));
  }
  async close(): Promise<void> {}

  #write(change: Pick<StoredChange, 'epoch' | 'nextDeployment' | 'services'>): void {
    this.epoch = change.epoch;
    this.nextDeployment = change.nextDeployment;
    for (const service of change.services) this.services.set(service.name, service);
  }
}
