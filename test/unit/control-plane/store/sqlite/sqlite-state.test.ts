// What the store keeps beside switches, and files that an earlier version has written.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { firstTable } from '../../../../../src/control-plane/switching/table-state.ts';
import type { ServiceState } from '../../../../../src/control-plane/store/service-state.ts';
import { Slots } from '../../../../../src/control-plane/memory/slots.ts';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { Store, SwitchRecord } from '../../../../../src/control-plane/store/store.ts';
import { config, QUIET, TestLog } from '../../support/fixtures.ts';
import { notes } from '../../support/notes.ts';
import { SERVICE } from '../../support/stored.ts';

function open(dir: string): Store {
  return openSqliteStore(dir, new TestLog());
}

const STATE: ServiceState = {
  blue: {
    release: 'v1',
    urls: ['http://x:1'],
    hasServed: true,
    configured: 'c',
    lockedOut: { reason: '"5xx"', actor: 'loopback', atMs: 1, generation: 4 },
  },
  green: {
    release: 'ü "quoted"',
    urls: ["it's", '\u0000'],
    hasServed: false,
    configured: '',
    lockedOut: undefined,
  },
  resumed: [4],
  draining: [
    {
      release: 'v0',
      urls: ['http://x:2'],
      generation: 1,
      resumed: [],
      color: 'green',
      startedAtMs: 1,
      sessionsUntilMs: 2,
      endsAtMs: 3,
      longLived: 'linger',
    },
  ],
  maintenance: { message: 'soon', retryAfterSeconds: 60 },
};

const RECORD: SwitchRecord = {
  generation: 3,
  service: 'default',
  from: 'blue',
  to: 'green',
  release: 'v2',
  atMs: 1_000,
  outcome: 'switched',
  left: { release: 'v1', urls: ['http://127.0.0.1:3001', 'unix:/a b'] },
  forced: false,
  reason: '',
  actor: 'unix',
};

/** Opens a store in which generation 1 was adopted; resolves with the store and its directory. */
function adopted(t: Test): { store: Store; dir: string } {
  const dir = t.testdir();
  const store = open(dir);
  store.begin({ generation: 1, fingerprint: 'first' }, [SERVICE]);
  return { store, dir };
}

await t.test('a change that is no switch is stored and is no history', async (t) => {
  const { store, dir } = adopted(t);
  const service = { ...SERVICE, state: STATE };
  store.commit({ generation: 2, fingerprint: 'second', services: [service], record: undefined });
  await store.close();

  const again = open(dir);
  t.same(again.load(), {
    generation: 2,
    fingerprint: 'second',
    services: new Map([['default', service]]),
  });
  t.same(again.history({ service: undefined, limit: 9 }), []);
  await again.close();
});

await t.test('a switch is stored with the state it left and what a rollback needs', async (t) => {
  const { store, dir } = adopted(t);
  const service = {
    ...SERVICE,
    active: 'green',
    since: 3,
    sinceAtMs: 1_000,
    state: STATE,
  } as const;
  store.commit({ generation: 3, fingerprint: 'third', services: [service], record: RECORD });
  await store.close();

  const again = open(dir);
  t.same(again.load().services.get('default'), service);
  t.same(again.history({ service: 'default', limit: 9 }), [{ ...RECORD, tookMs: undefined }]);
  await again.close();
});

await t.test('of a change that fails nothing is stored, not even its state', async (t) => {
  const { store } = adopted(t);
  store.commit({ generation: 3, fingerprint: 'third', services: [SERVICE], record: RECORD });
  const service = { ...SERVICE, since: 4, state: STATE };
  const twice = { generation: 4, fingerprint: 'fourth', services: [service], record: RECORD };
  t.throws(() => store.commit(twice), /UNIQUE/);
  t.match(store.load(), { generation: 3, fingerprint: 'third' });
  t.same(store.load().services.get('default'), SERVICE);
  await store.close();
});

await t.test('the state of one service leaves that of another alone', async (t) => {
  const { store } = adopted(t);
  const shop = { ...SERVICE, name: 'shop', state: STATE };
  store.commit({ generation: 2, fingerprint: '', services: [shop], record: undefined });
  t.same([...store.load().services.values()], [SERVICE, shop]);
  await store.close();
});

await t.test('a state that cannot be read is damage: the last good copy is used', async (t) => {
  const { store, dir } = adopted(t);
  await store.close();
  const raw = new DatabaseSync(join(dir, 'turnout.db'));
  raw.exec(`UPDATE services SET state = '{"draining":0}'`);
  raw.close();
  const again = open(dir);
  t.match(again.warning, /the state of a service cannot be read.*the last good copy is used/);
  t.same(again.load().services.get('default'), SERVICE);
  await again.close();
});

/** Makes the file that version 1 made, with one switch in it. */
function makeVersion1(dir: string): void {
  const raw = new DatabaseSync(join(dir, 'turnout.db'));
  raw.exec(`
    CREATE TABLE position (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      generation INTEGER NOT NULL,
      fingerprint TEXT NOT NULL
    ) STRICT;
    CREATE TABLE services (
      name TEXT PRIMARY KEY,
      active TEXT NOT NULL CHECK (active IN ('blue', 'green')),
      since INTEGER NOT NULL,
      since_at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE switches (
      generation INTEGER PRIMARY KEY,
      service TEXT NOT NULL,
      from_color TEXT NOT NULL CHECK (from_color IN ('blue', 'green')),
      to_color TEXT NOT NULL CHECK (to_color IN ('blue', 'green')),
      release TEXT NOT NULL,
      at_ms INTEGER NOT NULL,
      took_ms REAL,
      outcome TEXT NOT NULL CHECK (outcome IN ('switched', 'rolled-back')),
      forced INTEGER NOT NULL,
      reason TEXT NOT NULL,
      actor TEXT NOT NULL
    ) STRICT;
    CREATE INDEX switches_by_service ON switches (service, generation);
    INSERT INTO position VALUES (1, 2, 'old');
    INSERT INTO services VALUES ('default', 'green', 2, 700);
    INSERT INTO switches VALUES (2, 'default', 'blue', 'green', 'v2', 700, 1.5, 'switched', 1, 'why', 'unix');
    PRAGMA user_version = 1;
  `);
  raw.close();
}

await t.test('a file of version 1 is brought up to date with all that is in it', async (t) => {
  const dir = t.testdir();
  makeVersion1(dir);
  const store = open(dir);
  t.equal(store.warning, undefined);
  const service = { ...SERVICE, active: 'green', since: 2, sinceAtMs: 700 };
  t.same(store.load(), {
    generation: 2,
    fingerprint: 'old',
    services: new Map([['default', service]]),
    freeze: undefined,
  });
  t.same(store.history({ service: 'default', limit: 9 }), [
    {
      ...RECORD,
      generation: 2,
      atMs: 700,
      tookMs: 1.5,
      left: { release: '', urls: [] },
      forced: true,
      reason: 'why',
    },
  ]);
  store.commit({
    generation: 3,
    fingerprint: 'new',
    services: [{ ...SERVICE, state: STATE }],
    record: RECORD,
  });
  await store.close();

  const again = open(dir);
  t.same(again.load().services.get('default')?.state, STATE);
  t.same(
    again.history({ service: undefined, limit: 9 }).map(({ left }) => left),
    [RECORD.left, { release: '', urls: [] }],
  );
  await again.close();
  const raw = new DatabaseSync(join(dir, 'turnout.db'));
  t.ok(Number(raw.prepare('PRAGMA user_version').get()?.['user_version']) > 1);
  raw.close();
});

await t.test('a first table can be made of what version 1 has stored', async (t) => {
  const dir = t.testdir();
  makeVersion1(dir);
  const store = open(dir);
  const table = firstTable(config(dir), store.load(), new Slots(QUIET), 0);
  t.match(table, {
    generation: 3,
    services: [
      {
        active: 'green',
        since: 2,
        blue: { release: 'v1', hasServed: false },
        green: { release: 'v2', hasServed: true },
        draining: { length: 0 },
      },
    ],
  });
  await store.close();
});

await t.test('a freeze is stored with its entry, replaced and ended', async (t) => {
  const dir = t.testdir();
  const store = open(dir);
  const freeze = { reason: 'black "friday"', actor: 'ann', atMs: 1_700_000_000_000 };
  store.setFreeze(freeze, notes({ action: 'POST /v1/freeze' }));
  await store.close();
  const again = open(dir);
  t.same(again.load().freeze, freeze);
  t.match(again.audit.latest({ services: undefined, before: undefined, limit: 1 }), [
    { text: /POST \/v1\/freeze/ },
  ]);
  again.setFreeze({ ...freeze, reason: 'another' }, notes());
  t.match(again.load().freeze, { reason: 'another' });
  again.setFreeze(undefined, notes());
  t.equal(again.load().freeze, undefined);
  await again.close();
});

await t.test('a freeze whose entry cannot be written is not there', async (t) => {
  const store = open(t.testdir());
  const wrong = notes();
  const broken = { ...wrong, audit: { ...wrong.audit, service: null as never } };
  t.throws(() => store.setFreeze({ reason: 'x', actor: 'ann', atMs: 1 }, broken));
  t.equal(store.load().freeze, undefined);
  await store.close();
});
