// Random histories of the audit log in the real tables, and random tampering with them: whatever changes
// an entry, or their order, is found. Where the tampering makes the chain fit again, it is found by the
// head that an operator has noted.

import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import t from 'tap';
import { verifyChain } from '../../../../src/control-plane/audit/verify-chain.ts';
import {
  GENESIS,
  nextRow,
  parseRow,
  type AuditDraft,
  type AuditRow,
  type Ends,
  type Link,
} from '../../../../src/control-plane/store/audit-chain.ts';
import { trimDraft } from '../../../../src/control-plane/store/audit-trim.ts';
import { SqliteAudit } from '../../../../src/control-plane/store/sqlite/sqlite-audit.ts';
import { migrate } from '../../../../src/control-plane/store/sqlite/sqlite-schema.ts';
import { draft } from '../support/notes.ts';

const BOUNDS = { rowsKept: 8, trimRows: 4 };

const database = new DatabaseSync(':memory:');
migrate(database);
const audit = new SqliteAudit(database, BOUNDS);

/** What is in the tables. */
interface Log {
  readonly rows: readonly AuditRow[];
  readonly ends: Ends;
}

/** What was done to a log: `at` and `other` choose entries, `older` is the log as it was once. */
interface Tools {
  readonly at: number;
  readonly other: number;
  readonly older: Log;
}

type Tampering = (log: Log, tools: Tools) => Log;

const linkOf = ({ seq, hash }: Link): Link => ({ seq, hash });

/** Entries from `index` on, made to fit again behind the one before. */
function resealed({ rows, ends }: Log, index: number, change: (row: AuditRow) => AuditRow): Log {
  let last = rows[index - 1] ?? ends.anchor;
  const sealed = rows.slice(index).map((row) => {
    const entry = parseRow(change(row))!;
    const made = nextRow(last, entry);
    last = made;
    return made;
  });
  return { rows: [...rows.slice(0, index), ...sealed], ends: { ...ends, head: linkOf(last) } };
}

const altered = (row: AuditRow): AuditRow => ({
  ...row,
  text: row.text.replace('"actor":"', '"actor":"not '),
});

/** Found without a head. */
const CRUDE: Readonly<Record<string, Tampering>> = {
  'an entry says something else': ({ rows, ends }, { at }) => ({
    rows: rows.with(at, altered(rows[at]!)),
    ends,
  }),
  'an entry has another hash': ({ rows, ends }, { at }) => ({
    rows: rows.with(at, { ...rows[at]!, hash: 'f'.repeat(64) }),
    ends,
  }),
  'an entry is of another service': ({ rows, ends }, { at }) => ({
    rows: rows.with(at, { ...rows[at]!, service: 'other' }),
    ends,
  }),
  'an entry is gone': ({ rows, ends }, { at }) => ({ rows: rows.toSpliced(at, 1), ends }),
  'two have changed places': ({ rows, ends }, { at, other }) => {
    const [one, two] = [rows[at]!, rows[other]!];
    const moved = rows.with(at, { ...two, seq: one.seq }).with(other, { ...one, seq: two.seq });
    return { rows: moved, ends };
  },
  'the oldest are gone': ({ rows, ends }, { at }) => ({ rows: rows.slice(at + 1), ends }),
  'the oldest are gone, and the anchor has moved': ({ rows, ends }, { at }) => ({
    rows: rows.slice(at + 1),
    ends: { ...ends, anchor: linkOf(rows[at]!) },
  }),
  'the latest are gone': ({ rows, ends }, { at }) => ({ rows: rows.slice(0, at), ends }),
  'an entry was added': ({ rows, ends }) => ({
    rows: [...rows, nextRow(ends.head, draft({ actor: 'added' }))],
    ends,
  }),
  'the oldest are gone, and an entry says that they were trimmed': ({ rows, ends }, { at }) => {
    const { seq, hash } = rows[at]!;
    const from = ends.anchor.seq + 1;
    const trim = { from, to: seq, count: seq - from + 1, hash };
    const told = nextRow(ends.head, trimDraft(trim, 1));
    // The first trim of a log may come a few entries early: see audit-trim.ts.
    if (from === 1 && told.seq - seq > BOUNDS.rowsKept) return { rows, ends };
    const cut = [...rows.slice(at + 1), told];
    return { rows: cut, ends: { anchor: { seq, hash }, head: linkOf(told) } };
  },
};

/** Found by the head that was noted before. */
const KNOWING: Readonly<Record<string, Tampering>> = {
  'the latest are gone, and the head has moved': ({ rows, ends }, { at }) => ({
    rows: rows.slice(0, at),
    ends: { ...ends, head: linkOf(rows[at - 1] ?? ends.anchor) },
  }),
  'both ends are cut, and anchor and head have moved': ({ rows, ends }, { at }) => ({
    rows: rows.slice(1, Math.max(1, at)),
    ends: { ...ends, anchor: linkOf(rows[0]!), head: linkOf(rows[Math.max(0, at - 1)]!) },
  }),
  'an entry says something else, and all behind it fit again': (log, { at }) =>
    resealed(log, at, (row) => (row === log.rows[at] ? altered(row) : row)),
  'the oldest are gone, and the others have new numbers': ({ rows }, { at }) => {
    const kept = rows.slice(at + 1).filter((row) => !row.text.includes('entries trimmed'));
    const ends = { anchor: GENESIS, head: GENESIS };
    return resealed({ rows: kept, ends }, 0, (row) => row);
  },
  'an older copy is back': (_log, { older }) => older,
  'another log is there': () => {
    const row = nextRow(GENESIS, draft({ actor: 'of another log' }));
    return { rows: [row], ends: { anchor: GENESIS, head: linkOf(row) } };
  },
  'an empty log is there': () => ({ rows: [], ends: { anchor: GENESIS, head: GENESIS } }),
};

function read(): Log {
  return { rows: audit.after(-1, 1_000), ends: audit.ends() };
}

function write({ rows, ends: { anchor, head } }: Log): void {
  database.exec('DELETE FROM audit; DELETE FROM audit_ends');
  const add = database.prepare('INSERT INTO audit (seq, service, entry, hash) VALUES (?, ?, ?, ?)');
  for (const { seq, service, text, hash } of rows) add.run(seq, service, text, hash);
  const end = database.prepare('INSERT INTO audit_ends VALUES (1, ?, ?, ?, ?)');
  end.run(anchor.seq, anchor.hash, head.seq, head.hash);
}

type CallOfHistory = Pick<AuditDraft, 'actor' | 'service' | 'reason'>;

const history: fc.Arbitrary<CallOfHistory[]> = fc.array(
  fc.record({
    actor: fc.constantFrom('anna', 'ben'),
    service: fc.constantFrom('shop', 'bank', ''),
    reason: fc.string({ maxLength: 5 }),
  }),
  { minLength: 2, maxLength: 30 },
);

/** Writes a log with that history; returns how it was at one moment of it. */
function logOf(calls: readonly CallOfHistory[], momentShare: number): Log {
  write({ rows: [], ends: { anchor: GENESIS, head: GENESIS } });
  const moment = 1 + Math.floor(momentShare * (calls.length - 1));
  let older = read();
  for (const [index, call] of calls.entries()) {
    if (index === moment) older = read();
    audit.append(draft(call));
  }
  return older;
}

const chance = fc.double({ min: 0, max: 0.999, noNaN: true });

interface Made {
  readonly calls: readonly CallOfHistory[];
  readonly moment: number;
  readonly at: number;
  readonly step: number;
  /** Entries that are written after the tampering. */
  readonly more: number;
}

const cases: fc.Arbitrary<Made> = fc.record({
  calls: history,
  moment: chance,
  at: chance,
  step: chance,
  more: fc.nat({ max: 3 }),
});

/** Tampers with a log and says what is found then, if anything was changed at all. */
async function afterTampering(tampering: Tampering, made: Made) {
  const older = logOf(made.calls, made.moment);
  const before = read();
  const { length } = before.rows;
  const at = Math.floor(made.at * length);
  const other = (at + 1 + Math.floor(made.step * (length - 1))) % length;
  const after = tampering(before, { at, other, older });
  const isChanged = JSON.stringify(after) !== JSON.stringify(before);
  write(after);
  for (let index = 0; index < made.more; index++) audit.append(draft({ reason: 'later' }));
  const noted = before.ends.head;
  const verdict = await verifyChain(audit, undefined);
  const withHead = await verifyChain(audit, noted);
  return { isChanged, verdict, withHead };
}

const terms = { numRuns: 100 };

for (const [what, tampering] of Object.entries(CRUDE)) {
  await t.test(`${what}: found without a head`, async () => {
    const found = fc.asyncProperty(cases, async (made) => {
      const { isChanged, verdict, withHead } = await afterTampering(tampering, made);
      return !isChanged || (verdict.state === 'broken' && withHead.state === 'broken');
    });
    await fc.assert(found, terms);
  });
}

for (const [what, tampering] of Object.entries(KNOWING)) {
  await t.test(`${what}: found by the head that was noted`, async () => {
    const found = fc.asyncProperty(cases, async (made) => {
      const { isChanged, withHead } = await afterTampering(tampering, made);
      return !isChanged || withHead.state === 'broken';
    });
    await fc.assert(found, terms);
  });
}

await t.test(
  'a log that was left alone is whole, and leads from each head that is kept',
  async () => {
    const found = fc.asyncProperty(history, chance, async (calls, moment) => {
      const older = logOf(calls, moment);
      const verdict = await verifyChain(audit, older.ends.head);
      const isKept = older.ends.head.seq >= audit.ends().anchor.seq;
      return verdict.state === 'ok' && verdict.noted === (isKept ? 'found' : 'trimmed');
    });
    await fc.assert(found, terms);
  },
);
