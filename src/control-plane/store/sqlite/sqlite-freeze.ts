// The freeze of all switching in SQLite: one row, or none. Writes within the transaction of its
// caller.

import type { DatabaseSync } from 'node:sqlite';
import type { Freeze } from '../store.ts';

export class SqliteFreeze {
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync) {
    this.#statements = prepareStatements(database);
  }

  load(): Freeze | undefined {
    const row = this.#statements.find.get();
    if (row === undefined) return undefined;
    return {
      reason: String(row['reason']),
      actor: String(row['actor']),
      atMs: Number(row['at_ms']),
    };
  }

  /** Replaces the row, or removes it (undefined). */
  set(freeze: Freeze | undefined): void {
    this.#statements.clear.run();
    if (freeze !== undefined) this.#statements.add.run(freeze.reason, freeze.actor, freeze.atMs);
  }
}

function prepareStatements(database: DatabaseSync) {
  return {
    find: database.prepare('SELECT reason, actor, at_ms FROM freeze'),
    clear: database.prepare('DELETE FROM freeze'),
    add: database.prepare('INSERT INTO freeze (id, reason, actor, at_ms) VALUES (1, ?, ?, ?)'),
  };
}
