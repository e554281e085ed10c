// The chain of the audit log is followed in the real store: what was changed there is found.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { AuditLog } from '../../../../src/control-plane/audit/audit-log.ts';
import { AUDIT_CHECK_ROWS } from '../../../../src/control-plane/base/control-limits.ts';
import { SqliteAudit } from '../../../../src/control-plane/store/sqlite/sqlite-audit.ts';
import { migrate } from '../../../../src/control-plane/store/sqlite/sqlite-schema.ts';
import { openSqliteStore } from '../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { Notes } from '../../../../src/control-plane/store/store.ts';
import { shortDir, TestLog } from '../support/fixtures.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { draft, notes } from '../support/notes.ts';

const ALL = { services: undefined, before: undefined, limit: 100_000 };

await t.test('entries that are trimmed while the chain is followed are no break', async (t) => {
  const database = new DatabaseSync(':memory:');
  migrate(database);
  const rowsMax = AUDIT_CHECK_ROWS + 500;
  const entries = new SqliteAudit(database, rowsMax);
  const store = {
    audit: entries,
    note: async ({ audit }: Notes) => entries.append(audit!),
  };
  const audit = new AuditLog({ store, log: new TestLog() });
  t.teardown(async () => audit.close());
  for (let index = 0; index < rowsMax; index++) entries.append(draft());
  const verdict = audit.verify(); // Has followed the first slice when it returns.
  for (let index = 0; index < AUDIT_CHECK_ROWS + 100; index++) entries.append(draft());
  t.match(await verdict, { state: /^ok$/ });
});

await t.test('trimmed to its bound, the chain begins at its anchor', async (t) => {
  const database = new DatabaseSync(':memory:');
  migrate(database);
  const entries = new SqliteAudit(database, 10);
  const log = new TestLog();
  const audit = new AuditLog({
    store: { audit: entries, note: async ({ audit }) => entries.append(audit!) },
    log,
  });
  t.teardown(async () => audit.close());
  for (let index = 0; index < 25; index++) audit.note(notes({ atMs: index }));
  await audit.flush();
  t.match(entries.ends(), { anchor: { seq: 15 }, head: { seq: 25 } });
  t.equal((await audit.latest(ALL)).length, 10);
  t.match(await audit.verify(), { state: /^ok$/, checked: 10, head: { seq: 25 } });
  database.exec('UPDATE audit_ends SET anchor_seq = 14');
  t.match(await audit.verify(), { state: 'broken', seq: 15 });
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
