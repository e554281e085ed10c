// The audit log in SQLite. Appends within the transaction of its caller.

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import {
  follow,
  nextRow,
  wayFrom,
  type AuditDraft,
  type AuditRow,
  type Ends,
  type Link,
} from '../audit-chain.ts';
import { epochMs } from '../../../base/clock.ts';
import { trimDraft, type TrimBounds } from '../audit-trim.ts';
import { AUDIT_ROWS_KEPT, AUDIT_TRIM_ROWS } from '../../base/control-limits.ts';
import type { AuditQuery, AuditReader } from '../store.ts';

type Row = Record<string, SQLOutputValue>;

const BOUNDS: TrimBounds = { rowsKept: AUDIT_ROWS_KEPT, trimRows: AUDIT_TRIM_ROWS };

export class SqliteAudit implements AuditReader {
  readonly bounds: TrimBounds;
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync, bounds = BOUNDS) {
    this.#statements = prepareStatements(database);
    this.bounds = bounds;
  }

  append(draft: AuditDraft): void {
    this.#add(draft);
    this.#trim(draft.atMs);
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

  ends(): Ends {
    const row = this.#statements.ends.get();
    return { anchor: linkOf(row, 'anchor'), head: linkOf(row, 'head') };
  }

  #add(draft: AuditDraft): void {
    const { newest, add, setHead } = this.#statements;
    const { head } = this.ends();
    // Numbers that were tampered with must not stop what is to be written now.
    const seq = Math.max(head.seq, Number(newest.get()?.['seq'] ?? 0));
    const row = nextRow({ seq, hash: head.hash }, draft);
    add.run(row.seq, row.service, row.text, row.hash);
    setHead.run(row.seq, row.hash);
  }

  #trim(atMs: number): void {
    const { span, lastToGo, upTo, setAnchor, trim } = this.#statements;
    const { oldest, newest } = span.get() ?? {};
    const { rowsKept, trimRows } = this.bounds;
    if (Number(newest) - Number(oldest) + 1 < rowsKept + trimRows) return;
    const last = lastToGo.get(rowsKept);
    if (last === undefined) return; // There are fewer entries than their numbers say.
    const to = Number(last['seq']);
    const hash = String(last['hash']);
    const { anchor } = this.ends();
    const way = follow(wayFrom(anchor), upTo.all(to).map(rowOf), this.bounds);
    setAnchor.run(to, hash);
    trim.run(to);
    const from = anchor.seq + 1;
    // What is found now would be forgotten otherwise.
    const count = ('fault' in way ? way.seq : to + 1) - from;
    this.#add(trimDraft({ from, to, count, hash }, atMs));
  }
}

/** Adds the entry that tells what was trimmed while no entry told of it. */
export function tellEarlierTrim(database: DatabaseSync): void {
  const audit = new SqliteAudit(database);
  const { seq, hash } = audit.ends().anchor;
  if (seq > 0) audit.append(trimDraft({ from: 1, to: seq, count: seq, hash }, epochMs()));
}

function prepareStatements(database: DatabaseSync) {
  return {
    newest: database.prepare('SELECT max(seq) AS seq FROM audit'),
    add: database.prepare('INSERT INTO audit (seq, service, entry, hash) VALUES (?, ?, ?, ?)'),
    setHead: database.prepare('UPDATE audit_ends SET head_seq = ?, head_hash = ?'),
    setAnchor: database.prepare('UPDATE audit_ends SET anchor_seq = ?, anchor_hash = ?'),
    ends: database.prepare('SELECT * FROM audit_ends'),
    // Each by itself, so that SQLite takes both from the ends of the index.
    span: database.prepare(
      'SELECT (SELECT min(seq) FROM audit) AS oldest, (SELECT max(seq) FROM audit) AS newest',
    ),
    lastToGo: database.prepare('SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1 OFFSET ?'),
    trim: database.prepare('DELETE FROM audit WHERE seq <= ?'),
    upTo: database.prepare('SELECT * FROM audit WHERE seq <= ? ORDER BY seq'),
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
