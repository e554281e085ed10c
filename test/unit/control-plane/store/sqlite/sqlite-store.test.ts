import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { HISTORY_ROWS_MAX } from '../../../../../src/control-plane/base/control-limits.ts';
import { StartError } from '../../../../../src/control-plane/base/problems.ts';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type {
  Store,
  StoredChange,
  StoredService,
  SwitchRecord,
} from '../../../../../src/control-plane/store/store.ts';
import { NO_STATE } from '../../../../../src/control-plane/store/service-state.ts';
import { TestLog } from '../../support/fixtures.ts';

function open(dir: string): Store {
  return openSqliteStore(dir, new TestLog());
}

/** Returns a switch as it is stored. */
function switched(changes: Partial<SwitchRecord> = {}): StoredChange {
  const made = record(changes);
  const { generation, service: name, to: active, atMs: sinceAtMs } = made;
  const service = { name, active, since: generation, sinceAtMs, state: NO_STATE };
  return { generation, fingerprint: 'f', services: [service], record: made };
}

function record(changes: Partial<SwitchRecord> = {}): SwitchRecord {
  return {
    generation: 2,
    service: 'default',
    from: 'blue',
    to: 'green',
    release: 'v2',
    atMs: 1_000,
    outcome: 'switched',
    left: { release: 'v1', urls: ['http://127.0.0.1:3001'] },
    forced: false,
    reason: '',
    actor: '127.0.0.1',
    ...changes,
  };
}

const FIRST: StoredService = {
  name: 'default',
  active: 'blue',
  since: 1,
  sinceAtMs: 500,
  state: NO_STATE,
};

function adoptFirst(store: Store): void {
  store.begin({ generation: 1, fingerprint: 'f' }, [FIRST]);
}

await t.test('a new store is empty, in a directory for its owner alone', async (t) => {
  const dir = join(t.testdir(), 'state');
  const store = open(dir);
  t.same(store.load(), { generation: 0, fingerprint: '', services: new Map() });
  t.same(store.history({ service: undefined, limit: 10 }), []);
  t.equal(statSync(dir).mode & 0o777, 0o700);
  t.equal(store.warning, undefined);
  await store.close();
});

await t.test('what was committed is there when the store is opened again', async (t) => {
  const dir = t.testdir();
  const before = open(dir);
  adoptFirst(before);
  before.commit(switched({ forced: true, reason: 'try' }));
  before.recordTook(2, 1.5);
  await before.close();

  const store = open(dir);
  t.same(store.load(), {
    generation: 2,
    fingerprint: 'f',
    services: new Map([['default', { ...FIRST, active: 'green', since: 2, sinceAtMs: 1_000 }]]),
  });
  t.same(store.history({ service: 'default', limit: 10 }), [
    { ...record({ forced: true, reason: 'try' }), tookMs: 1.5 },
  ]);
  await store.close();
});

await t.test('history gives the latest first, of one service or of all', async (t) => {
  const store = open(t.testdir());
  adoptFirst(store);
  store.commit(switched({ generation: 2 }));
  store.commit(switched({ generation: 3, service: 'shop' }));
  store.commit(switched({ generation: 4 }));
  const generations = (service: string | undefined, limit: number): number[] =>
    store.history({ service, limit }).map((entry) => entry.generation);
  t.same(generations(undefined, 10), [4, 3, 2]);
  t.same(generations('default', 10), [4, 2]);
  t.same(generations(undefined, 1), [4]);
  t.equal(store.history({ service: undefined, limit: 1 })[0]?.tookMs, undefined);
  await store.close();
});

await t.test('history keeps no more rows than its bound', async (t) => {
  const dir = t.testdir();
  const store = open(dir);
  adoptFirst(store);
  await store.close();
  const raw = new DatabaseSync(join(dir, 'turnout.db'));
  raw.exec(`WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ${HISTORY_ROWS_MAX + 50})
    INSERT INTO switches SELECT i, 'default', 'blue', 'green', '', 0, NULL, 'switched', 0, '', '', '{"release":"","urls":[]}' FROM n`);
  raw.close();
  const again = open(dir);
  again.commit(switched({ generation: HISTORY_ROWS_MAX + 100 }));
  t.equal(again.history({ service: undefined, limit: 100_000 }).length, HISTORY_ROWS_MAX);
  await again.close();
});

await t.test('who switches most pushes out what he did himself', async (t) => {
  const dir = t.testdir();
  const store = open(dir);
  adoptFirst(store);
  store.commit(switched({ generation: 2, actor: 'ops', reason: 'honest' }));
  store.commit(switched({ generation: 3, actor: 'flood', service: 'shop', reason: 'elsewhere' }));
  await store.close();
  const raw = new DatabaseSync(join(dir, 'turnout.db'));
  raw.exec(`WITH RECURSIVE n(i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < ${HISTORY_ROWS_MAX + 50})
    INSERT INTO switches SELECT i, 'default', 'blue', 'green', '', 0, NULL, 'switched', 0, '', 'flood', '{"release":"","urls":[]}' FROM n`);
  raw.close();
  const again = open(dir);
  const generation = HISTORY_ROWS_MAX + 100;
  again.commit(switched({ generation, actor: 'flood' }));
  const left = again.history({ service: undefined, limit: 100_000 });
  t.equal(left.length, HISTORY_ROWS_MAX);
  t.same(
    left.slice(-2).map(({ reason }) => reason),
    ['elsewhere', 'honest'],
  );
  t.equal(left[0]?.generation, generation);
  await again.close();
});

await t.test('a commit that fails half way leaves nothing behind', async (t) => {
  const store = open(t.testdir());
  adoptFirst(store);
  store.commit(switched());
  t.throws(() => store.commit(switched({ to: 'blue', from: 'green' })), /UNIQUE/);
  t.match(store.load(), { generation: 2 });
  t.equal(store.load().services.get('default')?.active, 'green');
  t.doesNotThrow(() => store.commit(switched({ generation: 3 })), 'and the next one works');
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
  adoptFirst(before);
  before.commit(switched());
  await before.close();
  writeFileSync(join(dir, 'turnout.db'), 'this is no database, and it is long enough to be read');

  const log = new TestLog();
  const store = openSqliteStore(dir, log);
  t.equal(store.load().services.get('default')?.active, 'green');
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
  t.equal(store.load().generation, 0);
  t.match(store.warning, /the colors of the configuration are active: check/);
  await store.close();
});

await t.test('a page that was overwritten inside the file counts as damage', async (t) => {
  const dir = t.testdir();
  const before = open(dir);
  adoptFirst(before);
  for (let generation = 2; generation < 200; generation++) {
    before.commit(switched({ generation, reason: 'x'.repeat(200) }));
  }
  await before.close();
  const path = join(dir, 'turnout.db');
  const bytes = readFileSync(path);
  bytes.fill(0x5a, 4_096, bytes.length);
  writeFileSync(path, bytes);
  const store = open(dir);
  t.match(store.warning, /damaged/);
  t.equal(store.load().generation, 199);
  await store.close();
});
