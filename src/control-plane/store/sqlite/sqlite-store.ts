// Durable state in one SQLite file of the state directory. One process owns it: the lock
// is the kernel's, so a killed process leaves none behind.

import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Color } from '../../../contract/table.ts';
import { forgetHolder, noteHolder } from './holder.ts';
import { HISTORY_LIMIT_MAX } from '../../../api/api-limits.ts';
import { HISTORY_ROWS_MAX } from '../../base/control-limits.ts';
import type { Log } from '../../base/log.ts';
import { messageOf } from '../../base/problems.ts';
import { SqliteAnswers } from './sqlite-answers.ts';
import { SqliteAudit } from './sqlite-audit.ts';
import { asStartError, makeDir, openDatabase, replaceDamaged } from './sqlite-file.ts';
import { SqliteTokens } from './sqlite-tokens.ts';
import { DamageError, isDamage, storeFault } from './store-fault.ts';
import { StoreCopy } from './store-copy.ts';
import { parseState, printState, type ServiceState } from '../service-state.ts';
import {
  StoreError,
  type AnswerStore,
  type Freeze,
  type HistoryEntry,
  type Notes,
  type Store,
  type StoredChange,
  type StoredState,
  type SwitchRecord,
  type TokenStore,
} from '../store.ts';

const FILE = 'turnout.db';

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
      const database = openDatabase(path);
      try {
        const store = new SqliteStore(database, warning, log, dir);
        store.readAll();
        noteHolder(dir);
        return store;
      } catch (error) {
        database.close();
        throw error;
      }
    } catch (error) {
      if (!isDamage(error)) throw asStartError(error, dir);
      warning = replaceDamaged(path, messageOf(error));
      log.error({ warning }, 'THE STATE FILE WAS DAMAGED');
    }
  }
}

class SqliteStore implements Store {
  readonly warning: string | undefined;
  readonly audit: SqliteAudit;
  readonly answers: AnswerStore;
  readonly tokens: TokenStore;
  readonly #dir: string;
  readonly #database: DatabaseSync;
  readonly #copy: StoreCopy;
  readonly #statements: Statements;
  readonly #answers: SqliteAnswers;

  constructor(database: DatabaseSync, warning: string | undefined, log: Log, dir: string) {
    this.#dir = dir;
    this.#database = database;
    this.warning = warning;
    this.#statements = prepareStatements(database);
    this.audit = new SqliteAudit(database);
    this.#answers = new SqliteAnswers(database);
    this.answers = {
      find: (key, sinceMs) => this.#answers.find(key, sinceMs),
      complete: (key, body) => this.#lossy(() => this.#answers.complete(key, body)),
    };
    this.tokens = this.#tokenStore(new SqliteTokens(database));
    this.#copy = new StoreCopy(database, join(dir, FILE), log);
    // Without a copy, the next damage would cost everything.
    if (!this.#copy.isThere) this.#copy.renewSoon();
  }

  /** Throws where what is stored makes no sense: better now than at the next switch. */
  readAll(): void {
    this.load();
    this.history({ service: undefined, limit: HISTORY_LIMIT_MAX });
  }

  load(): StoredState {
    const position = this.#statements.position.get();
    const services = this.#statements.services.all().map((row) => stateOf(row['state']));
    return {
      epoch: Number(position?.['epoch'] ?? 0),
      nextDeployment: Number(position?.['next_deployment'] ?? 1),
      services: new Map(services.map((service) => [service.name, service])),
      freeze: freezeOf(this.#statements.freeze.get()),
    };
  }

  commit({ epoch, nextDeployment, services, records, notes }: StoredChange): void {
    this.#transaction(() => {
      this.#statements.setPosition.run(epoch, nextDeployment);
      for (const state of services) this.#statements.setService.run(state.name, printState(state));
      if (notes !== undefined) this.#addNotes(notes);
      if (records.length === 0) return;
      for (const record of records) this.#addSwitch(record);
      this.#statements.trimSwitches.run(HISTORY_ROWS_MAX);
    });
  }

  setFreeze(freeze: Freeze | undefined, notes: Notes): void {
    this.#transaction(() => {
      const { clearFreeze, setFreeze } = this.#statements;
      clearFreeze.run();
      if (freeze !== undefined) setFreeze.run(freeze.reason, freeze.actor, freeze.atMs);
      this.#addNotes(notes);
    });
  }

  recordTook(epoch: number, tookMs: number): void {
    // Worth knowing, not worth a wait for the disk: it may be lost, the switch may not.
    this.#lossy(() => this.#statements.setTook.run(tookMs, epoch));
  }

  note(notes: Notes, { mayBeLost }: { readonly mayBeLost: boolean }): void {
    if (mayBeLost) this.#lossy(() => this.#addNotes(notes));
    else this.#transaction(() => this.#addNotes(notes));
  }

  history({ service, limit }: { service: string | undefined; limit: number }): HistoryEntry[] {
    const rows =
      service === undefined
        ? this.#statements.switches.all(limit)
        : this.#statements.switchesOf.all(service, limit);
    return rows.map((row) => ({
      epoch: Number(row['epoch']),
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
      deployment: Number(row['deployment']),
      left: Number(row['left_deployment']),
    }));
  }

  async close(): Promise<void> {
    await this.#copy.close();
    forgetHolder(this.#dir);
    this.#database.close();
  }

  #tokenStore(tokens: SqliteTokens): TokenStore {
    return {
      all: () => tokens.all(),
      add: (token, notes) =>
        this.#transaction(() => {
          tokens.add(token);
          this.#addNotes(notes);
        }),
      revoke: (id, atMs, notes) =>
        this.#transaction(() => {
          tokens.revoke(id, atMs);
          this.#addNotes(notes);
        }),
      touch: (id, atMs) => this.#lossy(() => tokens.touch(id, atMs)),
    };
  }

  #addNotes({ audit, answer }: Notes): void {
    if (audit !== undefined) this.audit.append(audit);
    if (answer !== undefined) this.#answers.add(answer);
  }

  #addSwitch(record: SwitchRecord): void {
    this.#statements.addSwitch.run(
      record.epoch,
      record.service,
      record.from,
      record.to,
      record.release,
      record.deployment,
      record.left,
      record.atMs,
      record.outcome,
      record.forced ? 1 : 0,
      record.reason,
      record.actor,
    );
  }

  #transaction(write: () => void): void {
    this.#atOnce(write);
    this.#copy.renewSoon();
  }

  /** As a transaction, but without a wait for the disk: a power cut may take it. */
  #lossy(write: () => void): void {
    this.#database.exec('PRAGMA synchronous = NORMAL');
    try {
      this.#atOnce(write);
    } finally {
      this.#database.exec('PRAGMA synchronous = FULL');
    }
  }

  #atOnce(write: () => void): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      write();
      this.#database.exec('COMMIT');
    } catch (error) {
      // Some failures have ended the transaction already.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw new StoreError(storeFault(error, this.#dir), { cause: error });
    }
  }
}

type Statements = ReturnType<typeof prepareStatements>;

function prepareStatements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  return {
    position: prepare('SELECT epoch, next_deployment FROM position'),
    setPosition: prepare(
      `INSERT INTO position (id, epoch, next_deployment) VALUES (1, ?, ?)
       ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, next_deployment = excluded.next_deployment`,
    ),
    services: prepare('SELECT state FROM services'),
    setService: prepare(
      `INSERT INTO services (name, state) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET state = excluded.state`,
    ),
    addSwitch: prepare(
      `INSERT INTO switches (epoch, service, from_color, to_color, release, deployment,
         left_deployment, at_ms, outcome, forced, reason, actor)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    trimSwitches: prepare(
      // Rows of the actor that has most of one service go first, so that no actor can push out the
      // history of another one, nor that of another service.
      `DELETE FROM switches WHERE (epoch, service) IN (
         SELECT epoch, service FROM switches WHERE (service, actor) = (
           SELECT service, actor FROM switches GROUP BY service, actor ORDER BY count(*) DESC LIMIT 1)
         ORDER BY epoch LIMIT max(0, (SELECT count(*) FROM switches) - ?))`,
    ),
    // One row, or none.
    freeze: prepare('SELECT reason, actor, at_ms FROM freeze'),
    clearFreeze: prepare('DELETE FROM freeze'),
    setFreeze: prepare('INSERT INTO freeze (id, reason, actor, at_ms) VALUES (1, ?, ?, ?)'),
    setTook: prepare('UPDATE switches SET took_ms = ? WHERE epoch = ?'),
    switches: prepare('SELECT * FROM switches ORDER BY epoch DESC LIMIT ?'),
    switchesOf: prepare('SELECT * FROM switches WHERE service = ? ORDER BY epoch DESC LIMIT ?'),
  };
}

function freezeOf(row: Readonly<Record<string, unknown>> | undefined): Freeze | undefined {
  if (row === undefined) return undefined;
  return {
    reason: String(row['reason']),
    actor: String(row['actor']),
    atMs: Number(row['at_ms']),
  };
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
