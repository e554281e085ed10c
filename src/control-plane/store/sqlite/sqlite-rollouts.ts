// Rollouts in SQLite. Writes within the transaction of its caller.

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { ROLLOUTS_KEPT } from '../../base/control-limits.ts';
import type { RolloutQuery, StoredRollout } from '../rollout-store.ts';

export class SqliteRollouts {
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync) {
    this.#statements = prepareStatements(database);
  }

  put({ id, services, state, startedAtMs, endedAtMs }: StoredRollout): void {
    const { put, trim } = this.#statements;
    put.run(id, JSON.stringify(services), state, startedAtMs, endedAtMs ?? null);
    if (endedAtMs !== undefined) trim.run(ROLLOUTS_KEPT);
  }

  find(id: string): StoredRollout | undefined {
    const row = this.#statements.find.get(id);
    return row && rolloutOf(row);
  }

  latest({ service, isOver, limit }: RolloutQuery): StoredRollout[] {
    const over = isOver === undefined ? null : Number(isOver);
    return this.#statements.latest.all(service ?? null, over, limit).map(rolloutOf);
  }
}

function rolloutOf(row: Record<string, SQLOutputValue>): StoredRollout {
  const services: unknown = JSON.parse(String(row['services']));
  return {
    id: String(row['id']),
    services: Array.isArray(services) ? services.map(String) : [],
    state: String(row['state']),
    startedAtMs: Number(row['started_at_ms']),
    endedAtMs: row['ended_at_ms'] === null ? undefined : Number(row['ended_at_ms']),
  };
}

function prepareStatements(database: DatabaseSync) {
  return {
    put: database.prepare(
      `INSERT INTO rollouts (id, services, state, started_at_ms, ended_at_ms) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, ended_at_ms = excluded.ended_at_ms`,
    ),
    find: database.prepare('SELECT * FROM rollouts WHERE id = ?'),
    latest: database.prepare(
      `SELECT * FROM rollouts
       WHERE (?1 IS NULL OR EXISTS (SELECT 1 FROM json_each(services) WHERE value = ?1))
         AND (?2 IS NULL OR (ended_at_ms IS NOT NULL) = ?2)
       ORDER BY seq DESC LIMIT ?3`,
    ),
    trim: database.prepare(
      `DELETE FROM rollouts WHERE ended_at_ms IS NOT NULL AND seq NOT IN (
         SELECT seq FROM rollouts WHERE ended_at_ms IS NOT NULL ORDER BY seq DESC LIMIT ?)`,
    ),
  };
}
