// The history of switches in SQLite. Writes within the transaction of its caller.

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Color } from '../../../contract/table.ts';
import { HISTORY_ROWS_MAX } from '../../base/control-limits.ts';
import type { HistoryEntry, SwitchRecord } from '../store.ts';
import { DamageError } from './store-fault.ts';

export class SqliteSwitches {
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync) {
    this.#statements = prepareStatements(database);
  }

  add(records: readonly SwitchRecord[]): void {
    for (const record of records) this.#add(record);
    if (records.length > 0) this.#statements.trim.run(HISTORY_ROWS_MAX);
  }

  setTook(epoch: number, tookMs: number): void {
    this.#statements.setTook.run(tookMs, epoch);
  }

  latest(service: string | undefined, limit: number): HistoryEntry[] {
    const { latest, latestOf } = this.#statements;
    const rows = service === undefined ? latest.all(limit) : latestOf.all(service, limit);
    return rows.map(entryOf);
  }

  #add(record: SwitchRecord): void {
    this.#statements.add.run(
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
}

function entryOf(row: Record<string, SQLOutputValue>): HistoryEntry {
  return {
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
  };
}

function colorOf(value: unknown): Color {
  if (value === 'blue' || value === 'green') return value;
  throw new DamageError(`expected a color, got ${JSON.stringify(value)}`);
}

function prepareStatements(database: DatabaseSync) {
  return {
    add: database.prepare(
      `INSERT INTO switches (epoch, service, from_color, to_color, release, deployment,
         left_deployment, at_ms, outcome, forced, reason, actor)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    trim: database.prepare(
      // Rows of the actor that has most of one service go first, so that no actor can push out the
      // history of another one, nor that of another service.
      `DELETE FROM switches WHERE (epoch, service) IN (
         SELECT epoch, service FROM switches WHERE (service, actor) = (
           SELECT service, actor FROM switches GROUP BY service, actor ORDER BY count(*) DESC LIMIT 1)
         ORDER BY epoch LIMIT max(0, (SELECT count(*) FROM switches) - ?))`,
    ),
    setTook: database.prepare('UPDATE switches SET took_ms = ? WHERE epoch = ?'),
    latest: database.prepare('SELECT * FROM switches ORDER BY epoch DESC LIMIT ?'),
    latestOf: database.prepare(
      'SELECT * FROM switches WHERE service = ? ORDER BY epoch DESC LIMIT ?',
    ),
  };
}
