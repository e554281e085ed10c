// Tokens in SQLite: their names and hashes, never their secrets. Writes within the transaction of
// its caller.

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { z } from 'zod';
import { TOKEN_DEAD_LIFE_MS } from '../../base/control-limits.ts';
import { ROLES } from '../../../api/roles.ts';
import type { StoredToken } from '../store.ts';

export class SqliteTokens {
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync) {
    this.#statements = prepareStatements(database);
  }

  all(): StoredToken[] {
    return this.#statements.all.all().map((row) => ({
      id: String(row['id']),
      name: String(row['name']),
      // What cannot be read grants nothing more than reading.
      role: ROLES.find((role) => role === row['role']) ?? 'read',
      services: listOf(row['services']),
      targets: listOf(row['targets']),
      hash: String(row['hash']),
      createdAtMs: Number(row['created_at_ms']),
      expiresAtMs: timeOf(row['expires_at_ms']),
      revokedAtMs: timeOf(row['revoked_at_ms']),
      lastUsedAtMs: timeOf(row['last_used_at_ms']),
    }));
  }

  add(token: StoredToken): void {
    const { id, name, role, services, targets, hash, createdAtMs, expiresAtMs } = token;
    const [good, rules] = [JSON.stringify(services), JSON.stringify(targets)];
    const expires = expiresAtMs ?? null;
    this.#statements.purge.run(createdAtMs - TOKEN_DEAD_LIFE_MS);
    this.#statements.add.run(id, name, role, good, rules, hash, createdAtMs, expires);
  }

  revoke(id: string, atMs: number): void {
    this.#statements.revoke.run(atMs, id);
  }

  touch(id: string, atMs: number): void {
    this.#statements.touch.run(atMs, id);
  }
}

function prepareStatements(database: DatabaseSync) {
  return {
    all: database.prepare('SELECT * FROM tokens ORDER BY created_at_ms, id'),
    add: database.prepare(
      `INSERT INTO tokens (id, name, role, services, targets, hash, created_at_ms, expires_at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    purge: database.prepare(
      `DELETE FROM tokens WHERE min(
         coalesce(revoked_at_ms, ${Number.MAX_SAFE_INTEGER}),
         coalesce(expires_at_ms, ${Number.MAX_SAFE_INTEGER})) < ?`,
    ),
    revoke: database.prepare('UPDATE tokens SET revoked_at_ms = ? WHERE id = ?'),
    touch: database.prepare('UPDATE tokens SET last_used_at_ms = ? WHERE id = ?'),
  };
}

const names = z.array(z.string());

/** A list that cannot be read must not become "all": it names what cannot exist. */
function listOf(value: SQLOutputValue | undefined): readonly string[] {
  try {
    return names.parse(JSON.parse(String(value)));
  } catch {
    return [''];
  }
}

function timeOf(value: SQLOutputValue | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}
