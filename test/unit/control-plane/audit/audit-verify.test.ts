// The chain of the audit log is followed in the real store: what was changed there is found.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { AuditLog } from '../../../../src/control-plane/audit/audit-log.ts';
import {
  AUDIT_CHECK_ROWS,
  AUDIT_ROWS_KEPT,
} from '../../../../src/control-plane/base/control-limits.ts';
import type { Link } from '../../../../src/control-plane/store/audit-chain.ts';
import { SqliteAudit } from '../../../../src/control-plane/store/sqlite/sqlite-audit.ts';
import { migrate } from '../../../../src/control-plane/store/sqlite/sqlite-schema.ts';
import { openSqliteStore } from '../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { Notes } from '../../../../src/control-plane/store/store.ts';
import { shortDir, TestLog } from '../support/fixtures.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { draft, notes } from '../support/notes.ts';

/** Of files whose audit log tells of no trim. */
const SCHEMA_BEFORE_TRIMS = 6;

const ALL = { services: undefined, before: undefined, limit: 100_000 };

await t.test('entries that are trimmed while the chain is followed are no break', async (t) => {
  const database = new DatabaseSync(':memory:');
  migrate(database);
  const rowsKept = AUDIT_CHECK_ROWS + 500;
  const entries = new SqliteAudit(database, { rowsKept, trimRows: 10 });
  const store = {
    audit: entries,
    note: async ({ audit }: Notes) => entries.append(audit!),
  };
  const audit = new AuditLog({ store, log: new TestLog() });
  t.teardown(async () => audit.close());
  for (let index = 0; index < rowsKept; index++) entries.append(draft());
  const verdict = audit.verify(); // Has followed the first slice when it returns.
  for (let index = 0; index < AUDIT_CHECK_ROWS + 100; index++) entries.append(draft());
  t.match(await verdict, { state: /^ok$/ });
});

/** A log that keeps ten entries and trims five at a time. */
function shortLog(t: Test) {
  const database = new DatabaseSync(':memory:');
  migrate(database);
  const entries = new SqliteAudit(database, { rowsKept: 10, trimRows: 5 });
  const store = { audit: entries, note: async ({ audit }: Notes) => entries.append(audit!) };
  const audit = new AuditLog({ store, log: new TestLog() });
  t.teardown(async () => audit.close());
  return { database, entries, audit };
}

await t.test('what is trimmed is told by an entry, and the chain begins there', async (t) => {
  const { database, entries, audit } = shortLog(t);
  for (let index = 0; index < 14; index++) audit.note(notes({ atMs: index }));
  await audit.flush();
  t.equal((await audit.latest(ALL)).length, 14, 'nothing is trimmed one by one');
  audit.note(notes({ atMs: 14 }));
  const [latest, ...more] = await audit.latest(ALL);
  t.match(latest, { seq: 16, actor: 'turnout', action: 'entries trimmed', outcome: 'done' });
  t.strictSame(JSON.parse(latest!.request), {
    from: 1,
    to: 5,
    count: 5,
    hash: entries.ends().anchor.hash,
  });
  t.equal(more.length, 10);
  for (let index = 0; index < 40; index++) audit.note(notes({ atMs: index }));
  await audit.flush();
  t.ok((await audit.latest(ALL)).length < 15);
  t.match(await audit.verify(), { state: /^ok$/ });
  const { seq } = entries.ends().anchor;
  const moved = `UPDATE audit_ends SET anchor_seq = ${seq + 1},
      anchor_hash = (SELECT hash FROM audit WHERE seq = ${seq + 1});
    DELETE FROM audit WHERE seq = ${seq + 1}`;
  database.exec(moved);
  t.match(await audit.verify(), { state: 'broken', seq: seq + 1, fault: /are missing/ });
});

await t.test(
  'a log of a version that told of no trim is whole, and tells of it then',
  async (t) => {
    const { database } = shortLog(t);
    // What later steps add is not there yet.
    database.exec('ALTER TABLE tokens DROP COLUMN targets');
    for (const table of ['rollouts', 'rollout_points', 'events', 'deliveries', 'schedules']) {
      database.exec(`DROP TABLE ${table}`);
    }
    database.exec(`PRAGMA user_version = ${SCHEMA_BEFORE_TRIMS}`);
    const entries = new SqliteAudit(database, { rowsKept: 1_000_000, trimRows: 1 });
    database.exec('BEGIN');
    for (let index = 0; index < AUDIT_ROWS_KEPT + 3; index++) entries.append(draft());
    database.exec('COMMIT');
    const cut = `UPDATE audit_ends SET anchor_seq = 3, anchor_hash = (SELECT hash FROM audit WHERE seq = 3);
    DELETE FROM audit WHERE seq <= 3`;
    database.exec(cut);
    migrate(database);
    const store = { audit: new SqliteAudit(database), note: async () => {} };
    const audit = new AuditLog({ store, log: new TestLog() });
    t.match(await audit.verify(), { state: /^ok$/ });
    const [latest] = await audit.latest({ ...ALL, limit: 1 });
    t.match(latest, { action: 'entries trimmed', detail: /1 to 3/ });
  },
);

await t.test('a head that was noted is found, or it is told why not', async (t) => {
  const { entries, audit } = shortLog(t);
  const add = async (count: number): Promise<Link> => {
    for (let index = 0; index < count; index++) audit.note(notes());
    await audit.flush();
    return entries.ends().head;
  };
  const noted = await add(5);
  t.match(await audit.verify(noted), { state: /^ok$/, noted: 'found' }, 'the head itself');
  await add(9);
  t.match(await audit.verify(noted), { state: /^ok$/, noted: 'found' }, 'one before');
  await add(1);
  t.match(entries.ends().anchor, noted);
  t.match(
    await audit.verify(noted),
    { state: /^ok$/, noted: 'found' },
    'the last that was trimmed',
  );
  t.match(await audit.verify({ ...noted, seq: 4 }), { state: /^ok$/, noted: 'trimmed' });
  const other = { seq: 9, hash: 'f'.repeat(64) };
  t.match(await audit.verify(other), {
    state: 'broken',
    seq: 9,
    noted: 'missing',
    fault: /not the entry/,
  });
  const later = { seq: 99, hash: noted.hash };
  t.match(await audit.verify(later), { state: 'broken', seq: 99, fault: 'the log ends at 16' });
});

await t.test('the whole chain is followed, in slices, while entries are added', async (t) => {
  const audit = new AuditLog({ store: new MemoryStore(), log: new TestLog() });
  t.teardown(async () => audit.close());
  const count = AUDIT_CHECK_ROWS * 2 + 10;
  for (let index = 0; index < count; index++) await audit.must(notes());
  const verdict = audit.verify();
  await audit.must(notes());
  t.match(await verdict, { state: /^ok$/, checked: count + 1 });
});

/** Writes a log into a file, lets `tamper` have it, and tells what is found then. */
async function afterTampering(t: Test, tamper: (database: DatabaseSync) => void) {
  const dir = shortDir(t);
  const before = openSqliteStore(dir, new TestLog());
  for (let index = 0; index < 9; index++) {
    await before.note(notes({ atMs: index, service: index % 2 === 0 ? 'shop' : '' }), {
      mayBeLost: true,
    });
  }
  await before.close();
  const database = new DatabaseSync(join(dir, 'turnout.db'));
  tamper(database);
  database.close();
  const store = openSqliteStore(dir, new TestLog());
  const audit = new AuditLog({ store, log: new TestLog() });
  const verdict = await audit.verify();
  const entries = await audit.latest(ALL);
  await audit.must(notes({ reason: 'afterwards' }));
  const [latest] = await audit.latest({ ...ALL, limit: 1 });
  await store.close();
  return { verdict, entries, latest };
}

await t.test('no name of a service makes the chain look broken', async (t) => {
  const store = openSqliteStore(shortDir(t), new TestLog());
  t.teardown(async () => store.close());
  const audit = new AuditLog({ store, log: new TestLog() });
  // Whoever is turned away has chosen it.
  const names = ['\ud83d…', '\udc00', '\u0000x', '\r\n"', '__proto__', '\ufeffshop', '😀'];
  for (const service of names) audit.note(notes({ service }));
  t.match(await audit.verify(), { state: /^ok$/, checked: names.length });
  const [latest] = store.audit.latest({ ...ALL, services: ['😀'] });
  t.equal(latest?.service, '😀');
});

await t.test('whoever changes the file is found out, and stops nobody', async (t) => {
  const rows: readonly (readonly [string, string, number])[] = [
    [
      'a byte',
      `UPDATE audit SET entry = replace(entry, '"status":200', '"status":201') WHERE seq = 4`,
      4,
    ],
    ['a hash', `UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE seq = 4`, 4],
    ['the service', `UPDATE audit SET service = 'other' WHERE seq = 4`, 4],
    ['a row that is gone', 'DELETE FROM audit WHERE seq = 4', 4],
    ['the first row', 'DELETE FROM audit WHERE seq = 1', 1],
    ['the last row', 'DELETE FROM audit WHERE seq = 9', 9],
    ['all rows', 'DELETE FROM audit', 1],
    [
      'two that were swapped',
      `UPDATE audit SET seq = -seq WHERE seq IN (4, 5);
       UPDATE audit SET seq = 9 + seq WHERE seq < 0`,
      4,
    ],
    ['the head', 'UPDATE audit_ends SET head_seq = 8', 9],
    ['a head far back', 'UPDATE audit_ends SET head_seq = 2', 9],
    ['no ends at all', 'DELETE FROM audit_ends', 1],
    ['text that is no entry', `UPDATE audit SET entry = 'x' WHERE seq = 9`, 9],
  ];
  for (const [what, sql, seq] of rows) {
    const { verdict, entries, latest } = await afterTampering(t, (database) => database.exec(sql));
    t.match(verdict, { state: 'broken', seq, fault: /./ }, what);
    t.match(latest, { reason: 'afterwards', outcome: 'done' }, `${what}: calls go on`);
    if (what === 'text that is no entry') {
      t.match(entries[0], { action: 'UNREADABLE', request: 'x', detail: /damaged/ });
    }
  }
  const { verdict } = await afterTampering(t, () => {});
  t.match(verdict, { state: /^ok$/, checked: 9 }, 'and nobody else is');
});
