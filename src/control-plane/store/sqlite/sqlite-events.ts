// The log of events in SQLite, and how far each sink has been told. Writes within the transaction of
// its caller.

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { EVENTS_KEPT, EVENT_TRIM_ROWS } from '../../base/control-limits.ts';
import type { EventDraft, StoredEvent } from '../rollout-store.ts';

export class SqliteEvents {
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync) {
    this.#statements = prepareStatements(database);
  }

  append({ kind, service, rollout, atMs, data }: EventDraft): void {
    const { add, trim } = this.#statements;
    const { lastInsertRowid } = add.run(kind, service, rollout, atMs, JSON.stringify(data));
    const seq = Number(lastInsertRowid);
    // In steps: a delete with each event would cost more than the event.
    if (seq % EVENT_TRIM_ROWS === 0) trim.run(seq - EVENTS_KEPT);
  }

  after(seq: number, limit: number): StoredEvent[] {
    return this.#statements.after.all(seq, limit).map(eventOf);
  }

  ofRollout(rollout: string, limit: number): StoredEvent[] {
    return this.#statements.ofRollout.all(rollout, limit).map(eventOf).toReversed();
  }

  last(): number {
    return Number(this.#statements.last.get()?.['seq'] ?? 0);
  }

  delivered(sink: string): number | undefined {
    const row = this.#statements.delivered.get(sink);
    return row === undefined ? undefined : Number(row['seq']);
  }

  setDelivered(sink: string, seq: number): void {
    this.#statements.setDelivered.run(sink, seq);
  }
}

function eventOf(row: Record<string, SQLOutputValue>): StoredEvent {
  const data: unknown = JSON.parse(String(row['data']));
  return {
    seq: Number(row['seq']),
    kind: String(row['kind']),
    service: String(row['service']),
    rollout: String(row['rollout']),
    atMs: Number(row['at_ms']),
    data: typeof data === 'object' && data !== null ? { ...data } : {},
  };
}

function prepareStatements(database: DatabaseSync) {
  return {
    add: database.prepare(
      'INSERT INTO events (kind, service, rollout, at_ms, data) VALUES (?, ?, ?, ?, ?)',
    ),
    after: database.prepare('SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?'),
    // The index has events of rollouts alone, and is used only where the question says so.
    ofRollout: database.prepare(
      `SELECT * FROM events WHERE rollout = ? AND rollout <> '' ORDER BY seq DESC LIMIT ?`,
    ),
    // The highest that was ever given, also where its event was trimmed.
    last: database.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`),
    trim: database.prepare('DELETE FROM events WHERE seq <= ?'),
    delivered: database.prepare('SELECT seq FROM deliveries WHERE sink = ?'),
    setDelivered: database.prepare(
      `INSERT INTO deliveries (sink, seq) VALUES (?, ?)
       ON CONFLICT (sink) DO UPDATE SET seq = excluded.seq`,
    ),
  };
}
