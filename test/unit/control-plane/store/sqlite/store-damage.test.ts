// What a power cut or a bad disk leaves behind: a WAL that ends anywhere, pages that are half new.
// What is opened then is whole, or the last good copy is used and said to be.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { AuditLog, startNotes } from '../../../../../src/control-plane/audit/audit-log.ts';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import { Random } from '../../../../support/random.ts';
import { TestLog } from '../../support/fixtures.ts';
import { lookInto, writeAndKill, type Found } from '../../support/killed-store.ts';

const SEED = Number(process.env['TURNOUT_TEST_SEED'] ?? Date.now() % 1_000_000);
const CUTS = 60;
const PAGE_BYTES = 4_096;
/** https://sqlite.org/fileformat2.html#walformat */
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/** Returns a directory beside which there is room for copies. */
function stateDir(t: Test): string {
  return join(t.testdir({ state: {} }), 'state');
}

/** Returns a copy of `dir` for one experiment, in place of the one before. */
function copyOf(dir: string, name: string): string {
  const copy = join(dirname(dir), name);
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy);
  for (const file of readdirSync(dir)) copyFileSync(join(dir, file), join(copy, file));
  return copy;
}

interface Opened extends Found {
  readonly isRestored: boolean;
}

/** Opens what is in `dir` and looks whether it fits together. */
async function look(dir: string): Promise<Opened> {
  const store = openSqliteStore(dir, new TestLog());
  try {
    return { ...lookInto(store), isRestored: store.warning !== undefined };
  } finally {
    await store.close();
  }
}

await t.test('a WAL that ends anywhere gives the state of some moment before', async (t) => {
  t.comment(`TURNOUT_TEST_SEED=${SEED}`);
  const random = new Random(SEED);
  const dir = stateDir(t);
  await writeAndKill(dir, 60);
  const length = statSync(join(dir, 'turnout.db-wal')).size;
  const cuts = Array.from({ length: CUTS }, () => random.below(length + 1)).toSorted(
    (a, b) => a - b,
  );
  const whole = await look(copyOf(dir, 'whole'));
  t.ok(whole.epoch > 20, `epoch ${whole.epoch}`);
  let before = 0;
  for (const at of [0, ...cuts, length]) {
    const copy = copyOf(dir, 'cut');
    truncateSync(join(copy, 'turnout.db-wal'), at);
    const found = await look(copy);
    t.match(
      found,
      { faults: [], isChainWhole: true, isRestored: false },
      `cut at ${at} of ${length}`,
    );
    t.ok(found.epoch >= before, 'a later cut never has less');
    before = found.epoch;
  }
  t.equal(before, whole.epoch);
});

await t.test('a WAL whose end is garbage gives the state of some moment before', async (t) => {
  const random = new Random(SEED);
  const dir = stateDir(t);
  await writeAndKill(dir, 40);
  for (let index = 0; index < CUTS / 2; index++) {
    const copy = copyOf(dir, 'torn');
    const path = join(copy, 'turnout.db-wal');
    const bytes = readFileSync(path);
    const at = WAL_HEADER_BYTES + random.below(bytes.length - WAL_HEADER_BYTES);
    // A sector that was never written: zeros, or what was there before.
    bytes.fill(index % 2 === 0 ? 0 : 0x5a, at, Math.min(at + 512, bytes.length));
    writeFileSync(path, bytes);
    t.match(
      await look(copy),
      { faults: [], isChainWhole: true, isRestored: false },
      `torn at ${at}`,
    );
  }
});

/** Returns the numbers of the pages that the WAL of `dir` has, without the first. */
function pagesInWal(dir: string): Set<number> {
  const bytes = readFileSync(join(dir, 'turnout.db-wal'));
  const pages = new Set<number>();
  const frame = FRAME_HEADER_BYTES + PAGE_BYTES;
  for (let at = WAL_HEADER_BYTES; at + frame <= bytes.length; at += frame) {
    pages.add(bytes.readUInt32BE(at));
  }
  return pages;
}

await t.test('a page that was torn while the WAL was written back is mended from it', async (t) => {
  const dir = stateDir(t);
  await writeAndKill(dir, 30);
  // Closed in order, everything is in the file; then there is a new WAL.
  await openSqliteStore(dir, new TestLog()).close();
  await writeAndKill(dir, 30);
  const whole = await look(copyOf(dir, 'whole'));
  const size = statSync(join(dir, 'turnout.db')).size;
  const pages = [...pagesInWal(dir)].filter((page) => page * PAGE_BYTES <= size);
  t.ok(pages.length > 5, `${pages.length} pages are in both`);
  for (const page of pages) {
    const copy = copyOf(dir, 'page');
    const path = join(copy, 'turnout.db');
    const bytes = readFileSync(path);
    bytes.fill(0x5a, (page - 1) * PAGE_BYTES + PAGE_BYTES / 2, page * PAGE_BYTES);
    writeFileSync(path, bytes);
    t.strictSame(await look(copy), whole, `page ${page}`);
  }
});

await t.test('a torn page that nothing can mend is never taken for the truth', async (t) => {
  const dir = stateDir(t);
  await writeAndKill(dir, 60);
  await openSqliteStore(dir, new TestLog()).close();
  t.notOk(existsSync(join(dir, 'turnout.db-wal')));
  const whole = await look(copyOf(dir, 'whole'));
  const bytes = readFileSync(join(dir, 'turnout.db'));
  const counts = { restored: 0, broken: 0, unharmed: 0 };
  for (let page = 0; page * PAGE_BYTES < bytes.length; page++) {
    for (const half of [0, PAGE_BYTES / 2]) {
      const copy = copyOf(dir, 'page');
      const torn = Buffer.from(bytes);
      const at = page * PAGE_BYTES + half;
      torn.fill(0x5a, at, at + PAGE_BYTES / 2);
      writeFileSync(join(copy, 'turnout.db'), torn);
      checkTorn(t, await look(copy), { whole, at, counts });
    }
  }
  t.comment(JSON.stringify(counts));
  t.ok(counts.restored > 0, 'some were restored');
});

function checkTorn(
  t: Test,
  found: Opened,
  {
    whole,
    at,
    counts,
  }: {
    readonly whole: Opened;
    readonly at: number;
    readonly counts: { restored: number; broken: number; unharmed: number };
  },
): void {
  if (found.isRestored) {
    counts.restored++;
    t.match(found, { faults: [], isChainWhole: true }, `torn at ${at}: the copy is whole`);
  } else {
    counts[found.isChainWhole ? 'unharmed' : 'broken']++;
    // What SQLite itself can't see is in the text of rows: the chain tells.
    t.equal(found.epoch, whole.epoch, `torn at ${at}: nothing is lost`);
    if (found.isChainWhole) t.strictSame(found.faults, [], `torn at ${at}: nothing is wrong`);
  }
}

await t.test('what was restored from the copy says so in the audit log', async (t) => {
  const dir = stateDir(t);
  await writeAndKill(dir, 20);
  await openSqliteStore(dir, new TestLog()).close();
  writeFileSync(join(dir, 'turnout.db'), 'this is no database at all');
  const store = openSqliteStore(dir, new TestLog());
  const audit = new AuditLog({ store, log: new TestLog() });
  audit.note(startNotes('1.2.3', store.state.epoch, store.warning));
  t.match(await audit.verify(), { state: /^ok$/ });
  const [entry] = await audit.latest({ services: undefined, before: undefined, limit: 1 });
  t.match(entry, { actor: 'turnout', action: 'start', detail: /the last good copy is used/ });
  await store.close();
});

await t.test('rows that make no sense count as damage when the store is opened', async (t) => {
  const dir = stateDir(t);
  await writeAndKill(dir, 20);
  await openSqliteStore(dir, new TestLog()).close();
  for (const sql of [
    `UPDATE services SET state = '{'`,
    `PRAGMA ignore_check_constraints = 1; UPDATE switches SET to_color = 'red'`,
  ]) {
    const copy = copyOf(dir, 'rows');
    const database = new DatabaseSync(join(copy, 'turnout.db'));
    database.exec(sql);
    database.close();
    t.match(await look(copy), { isRestored: true, faults: [], isChainWhole: true }, sql);
  }
});
