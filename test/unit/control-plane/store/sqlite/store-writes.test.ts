// Each write of the store with what belongs to it: the entry, the answer, the note of who holds the
// directory, the copy. Of a write that fails nothing is there, whichever part has failed.

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mock } from 'node:test';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { STORE_COPY_DELAY_MS } from '../../../../../src/control-plane/base/control-limits.ts';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { Notes, Store } from '../../../../../src/control-plane/store/store.ts';
import { commit } from '../../support/commit.ts';
import { TestLog } from '../../support/fixtures.ts';
import { notes } from '../../support/notes.ts';
import { switchOf, TOKEN } from '../../support/stored.ts';

function open(t: Test): { readonly store: Store; readonly dir: string } {
  const dir = t.testdir();
  const store = openSqliteStore(dir, new TestLog());
  t.teardown(async () => store.close());
  return { store, dir };
}

async function adopt(store: Store, epoch: number, noted?: Notes): Promise<void> {
  await commit(store, { epoch, notes: noted });
}

/** Notes whose entry cannot be written. */
function broken(): Notes {
  const { audit, answer } = notes();
  return { audit: { ...audit, service: null as never }, answer };
}

/** Returns the actions of all entries, the oldest first. */
function actions(store: Store): unknown[] {
  return store.audit
    .after(0, 100)
    .map(({ text }) => (JSON.parse(text) as { action: string }).action);
}

await t.test('each write brings its entry', async (t) => {
  const { store } = open(t);
  await adopt(store, 1, notes({ action: 'start' }));
  await store.tokens.add(TOKEN, notes({ action: 'made' }));
  await store.tokens.revoke('id', 2, notes({ action: 'revoked' }));
  t.strictSame(actions(store), ['start', 'made', 'revoked']);
});

await t.test('without its entry nothing is written', async (t) => {
  const { store } = open(t);
  await adopt(store, 1);
  await t.rejects(adopt(store, 2, broken()));
  t.equal(store.state.epoch, 1);
  await t.rejects(store.tokens.add(TOKEN, broken()));
  t.same(store.tokens.all(), []);
  await store.tokens.add(TOKEN, notes());
  await t.rejects(store.tokens.revoke('id', 2, broken()));
  t.match(store.tokens.all(), [{ revokedAtMs: undefined }]);
});

await t.test('an entry stays away with what it tells of', async (t) => {
  const { store } = open(t);
  await store.tokens.add(TOKEN, notes({ action: 'made' }));
  await t.rejects(store.tokens.add(TOKEN, notes({ action: 'again' })), /UNIQUE/);
  t.strictSame(actions(store), ['made']);
});

await t.test('what may be lost is written all the same', async (t) => {
  const { store, dir } = open(t);
  await store.note(notes({ key: 'one' }), { mayBeLost: false });
  await store.note(notes({ key: 'two' }), { mayBeLost: false });
  await store.tokens.add(TOKEN, notes());
  await store.tokens.touch('id', 7);
  await store.answers.complete('one', 'complete');
  await store.close();
  const again = openSqliteStore(dir, new TestLog());
  t.match(again.tokens.all(), [{ lastUsedAtMs: 7 }]);
  t.match(again.answers.find('one', 0), { body: 'complete' });
  t.match(again.answers.find('two', 0), { body: 'answer to two' }, 'of this key alone');
  await again.close();
});

await t.test('an answer that is given anew under its key replaces the one before', async (t) => {
  const { store } = open(t);
  await store.note(notes({ key: 'one', status: 409 }), { mayBeLost: false });
  await store.note(notes({ key: 'one', status: 200 }), { mayBeLost: false });
  t.match(store.answers.find('one', 0), { status: 200 });
});

await t.test('how long a switch took is told of that switch alone', async (t) => {
  const { store } = open(t);
  for (const epoch of [2, 3]) await commit(store, { epoch, records: [switchOf(epoch)] });
  await store.recordTook(3, 1.5);
  const took = store.history({ service: undefined, limit: 9 }).map(({ tookMs }) => tookMs);
  t.strictSame(took, [1.5, undefined]);
});

await t.test('the directory tells who holds it, for as long as that is so', async (t) => {
  const { store, dir } = open(t);
  const note = join(dir, 'turnout.holder');
  t.match(JSON.parse(readFileSync(note, 'utf8')), { pid: process.pid });
  t.throws(
    () => openSqliteStore(dir, new TestLog()),
    new RegExp(`in use by process ${process.pid} `),
  );
  await store.close();
  t.notOk(existsSync(note));
});

await t.test('no file of the store can be read by others', async (t) => {
  const umask = process.umask(0);
  t.teardown(() => process.umask(umask));
  const dir = t.testdir();
  // An earlier version, or a backup that was restored, has left it like this.
  writeFileSync(join(dir, 'turnout.db'), '', { mode: 0o644 });
  const store = openSqliteStore(dir, new TestLog());
  await adopt(store, 1);
  const modes = () =>
    Object.fromEntries(
      readdirSync(dir).map((name) => [name, statSync(join(dir, name)).mode & 0o777]),
    );
  t.match(modes(), { 'turnout.db': 0o600, 'turnout.db-wal': 0o600, 'turnout.holder': 0o600 });
  await store.close();
  t.strictSame(modes(), { 'turnout.db': 0o600, 'turnout.db.good': 0o600 });
});

await t.test('a directory is for its owner alone, whatever the umask says', async (t) => {
  const umask = process.umask(0o277);
  const dir = join(t.testdir(), 'state');
  try {
    await openSqliteStore(dir, new TestLog()).close();
  } finally {
    process.umask(umask);
  }
  t.equal(statSync(dir).mode & 0o777, 0o700);
});

/** Reads the epoch out of the copy. */
function copied(dir: string): number {
  const raw = new DatabaseSync(join(dir, 'turnout.db.good'), { readOnly: true });
  try {
    return Number(raw.prepare('SELECT epoch FROM position').get()?.['epoch'] ?? 0);
  } finally {
    raw.close();
  }
}

await t.test('a commit renews the copy, once for all commits of a moment', async (t) => {
  const { store: before, dir } = open(t);
  await adopt(before, 1);
  await before.close();
  t.equal(copied(dir), 1, 'a store that is closed has a copy of all');

  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const store = openSqliteStore(dir, new TestLog());
  const copy = join(dir, 'turnout.db.good');
  const inode = (): number => statSync(copy).ino;
  const first = inode();
  await adopt(store, 2);
  await adopt(store, 3);
  mock.timers.tick(STORE_COPY_DELAY_MS - 1);
  t.equal(inode(), first, 'there is a pause');
  mock.timers.tick(1);
  // With nothing left to wait for, a close copies nothing: what it waits for is the copy that runs.
  await store.close();
  t.not(inode(), first);
  t.equal(copied(dir), 3);
  t.notOk(existsSync(join(dir, 'turnout.db.copying')));
});

await t.test('a copy that is half done is never taken for one', async (t) => {
  const { store, dir } = open(t);
  await adopt(store, 1);
  await store.close();
  // What a kill in the middle of a copy leaves.
  const half = readFileSync(join(dir, 'turnout.db.good')).subarray(0, 5_000);
  writeFileSync(join(dir, 'turnout.db.copying'), half, { mode: 0o644 });
  const log = new TestLog();
  const again = openSqliteStore(dir, log);
  await adopt(again, 2);
  await again.close();
  t.equal(copied(dir), 2);
  t.equal(statSync(join(dir, 'turnout.db.good')).mode & 0o777, 0o600);
  t.same(log.lines, []);
});

await t.test('a copy waits for the one that runs', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const dir = t.testdir();
  const log = new TestLog();
  const store = openSqliteStore(dir, log);
  log.lines.length = 0;
  for (let epoch = 1; epoch <= 5; epoch++) {
    await adopt(store, epoch);
    mock.timers.tick(STORE_COPY_DELAY_MS);
  }
  await store.close();
  t.same(log.lines, []);
  t.equal(copied(dir), 5);
});

await t.test('a copy that fails is told, once for all commits of a moment', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const dir = t.testdir({ 'turnout.db.copying': { 'a file': 'in the way' } });
  const log = new TestLog();
  const store = openSqliteStore(dir, log);
  log.lines.length = 0;
  for (let epoch = 1; epoch <= 3; epoch++) await adopt(store, epoch);
  mock.timers.tick(STORE_COPY_DELAY_MS);
  await store.close();
  t.match(log.lines, [{ level: 'warn', message: /copy of the state file was not renewed/ }]);
  t.equal(log.lines.length, 1);
});
