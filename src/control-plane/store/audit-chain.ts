// The audit log as a chain: the hash of an entry covers its text and the hash before it, so that
// no entry can be changed, removed or moved without the chain telling. Pure.
//
//   anchor ◄─ entry n ◄─ entry n+1 ◄─ … ◄─ head
//
// The anchor is the last entry that was trimmed (or the beginning), the head the latest one. Both
// are kept beside the entries, so that entries missing at either end are noticed too. A user
// that can write the file can forge all of it: note the head elsewhere, and compare.

import { createHash } from 'node:crypto';
import { z } from 'zod';

export type AuditOutcome = 'done' | 'refused' | 'failed' | 'unchanged';

/** A call that would change something, and what became of it. */
export interface AuditDraft {
  readonly atMs: number;
  /**
   * Name of a token; `cert:` and the name of a client certificate; `loopback`, `unix`; `shell` for
   * commands without a server, `turnout`, `failover`, `file`, `SIGHUP` for the process itself,
   * `nobody` for a caller without proven credentials.
   */
  readonly actor: string;
  /** Where it came from: an IP address or `unix`; empty for the process itself. */
  readonly address: string;
  /** Method and path, or what the process did. */
  readonly action: string;
  /** Empty: none, or it is not known. */
  readonly service: string;
  /** The body as JSON, without secrets and cut to a bound. */
  readonly request: string;
  readonly reason: string;
  readonly outcome: AuditOutcome;
  /** Code of the problem; empty where there was none. */
  readonly code: string;
  readonly detail: string;
  /** Of the answer; 0 where there was none. */
  readonly status: number;
  /** Of the routing table afterwards. */
  readonly generation: number;
  /** More than 1: so many calls alike, the last one at `atMs`. */
  readonly count: number;
}

/** Where a chain stands. */
export interface Link {
  readonly seq: number;
  /** SHA-256 in hex. */
  readonly hash: string;
}

/** One entry as it is stored. */
export interface AuditRow extends Link {
  /** A copy for look-ups. */
  readonly service: string;
  readonly text: string;
}

export interface AuditEntry extends AuditDraft, Link {}

/** Before the first entry. */
export const GENESIS: Link = { seq: 0, hash: '0'.repeat(64) };

/** Returns what is stored for `draft` behind `previous`. */
export function nextRow(previous: Link, draft: AuditDraft): AuditRow {
  const seq = previous.seq + 1;
  // Callers choose the name. Half a surrogate pair has no UTF-8, so the copy would read back as
  // something else than the text, and the chain as broken.
  const service = draft.service.toWellFormed();
  const text = textOf(seq, { ...draft, service });
  return { seq, hash: hashOf(previous.hash, text), service, text };
}

/** Returns the entry of a row; undefined when its text is none. */
export function parseRow({ seq, hash, text }: AuditRow): AuditEntry | undefined {
  const { success, data } = entry.safeParse(jsonOf(text));
  return success ? { ...data, seq, hash } : undefined;
}

/** Where a chain is broken, and how. */
export interface Break {
  readonly seq: number;
  readonly fault: string;
}

/** Follows `rows`, in order, from `previous`; returns where that leads, or the first break. */
export function follow(previous: Link, rows: Iterable<AuditRow>): Link | Break {
  let last = previous;
  for (const row of rows) {
    const fault = faultOf(last, row);
    if (fault !== undefined) return { seq: last.seq + 1, fault };
    last = { seq: row.seq, hash: row.hash };
  }
  return last;
}

/** Returns the break between the last entry that was followed and the head; undefined: there is none. */
export function breakAtHead(last: Link, head: Link): Break | undefined {
  if (last.seq < head.seq) {
    return { seq: last.seq + 1, fault: `the entries up to ${head.seq} are missing` };
  }
  if (last.seq > head.seq || last.hash !== head.hash) {
    return { seq: last.seq, fault: 'it is not the entry that was written last' };
  }
  return undefined;
}

function faultOf(previous: Link, row: AuditRow): string | undefined {
  if (row.seq !== previous.seq + 1) return `the next entry has the number ${row.seq}`;
  if (row.hash !== hashOf(previous.hash, row.text)) {
    return 'its hash does not fit its text and the entry before';
  }
  // The text is sound, so what is beside it was changed.
  const { data } = entry.safeParse(jsonOf(row.text));
  if (data?.seq !== row.seq) return 'it was written under another number';
  return data.service === row.service ? undefined : 'it was written for another service';
}

function hashOf(previous: string, text: string): string {
  return createHash('sha256').update(previous).update(text).digest('hex');
}

/** The order is fixed: the text is what is hashed. */
function textOf(seq: number, draft: AuditDraft): string {
  const { atMs, actor, address, action, service, request, reason, outcome } = draft;
  const { code, detail, status, generation, count } = draft;
  const asked = { seq, atMs, actor, address, action, service, request, reason };
  return JSON.stringify({ ...asked, outcome, code, detail, status, generation, count });
}

// A later version may add members; they are covered by the hash all the same.
const entry = z.object({
  seq: z.int(),
  atMs: z.number(),
  actor: z.string(),
  address: z.string(),
  action: z.string(),
  service: z.string(),
  request: z.string(),
  reason: z.string(),
  outcome: z.enum(['done', 'refused', 'failed', 'unchanged']),
  code: z.string(),
  detail: z.string(),
  status: z.int(),
  generation: z.number(),
  count: z.int(),
});

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // No entry, and what is no entry is told by the schema.
  }
}
