// Follows the chain of the audit log in the store, in slices, while entries are added and trimmed. What
// a sound chain is, is known to audit-chain.ts.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { AUDIT_CHECK_ROWS } from '../base/control-limits.ts';
import { breakAtEnds, follow, wayFrom } from '../store/audit-chain.ts';
import type { Break, Ends, Link, Way } from '../store/audit-chain.ts';
import type { AuditReader } from '../store/store.ts';

/** What a look at the whole chain has found. */
export type ChainVerdict = {
  readonly checked: number;
  readonly head: Link;
  /** What became of the head that the caller has noted; undefined: none was given, or it is not known. */
  readonly noted: NotedHead | undefined;
} & ({ readonly state: 'ok' } | ({ readonly state: 'broken' } & Break));

/** `trimmed`: the log begins later by now, so it can't be told. */
type NotedHead = 'found' | 'missing' | 'trimmed';

/**
 * Follows the chain from its anchor to its head. A chain without `noted`, a head that was noted
 * earlier, is a broken one: it is another log, an older copy, or its end was cut off.
 */
export async function verifyChain(
  audit: AuditReader,
  noted: Link | undefined,
): Promise<ChainVerdict> {
  let way = wayFrom(audit.ends().anchor);
  let checked = 0;
  for (;;) {
    const ends = audit.ends();
    // Entries may be trimmed and added while others have their turn.
    if (ends.anchor.seq > way.seq) way = { ...way, ...ends.anchor, begin: ends.anchor.seq };
    const rows = audit.after(way.seq, AUDIT_CHECK_ROWS);
    // In the turn in which the ends were read: what is stored is what was followed.
    if (rows.length === 0) return { checked, ...verdictOf(way, ends, lookFor(noted, ends, audit)) };
    const end = follow(way, rows, audit.bounds);
    if ('fault' in end) {
      return { state: 'broken', checked, head: ends.head, noted: undefined, ...end };
    }
    way = end;
    checked += rows.length;
    await nextTurn();
  }
}

interface Looked {
  readonly link: Link;
  readonly found: NotedHead;
}

function lookFor(link: Link | undefined, { anchor }: Ends, audit: AuditReader): Looked | undefined {
  if (link === undefined) return undefined;
  const { seq, hash } = link;
  if (seq < anchor.seq) return { link, found: 'trimmed' };
  const there = seq === anchor.seq ? anchor : audit.after(seq - 1, 1)[0];
  const isThere = there?.seq === seq && there.hash === hash;
  return { link, found: isThere ? 'found' : 'missing' };
}

function verdictOf(
  way: Way,
  ends: Ends,
  noted: Looked | undefined,
): Omit<ChainVerdict, 'checked'> & ({ state: 'ok' } | ({ state: 'broken' } & Break)) {
  const { head } = ends;
  const told = { head, noted: noted?.found };
  const end = breakAtEnds(way, ends);
  if (end !== undefined) return { state: 'broken', ...told, ...end };
  if (noted?.found !== 'missing') return { state: 'ok', ...told };
  const { seq } = noted.link;
  const fault =
    seq > head.seq ? `the log ends at ${head.seq}` : 'it is not the entry that was noted';
  return { state: 'broken', ...told, seq, fault };
}
