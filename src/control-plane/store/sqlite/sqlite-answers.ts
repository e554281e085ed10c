// Answers to calls with an `Idempotency-Key` in SQLite. Adds within the transaction of its caller.

import type { DatabaseSync } from 'node:sqlite';
import { IDEMPOTENCY_LIFE_MS, IDEMPOTENCY_ROWS_MAX } from '../../base/control-limits.ts';
import type { StoredAnswer } from '../store.ts';

export class SqliteAnswers {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #rowsMax: number;

  constructor(database: DatabaseSync, rowsMax = IDEMPOTENCY_ROWS_MAX) {
    this.#statements = prepareStatements(database);
    this.#rowsMax = rowsMax;
  }

  find(key: string, sinceMs: number): StoredAnswer | undefined {
    const row = this.#statements.find.get(key, sinceMs);
    if (row === undefined) return undefined;
    return {
      key,
      digest: String(row['digest']),
      actor: String(row['actor']),
      atMs: Number(row['at_ms']),
      status: Number(row['status']),
      generation: Number(row['generation']),
      body: String(row['body']),
    };
  }

  add({ key, digest, actor, atMs, status, generation, body }: StoredAnswer): void {
    const { add, purge, trim } = this.#statements;
    purge.run(atMs - IDEMPOTENCY_LIFE_MS);
    add.run(key, digest, actor, atMs, status, generation, body);
    trim.run(this.#rowsMax);
  }

  complete(key: string, body: string): void {
    this.#statements.complete.run(body, key);
  }
}

function prepareStatements(database: DatabaseSync) {
  return {
    find: database.prepare('SELECT * FROM answers WHERE key = ? AND at_ms > ?'),
    add: database.prepare(
      `INSERT OR REPLACE INTO answers (key, digest, actor, at_ms, status, generation, body)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    purge: database.prepare('DELETE FROM answers WHERE at_ms <= ?'),
    trim: database.prepare(
      // Those of the actor that has most go first, so that no actor can push out those of another.
      `DELETE FROM answers WHERE key IN (
         SELECT key FROM answers WHERE actor = (
           SELECT actor FROM answers GROUP BY actor ORDER BY count(*) DESC LIMIT 1)
         ORDER BY at_ms LIMIT max(0, (SELECT count(*) FROM answers) - ?))`,
    ),
    complete: database.prepare('UPDATE answers SET body = ? WHERE key = ?'),
  };
}
