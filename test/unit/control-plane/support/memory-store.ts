// Durable state that is not: what a switchboard stores, for a test to look at. Audit log, answers
// and tokens are the real ones, in a database that lives in memory.

import { DatabaseSync } from 'node:sqlite';
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
  StoredService,
  StoredToken,
  SwitchRecord,
  TokenStore,
} from '../../../../src/control-plane/store/store.ts';

export class MemoryStore implements Store {
  readonly warning = undefined;
  readonly services = new Map<string, StoredService>();
  /** The latest first. */
  readonly records: SwitchRecord[] = [];
  generation = 0;
  fingerprint = '';
  freeze: Freeze | undefined;
  /** Called before anything is written; may throw. */
  onCommit: (change: StoredChange) => void = () => {};
  /** Called before a note is written; may throw. */
  onNote: (notes: Notes) => void = () => {};
  readonly audit: SqliteAudit;
  readonly answers: SqliteAnswers;
  readonly tokens: TokenStore;
  readonly database = new DatabaseSync(':memory:');

  constructor() {
    const { database } = this;
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

  load() {
    const { generation, fingerprint, services, freeze } = this;
    return { generation, fingerprint, services, freeze };
  }
  setFreeze(freeze: Freeze | undefined, notes: Notes): void {
    this.note(notes);
    this.freeze = freeze;
  }
  begin(
    { generation, fingerprint }: { generation: number; fingerprint: string },
    _services: readonly StoredService[] = [],
    notes?: Notes,
  ): void {
    if (notes !== undefined) this.note(notes);
    this.generation = generation;
    this.fingerprint = fingerprint;
  }
  commit(change: StoredChange): void {
    this.onCommit(change);
    const { generation, fingerprint, services, record, notes } = change;
    if (notes !== undefined) this.note(notes);
    this.generation = generation;
    this.fingerprint = fingerprint;
    for (const service of services) this.services.set(service.name, service);
    if (record !== undefined) this.records.unshift(record);
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
}
