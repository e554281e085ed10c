// Durable state in one SQLite file of the state directory. One process owns it: the lock
// is the kernel's, so a killed process leaves none behind.

import { chmodSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Color } from '../contract/table.ts';
import { HISTORY_ROWS_MAX } from './limits.ts';
import type { Log } from './log.ts';
import { messageOf, StartError } from './problems.ts';
import { migrate } from './sqlite-schema.ts';
import { StoreCopy } from './store-copy.ts';
import {
  parseSide,
  parseState,
  printSide,
  printState,
  type ServiceState,
  type StoredSide,
} from './service-state.ts';
import type {
  HistoryEntry,
  Store,
  StoredChange,
  StoredService,
  StoredState,
  SwitchRecord,
} from './store.ts';

const FILE = 'turnout.db';

// https://sqlite.org/rescode.html, the primary code in the low byte
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/**
 * Opens (or makes) the store in `dir`. A damaged file is set aside, and the last good copy
 * takes its place; `warning` tells of it. Throws StartError when the directory cannot be
 * used, belongs to a running process or was written by a newer version.
 */
export function openSqliteStore(dir: string, log: Log): Store {
  makeDir(dir);
  const path = join(dir, FILE);
  let warning: string | undefined;
  // Twice at most: the file itself and its copy can be damaged, a new file is not.
  for (;;) {
    try {
      return new SqliteStore(openDatabase(path), warning, log, dir);
    } catch (error) {
      if (!isDamage(error)) throw asStartError(error, dir);
      warning = replaceDamaged(path, messageOf(error));
      log.error({ warning }, 'THE STATE FILE WAS DAMAGED');
    }
  }
}

class SqliteStore implements Store {
  readonly warning: string | undefined;
  readonly #database: DatabaseSync;
  readonly #copy: StoreCopy;
  readonly #statements: Statements;

  constructor(database: DatabaseSync, warning: string | undefined, log: Log, dir: string) {
    this.#database = database;
    this.warning = warning;
    this.#statements = prepareStatements(database);
    this.#copy = new StoreCopy(database, join(dir, FILE), log);
  }

  load(): StoredState {
    const position = this.#statements.position.get();
    const services = this.#statements.services.all().map((row): StoredService => ({
      name: String(row['name']),
      active: colorOf(row['active']),
      since: Number(row['since']),
      sinceAtMs: Number(row['since_at_ms']),
      state: stateOf(row['state']),
    }));
    return {
      generation: Number(position?.['generation'] ?? 0),
      fingerprint: String(position?.['fingerprint'] ?? ''),
      services: new Map(services.map((service) => [service.name, service])),
    };
  }

  adopt(
    first: Pick<StoredState, 'generation' | 'fingerprint'>,
    services: readonly StoredService[],
  ): void {
    this.#transaction(() => {
      this.#statements.setPosition.run(first.generation, first.fingerprint);
      for (const service of services) this.#setService(service);
    });
  }

  commit({ generation, fingerprint, service, record }: StoredChange): void {
    this.#transaction(() => {
      this.#statements.setPosition.run(generation, fingerprint);
      this.#setService(service);
      if (record === undefined) return;
      this.#addSwitch(record);
      this.#statements.trimSwitches.run(HISTORY_ROWS_MAX);
    });
  }

  recordTook(generation: number, tookMs: number): void {
    // Worth knowing, not worth a wait for the disk: it may be lost, the switch may not.
    this.#database.exec('PRAGMA synchronous = NORMAL');
    try {
      this.#statements.setTook.run(tookMs, generation);
    } finally {
      this.#database.exec('PRAGMA synchronous = FULL');
    }
  }

  history({ service, limit }: { service: string | undefined; limit: number }): HistoryEntry[] {
    const rows =
      service === undefined
        ? this.#statements.switches.all(limit)
        : this.#statements.switchesOf.all(service, limit);
    return rows.map((row) => ({
      generation: Number(row['generation']),
      service: String(row['service']),
      from: colorOf(row['from_color']),
      to: colorOf(row['to_color']),
      release: String(row['release']),
      atMs: Number(row['at_ms']),
      tookMs: row['took_ms'] === null ? undefined : Number(row['took_ms']),
      outcome: row['outcome'] === 'rolled-back' ? 'rolled-back' : 'switched',
      forced: row['forced'] === 1,
      reason: String(row['reason']),
      actor: String(row['actor']),
      left: sideOf(row['left_side']),
    }));
  }

  async close(): Promise<void> {
    await this.#copy.close();
    this.#database.close();
  }

  #setService({ name, active, since, sinceAtMs, state }: StoredService): void {
    this.#statements.setService.run(name, active, since, sinceAtMs, printState(state));
  }

  #addSwitch(record: SwitchRecord): void {
    this.#statements.addSwitch.run(
      record.generation,
      record.service,
      record.from,
      record.to,
      record.release,
      record.atMs,
      record.outcome,
      record.forced ? 1 : 0,
      record.reason,
      record.actor,
      printSide(record.left),
    );
  }

  #transaction(write: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      write();
      this.#database.exec('COMMIT');
    } catch (error) {
      // Some failures have ended the transaction already.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
    this.#copy.renewSoon();
  }
}

type Statements = ReturnType<typeof prepareStatements>;

function prepareStatements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  return {
    position: prepare('SELECT generation, fingerprint FROM position'),
    setPosition: prepare(
      `INSERT INTO position (id, generation, fingerprint) VALUES (1, ?, ?)
       ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, fingerprint = excluded.fingerprint`,
    ),
    services: prepare('SELECT name, active, since, since_at_ms, state FROM services'),
    setService: prepare(
      `INSERT INTO services (name, active, since, since_at_ms, state) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET active = excluded.active, since = excluded.since,
         since_at_ms = excluded.since_at_ms, state = excluded.state`,
    ),
    addSwitch: prepare(
      `INSERT INTO switches (generation, service, from_color, to_color, release, at_ms, outcome,
         forced, reason, actor, left_side) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    trimSwitches: prepare(
      `DELETE FROM switches WHERE generation <= (
         SELECT generation FROM switches ORDER BY generation DESC LIMIT 1 OFFSET ?)`,
    ),
    setTook: prepare('UPDATE switches SET took_ms = ? WHERE generation = ?'),
    switches: prepare('SELECT * FROM switches ORDER BY generation DESC LIMIT ?'),
    switchesOf: prepare(
      'SELECT * FROM switches WHERE service = ? ORDER BY generation DESC LIMIT ?',
    ),
  };
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    // The exclusive lock is taken with the first access and kept; with it WAL needs no
    // shared-memory file (https://sqlite.org/wal.html, section 6).
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    // Each commit waits for the disk: what was acknowledged survives a power cut.
    database.exec('PRAGMA synchronous = FULL');
    const verdict = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (verdict !== 'ok') throw new DamageError(String(verdict));
    migrate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

class DamageError extends Error {
  override readonly name = 'DamageError';
}

function isDamage(error: unknown): boolean {
  const code = primaryCode(error);
  return error instanceof DamageError || code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

function primaryCode(error: unknown): number {
  const code: unknown = error instanceof Error && 'errcode' in error ? error.errcode : 0;
  return typeof code === 'number' ? code & 0xff : 0;
}

function asStartError(error: unknown, dir: string): StartError {
  if (error instanceof StartError) return error;
  if (primaryCode(error) === SQLITE_BUSY) {
    return new StartError(`the state directory ${dir} is in use by another process`, {
      cause: error,
    });
  }
  return new StartError(`the state directory ${dir} cannot be used: ${messageOf(error)}`, {
    cause: error,
  });
}

function makeDir(dir: string): void {
  try {
    if (existsSync(dir)) return;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    chmodSync(dir, 0o700); // whatever the umask says
  } catch (error) {
    throw asStartError(error, dir);
  }
}

/** Sets the damaged file aside, puts the last good copy in its place, returns what to tell. */
function replaceDamaged(path: string, cause: string): string {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(':', '-')}`;
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  const told = `the state file was damaged (${cause}) and set aside as ${aside}`;
  return StoreCopy.restore(path)
    ? `${told}; the last good copy is used, check that the active color is right`
    : `${told}; there is no good copy, so the colors of the configuration are active: ` +
        'check that they are right';
}

function colorOf(value: unknown): Color {
  if (value === 'blue' || value === 'green') return value;
  throw new DamageError(`expected a color, got ${JSON.stringify(value)}`);
}

function stateOf(value: unknown): ServiceState {
  const state = parseState(String(value));
  if (state === undefined) throw new DamageError('the state of a service cannot be read');
  return state;
}

function sideOf(value: unknown): StoredSide {
  const side = parseSide(String(value));
  if (side === undefined) throw new DamageError('a side in the history cannot be read');
  return side;
}
