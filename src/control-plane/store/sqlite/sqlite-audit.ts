// The audit log in SQLite. Appends within the transaction of its caller.

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { nextRow, type AuditDraft, type AuditRow, type Link } from '../audit-chain.ts';
import { AUDIT_ROWS_MAX } from '../../base/control-limits.ts';
import type { AuditQuery, AuditReader } from '../store.ts';

type Row = Record<string, SQLOutputValue>;

export class SqliteAudit implements AuditReader {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #rowsMax: number;

  constructor(database: DatabaseSync, rowsMax = AUDIT_ROWS_MAX) {
    this.#statements = prepareStatements(database);
    this.#rowsMax = rowsMax;
  }

  append(draft: AuditDraft): void {
    const { newest, add, setHead } = this.#statements;
    const { head } = this.ends();
    // Numbers that were tampered with must not stop what is to be written now.
    const seq = Math.max(head.seq, Number(newest.get()?.['seq'] ?? 0));
    const row = nextRow({ seq, hash: head.hash }, draft);
    add.run(row.seq, row.service, row.text, row.hash);
    setHead.run(row.seq, row.hash);
    this.#trim(row.seq);
  }

  latest({ services, before, limit }: AuditQuery): AuditRow[] {
    const end = before ?? Number.MAX_SAFE_INTEGER;
    const { latest, latestOf } = this.#statements;
    const rows =
      services === undefined
        ? latest.all(end, limit)
        : latestOf.all(JSON.stringify(services), end, limit);
    return rows.map(rowOf);
  }

  after(seq: number, limit: number): AuditRow[] {
    return this.#statements.after.all(seq, limit).map(rowOf);
  }

  ends(): { readonly anchor: Link; readonly head: Link } {
    const row = this.#statements.ends.get();
    return { anchor: linkOf(row, 'anchor'), head: linkOf(row, 'head') };
  }

  #trim(newest: number): void {
    const { at, setAnchor, trim } = this.#statements;
    const seq = newest - this.#rowsMax;
    const last = at.get(seq);
    if (last === undefined) return;
    setAnchor.run(seq, String(last['hash']));
    trim.run(seq);
  }
}

function prepareStatements(database: DatabaseSync) {
  return {
    newest: database.prepare('SELECT max(seq) AS seq FROM audit'),
    add: database.prepare('INSERT INTO audit (seq, service, entry, hash) VALUES (?, ?, ?, ?)'),
    setHead: database.prepare('UPDATE audit_ends SET head_seq = ?, head_hash = ?'),
    setAnchor: database.prepare('UPDATE audit_ends SET anchor_seq = ?, anchor_hash = ?'),
    ends: database.prepare('SELECT * FROM audit_ends'),
    at: database.prepare('SELECT hash FROM audit WHERE seq = ?'),
    trim: database.prepare('DELETE FROM audit WHERE seq <= ?'),
    after: database.prepare('SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?'),
    latest: database.prepare('SELECT * FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?'),
    latestOf: database.prepare(
      `SELECT * FROM audit WHERE service IN (SELECT value FROM json_each(?)) AND seq < ?
       ORDER BY seq DESC LIMIT ?`,
    ),
  };
}

function rowOf(row: Row): AuditRow {
  return {
    seq: Number(row['seq']),
    service: String(row['service']),
    text: String(row['entry']),
    hash: String(row['hash']),
  };
}

function linkOf(row: Row | undefined, end: 'anchor' | 'head'): Link {
  return { seq: Number(row?.[`${end}_seq`] ?? 0), hash: String(row?.[`${end}_hash`] ?? '') };
}
