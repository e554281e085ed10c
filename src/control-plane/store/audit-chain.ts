// The audit log as a chain: the hash of an entry covers its text and the hash before it, so that
// no entry can be changed, removed or moved without the chain telling. Pure.
//
//   anchor ◄─ entry n ◄─ entry n+1 ◄─ … ◄─ head
//
// The anchor is the last entry that was trimmed (or the beginning), the head the latest one. Both
// are kept beside the entries, so that entries missing at either end are noticed too. What is trimmed
// is an entry itself (audit-trim.ts), so the anchor can't be moved without one. A program that can
// write the file can forge all of it: note the head elsewhere, and compare.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { trimOf, type Trim, type TrimBounds } from './audit-trim.ts';

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

/** Where a way along the chain has led. */
export interface Way extends Link {
  /** Number of the entry behind which it has begun. */
  readonly begin: number;
  /** The last entry that was trimmed, by what the entries on the way say; the beginning: none was. */
  readonly trimmed: Link;
}

/** Returns the way that begins behind `anchor`. */
export function wayFrom({ seq, hash }: Link): Way {
  return { seq, hash, begin: seq, trimmed: GENESIS };
}

/**
 * Follows `rows`, in order, from where `way` has led; returns where that leads, or the first break.
 * `bounds`: when entries were to be trimmed.
 */
export function follow(way: Way, rows: Iterable<AuditRow>, bounds: TrimBounds): Way | Break {
  let last = way;
  for (const row of rows) {
    const { seq, hash } = row;
    const fault = linkFault(last, row);
    if (fault !== undefined) return { seq: last.seq + 1, fault };
    const { data } = entry.safeParse(jsonOf(row.text));
    // The text is sound, so what is beside it was changed.
    if (data?.seq !== seq) return { seq, fault: 'it was written under another number' };
    if (data.service !== row.service) return { seq, fault: 'it was written for another service' };
    const trim = trimOf(data, bounds);
    if (typeof trim === 'string') return { seq, fault: trim };
    if (trim !== undefined && !isNextTrim(trim, last, bounds)) {
      return { seq, fault: `no entry tells what was trimmed before ${trim.from}` };
    }
    const trimmed = trim === undefined ? last.trimmed : { seq: trim.to, hash: trim.hash };
    last = { ...last, seq, hash, trimmed };
  }
  return last;
}

/** The last entry that was trimmed, and the latest one. */
export interface Ends {
  readonly anchor: Link;
  readonly head: Link;
}

/** Returns the break between a whole way and the ends of the chain; undefined: there is none. */
export function breakAtEnds(last: Way, { anchor, head }: Ends): Break | undefined {
  if (last.seq < head.seq) {
    return { seq: last.seq + 1, fault: `the entries up to ${head.seq} are missing` };
  }
  if (last.seq > head.seq || last.hash !== head.hash) {
    return { seq: last.seq, fault: 'it is not the entry that was written last' };
  }
  const { trimmed } = last;
  if (anchor.seq === trimmed.seq && anchor.hash === trimmed.hash) return undefined;
  const told = trimmed.seq === 0 ? 'no trim' : `a trim up to ${trimmed.seq}`;
  const missing = `the entries up to ${anchor.seq} are missing, and the log tells of ${told}`;
  return { seq: anchor.seq, fault: missing };
}

/** Tells whether `trim` goes on where the one before has ended, as far as the way has led past it. */
function isNextTrim({ from }: Trim, { trimmed, begin }: Way, { rowsKept }: TrimBounds): boolean {
  if (trimmed.seq > 0) return from === trimmed.seq + 1;
  // The one before had ended at `from` - 1, and its entry came right behind those that stayed.
  return from === 1 || from + rowsKept <= begin;
}

function linkFault(previous: Link, row: AuditRow): string | undefined {
  if (row.seq !== previous.seq + 1) return `the next entry has the number ${row.seq}`;
  if (row.hash === hashOf(previous.hash, row.text)) return undefined;
  return 'its hash does not fit its text and the entry before';
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
