import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { HISTORY_ROWS_MAX } from '../../../../../src/control-plane/base/control-limits.ts';
import { StartError } from '../../../../../src/control-plane/base/problems.ts';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { Store, SwitchRecord } from '../../../../../src/control-plane/store/store.ts';
import { commit } from '../../support/commit.ts';
import { TestLog } from '../../support/fixtures.ts';
import { notes } from '../../support/notes.ts';
import { SERVICE, switchOf } from '../../support/stored.ts';

function open(dir: string): Store {
  return openSqliteStore(dir, new TestLog());
}

const ACTIVE_GREEN = { ...SERVICE, active: 'green', activeSinceMs: 1_000 } as const;

/** Commits a switch to green that begins `epoch`. */
async function switchIn(
  store: Store,
  epoch: number,
  changes: Partial<SwitchRecord> = {},
): Promise<void> {
  const records = [switchOf(epoch, changes)];
  await commit(store, { epoch, services: [ACTIVE_GREEN], records });
}

await t.test('a new store is empty, in a directory for its owner alone', async (t) => {
  const dir = join(t.testdir(), 'state');
  const store = open(dir);
  t.same(store.state, {
    epoch: 0,
    nextDeployment: 1,
    services: new Map(),
    freeze: undefined,
    rollouts: new Map(),
  });
  t.same(store.history({ service: undefined, limit: 10 }), []);
  t.equal(statSync(dir).mode & 0o777, 0o700);
  t.equal(store.warning, undefined);
  await store.close();
});

await t.test('what was committed is there when the store is opened again', async (t) => {
  const dir = t.testdir();
  const before = open(dir);
  await commit(before, { epoch: 1 });
  await switchIn(before, 2, { forced: true, reason: 'try' });
  await before.recordTook(2, 1.5);
  await before.close();

  const store = open(dir);
  t.match(store.state, { epoch: 2, nextDeployment: 1 });
  t.same(store.state.services, new Map([['default', ACTIVE_GREEN]]));
  t.same(store.history({ service: 'default', limit: 10 }), [
    { ...switchOf(2, { forced: true, reason: 'try' }), tookMs: 1.5 },
  ]);
  await store.close();
});

await t.test('history gives the latest first, of one service or of all', async (t) => {
  const store = open(t.testdir());
  await commit(store, { epoch: 1 });
  await switchIn(store, 2);
  await switchIn(store, 3, { service: 'shop' });
  await switchIn(store, 4);
  const epochs = (service: string | undefined, limit: number): number[] =>
    store.history({ service, limit }).map((entry) => entry.epoch);
  t.same(epochs(undefined, 10), [4, 3, 2]);
  t.same(epochs('default', 10), [4, 2]);
  t.same(epochs(undefined, 1), [4]);
  t.equal(store.history({ service: undefined, limit: 1 })[0]?.tookMs, undefined);
  await store.close();
});

await t.test('history keeps no more rows than its bound', async (t) => {
  const dir = t.testdir();
  const store = open(dir);
  await commit(store, { epoch: 1 });
  await store.close();
  const raw = new DatabaseSync(join(dir, 'turnout.db'));
  raw.exec(`WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ${HISTORY_ROWS_MAX + 50})
    INSERT INTO switches SELECT i, 'default', 'blue', 'green', '', 0, 0, 0, NULL, 'switched', 0, '', '' FROM n`);
  raw.close();
  const again = open(dir);
  await switchIn(again, HISTORY_ROWS_MAX + 100);
  t.equal(again.history({ service: undefined, limit: 100_000 }).length, HISTORY_ROWS_MAX);
  await again.close();
});

await t.test('who switches most pushes out what he did himself', async (t) => {
  const dir = t.testdir();
  const store = open(dir);
  await commit(store, { epoch: 1 });
  await switchIn(store, 2, { actor: 'ops', reason: 'honest' });
  await switchIn(store, 3, { actor: 'flood', service: 'shop', reason: 'elsewhere' });
  await store.close();
  const raw = new DatabaseSync(join(dir, 'turnout.db'));
  raw.exec(`WITH RECURSIVE n(i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < ${HISTORY_ROWS_MAX + 50})
    INSERT INTO switches SELECT i, 'default', 'blue', 'green', '', 0, 0, 0, NULL, 'switched', 0, '', 'flood' FROM n`);
  raw.close();
  const again = open(dir);
  const epoch = HISTORY_ROWS_MAX + 100;
  await switchIn(again, epoch, { actor: 'flood' });
  const left = again.history({ service: undefined, limit: 100_000 });
  t.equal(left.length, HISTORY_ROWS_MAX);
  t.same(
    left.slice(-2).map(({ reason }) => reason),
    ['elsewhere', 'honest'],
  );
  t.equal(left[0]?.epoch, epoch);
  await again.close();
});

await t.test('a commit that fails half way leaves nothing behind, also in memory', async (t) => {
  const store = open(t.testdir());
  await commit(store, { epoch: 1 });
  await switchIn(store, 2);
  const before = store.state;
  const twice = { epoch: 3, records: [switchOf(2)] };
  await t.rejects(commit(store, twice), { name: 'StoreError', message: /UNIQUE/ });
  t.equal(store.state, before);
  t.equal(store.state.services.get('default')?.active, 'green');
  await t.resolves(switchIn(store, 3), 'and the next one works');
  await store.close();
});

await t.test('a commit that was decided on in another epoch is lost', async (t) => {
  const dir = t.testdir();
  const store = open(dir);
  await commit(store, { epoch: 1 });
  await switchIn(store, 2);
  const change = { nextDeployment: 9, services: [SERVICE], records: [switchOf(3)] };
  for (const [expected, epoch] of [
    [1, 2],
    [3, 4],
  ] as const) {
    const outcome = await store.commit({ epoch, ...change }, { id: 'x', expected });
    t.strictSame(outcome, { kind: 'lost', epoch: 2 });
  }
  t.match(store.state, { epoch: 2, nextDeployment: 1 });
  await store.close();
  const again = open(dir);
  t.match(again.state, { epoch: 2, nextDeployment: 1 });
  t.equal(again.history({ service: undefined, limit: 9 }).length, 1);
  await again.close();
});

await t.test('what is known is replaced as a whole, never changed', async (t) => {
  const store = open(t.testdir());
  await commit(store, { epoch: 1 });
  const before = store.state;
  t.equal(store.state, before, 'nothing is read again');
  await switchIn(store, 2);
  t.equal(before.epoch, 1);
  t.equal(before.services.get('default')?.active, 'blue');
  t.equal(store.state.services.get('default')?.active, 'green');
  await store.setFreeze({ reason: 'sale', actor: 'ann', atMs: 1 }, notes());
  t.match(store.state, { epoch: 2, freeze: { reason: 'sale' } });
  await commit(store, { epoch: 3 });
  t.match(store.state.freeze, { reason: 'sale' });
  await store.close();
});

await t.test('a directory that another one uses is refused with one line', async (t) => {
  const dir = t.testdir();
  const store = open(dir);
  t.throws(() => open(dir), {
    name: 'StartError',
    message: /^the state directory .* is in use by /,
  });
  await store.close();
  await open(dir).close();
});

await t.test('a file of a newer version is refused and not touched', async (t) => {
  const dir = t.testdir();
  await open(dir).close();
  const path = join(dir, 'turnout.db');
  const raw = new DatabaseSync(path);
  raw.exec('PRAGMA user_version = 99');
  raw.close();
  t.throws(() => open(dir), /schema 99, this version knows up to \d+/);
  t.notOk(readdirSync(dir).some((name) => name.includes('damaged')));
});

await t.test('a directory that cannot be made is refused with one line', async (t) => {
  const dir = t.testdir({ file: '' });
  t.throws(() => open(join(dir, 'file', 'state')), StartError);
});

await t.test('a damaged file is set aside and its last good copy is used', async (t) => {
  const dir = t.testdir();
  const before = open(dir);
  await commit(before, { epoch: 1 });
  await switchIn(before, 2);
  await before.close();
  writeFileSync(join(dir, 'turnout.db'), 'this is no database, and it is long enough to be read');

  const log = new TestLog();
  const store = openSqliteStore(dir, log);
  t.equal(store.state.services.get('default')?.active, 'green');
  t.match(store.warning, /set aside as .*turnout\.db\.damaged-.*the last good copy is used/);
  t.match(log.lines, [{ level: 'error', message: 'THE STATE FILE WAS NOT AS IT WAS LEFT' }]);
  const aside = readdirSync(dir).find((name) => name.startsWith('turnout.db.damaged-'));
  t.match(readFileSync(join(dir, aside!), 'utf8'), /this is no database/);
  await store.close();
});

await t.test('where the copy is damaged too, an empty store is opened and says so', async (t) => {
  const dir = t.testdir({
    'turnout.db': 'garbage '.repeat(100),
    'turnout.db.good': 'worse '.repeat(100),
  });
  const store = open(dir);
  t.equal(store.state.epoch, 0);
  t.match(store.warning, /the colors of the configuration are active: check/);
  await store.close();
});

await t.test('a page that was overwritten inside the file counts as damage', async (t) => {
  const dir = t.testdir();
  const before = open(dir);
  await commit(before, { epoch: 1 });
  for (let epoch = 2; epoch < 200; epoch++) {
    await switchIn(before, epoch, { reason: 'x'.repeat(200) });
  }
  await before.close();
  const path = join(dir, 'turnout.db');
  const bytes = readFileSync(path);
  bytes.fill(0x5a, 4_096, bytes.length);
  writeFileSync(path, bytes);
  const store = open(dir);
  t.match(store.warning, /damaged/);
  t.equal(store.state.epoch, 199);
  await store.close();
});
