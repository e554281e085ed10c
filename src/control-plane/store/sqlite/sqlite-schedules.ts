// Orders for later in SQLite. Writes within the transaction of its caller.

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { ORDERS_KEPT } from '../../base/control-limits.ts';
import type { StoredOrder } from '../schedule-store.ts';

/** The step of the schema that makes room for them. */
export const SCHEDULES_SCHEMA = `CREATE TABLE schedules (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     state TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     ended_at_ms INTEGER
   ) STRICT;
   CREATE INDEX schedules_pending ON schedules (at_ms, seq) WHERE ended_at_ms IS NULL;`;

export class SqliteSchedules {
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync) {
    this.#statements = prepareStatements(database);
  }

  /** Returns the id. */
  add({ state, atMs }: Pick<StoredOrder, 'state' | 'atMs'>): string {
    const row = this.#statements.add.get(state, atMs);
    return `s-${Number(row?.['seq'])}`;
  }

  put({ id, state, endedAtMs }: StoredOrder): void {
    const { put, trim } = this.#statements;
    put.run(state, endedAtMs ?? null, seqOf(id));
    if (endedAtMs !== undefined) trim.run(ORDERS_KEPT);
  }

  pending(): StoredOrder[] {
    return this.#statements.pending.all().map(orderOf);
  }

  over(limit: number): StoredOrder[] {
    return this.#statements.over.all(limit).map(orderOf);
  }

  find(id: string): StoredOrder | undefined {
    const row = this.#statements.find.get(seqOf(id));
    return row && orderOf(row);
  }
}

/** No order has the number 0. */
function seqOf(id: string): number {
  return /^s-\d{1,15}$/.test(id) ? Number(id.slice(2)) : 0;
}

function orderOf(row: Record<string, SQLOutputValue>): StoredOrder {
  return {
    id: `s-${Number(row['seq'])}`,
    state: String(row['state']),
    atMs: Number(row['at_ms']),
    endedAtMs: row['ended_at_ms'] === null ? undefined : Number(row['ended_at_ms']),
  };
}

function prepareStatements(database: DatabaseSync) {
  return {
    add: database.prepare('INSERT INTO schedules (state, at_ms) VALUES (?, ?) RETURNING seq'),
    put: database.prepare('UPDATE schedules SET state = ?, ended_at_ms = ? WHERE seq = ?'),
    find: database.prepare('SELECT * FROM schedules WHERE seq = ?'),
    pending: database.prepare(
      'SELECT * FROM schedules WHERE ended_at_ms IS NULL ORDER BY at_ms, seq',
    ),
    over: database.prepare(
      'SELECT * FROM schedules WHERE ended_at_ms IS NOT NULL ORDER BY ended_at_ms DESC, seq DESC LIMIT ?',
    ),
    trim: database.prepare(
      `DELETE FROM schedules WHERE ended_at_ms IS NOT NULL AND seq NOT IN (
         SELECT seq FROM schedules WHERE ended_at_ms IS NOT NULL
         ORDER BY ended_at_ms DESC, seq DESC LIMIT ?)`,
    ),
  };
}
