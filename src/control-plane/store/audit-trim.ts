// The entry that says what was cut off at the beginning of the audit log: which entries, how many, and
// the hash of the last one. So the log itself tells where it begins. Pure.

import { z } from 'zod';
import type { AuditDraft } from './audit-chain.ts';

/** Entries that were trimmed together. */
export interface Trim {
  readonly from: number;
  readonly to: number;
  /** How many of them, from the first, fitted together. Fewer than the numbers say: not all did. */
  readonly count: number;
  /** Of the last one. */
  readonly hash: string;
}

/** When entries are trimmed, and how many. */
export interface TrimBounds {
  /** The latest entries, which stay. */
  readonly rowsKept: number;
  /** Entries beyond those, which then are trimmed together. */
  readonly trimRows: number;
}

/** No call has this action: theirs begin with a method. */
export const TRIM_ACTION = 'entries trimmed';
const TRIM_ACTOR = 'turnout';

/** Returns the entry that tells of `trim`. */
export function trimDraft(trim: Trim, atMs: number): AuditDraft {
  const { from, to, count, hash } = trim;
  return {
    atMs,
    actor: TRIM_ACTOR,
    address: '',
    action: TRIM_ACTION,
    service: '',
    request: JSON.stringify({ from, to, count, hash }),
    reason: '',
    outcome: 'done',
    code: '',
    detail: `the oldest entries, ${from} to ${to}, were removed`,
    status: 0,
    generation: 0,
    count: 1,
  };
}

/**
 * Returns what an entry tells of a trim; undefined: it is about something else. A text says what is
 * wrong with it: a trim takes whole runs of what is older than the latest `rowsKept` entries. The first
 * one may take fewer: it can also stand for what earlier versions trimmed one by one.
 */
export function trimOf(
  entry: Pick<AuditDraft, 'actor' | 'action' | 'request'> & { readonly seq: number },
  { rowsKept, trimRows }: TrimBounds,
): Trim | string | undefined {
  if (entry.action !== TRIM_ACTION || entry.actor !== TRIM_ACTOR) return undefined;
  const trim = parse(entry.request);
  if (trim === undefined) return 'it tells of a trim, but not of which';
  const { from, to, count } = trim;
  const isEarly = entry.seq - to <= rowsKept || (from > 1 && to - from + 1 < trimRows);
  if (isEarly) return `it tells of a trim up to ${to}, which was not due`;
  return count === to - from + 1 ? trim : `it tells that the log was broken at ${from + count}`;
}

const shape = z.strictObject({ from: z.int(), to: z.int(), count: z.int(), hash: z.string() });

function parse(text: string): Trim | undefined {
  try {
    return shape.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // No JSON, so no trim.
  }
}
