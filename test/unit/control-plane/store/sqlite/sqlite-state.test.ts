// What the store keeps beside switches, and the first file that any version has written.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { Store } from '../../../../../src/control-plane/store/store.ts';
import { commit } from '../../support/commit.ts';
import { TestLog } from '../../support/fixtures.ts';
import { notes } from '../../support/notes.ts';
import { deployment, SERVICE, serviceState, switchOf } from '../../support/stored.ts';

function open(dir: string): Store {
  return openSqliteStore(dir, new TestLog());
}

/** A state in which everything is said, in texts that are hard to write down. */
const STATE = serviceState({
  active: 'green',
  activeSinceMs: 700,
  blue: { deployment: 1, configured: 'c' },
  green: { deployment: 3, configured: '' },
  deployments: [
    deployment(1, { servedSince: 1, urls: ["it's", '\u0000'] }),
    deployment(3, {
      color: 'green',
      release: 'ü "quoted"',
      metadata: { schema: '1-2', digest: 'd' },
    }),
  ],
  draining: [
    { deployment: 1, startedAtMs: 1, sessionsUntilMs: 2, endsAtMs: 3, longLived: 'linger' },
  ],
  lockOuts: [
    { release: 'v9', deployment: 0, reason: '"5xx"', actor: 'loopback', atMs: 1, epoch: 4 },
  ],
  lastSwitch: { from: 1, outcome: 'switched', actor: 'ann' },
  maintenance: { message: 'soon', retryAfterSeconds: 60 },
  legacy: [[4, 1]],
});

/** Opens a store that has a service in epoch 1. */
async function begun(t: Test): Promise<{ store: Store; dir: string }> {
  const dir = t.testdir();
  const store = open(dir);
  await commit(store, { epoch: 1 });
  return { store, dir };
}

await t.test('a change that is no switch is stored and is no history', async (t) => {
  const { store, dir } = await begun(t);
  await commit(store, { epoch: 2, nextDeployment: 4, services: [STATE] });
  await store.close();
  const again = open(dir);
  t.same(again.state, {
    epoch: 2,
    nextDeployment: 4,
    services: new Map([['default', STATE]]),
    freeze: undefined,
    rollouts: new Map(),
  });
  t.same(again.history({ service: undefined, limit: 9 }), []);
  await again.close();
});

await t.test('a switch is stored with the state it led to', async (t) => {
  const { store, dir } = await begun(t);
  await commit(store, { epoch: 3, services: [STATE], records: [switchOf(3)] });
  await store.close();
  const again = open(dir);
  t.same(again.state.services.get('default'), STATE);
  t.same(again.history({ service: 'default', limit: 9 }), [{ ...switchOf(3), tookMs: undefined }]);
  await again.close();
});

await t.test('a change of two services is one, and its epoch has a switch of each', async (t) => {
  const { store, dir } = await begun(t);
  const services = [STATE, { ...STATE, name: 'shop' }];
  const records = [switchOf(2), switchOf(2, { service: 'shop' })];
  await commit(store, { epoch: 2, services, records });
  await store.close();
  const again = open(dir);
  t.equal(again.history({ service: undefined, limit: 9 }).length, 2);
  t.equal(again.history({ service: 'shop', limit: 9 }).length, 1);
  t.equal(again.state.services.size, 2);
  await again.close();
});

await t.test('of a change that fails nothing is stored, not even its state', async (t) => {
  const { store, dir } = await begun(t);
  await commit(store, { epoch: 3, records: [switchOf(3)] });
  await t.rejects(commit(store, { epoch: 4, services: [STATE], records: [switchOf(3)] }), /UNIQUE/);
  await store.close();
  const again = open(dir);
  t.equal(again.state.epoch, 3);
  t.same(again.state.services.get('default'), SERVICE);
  await again.close();
});

await t.test('the state of one service leaves that of another alone', async (t) => {
  const { store } = await begun(t);
  const shop = { ...STATE, name: 'shop' };
  await commit(store, { epoch: 2, services: [shop] });
  t.same([...store.state.services.values()], [SERVICE, shop]);
  await store.close();
});

await t.test('a state that cannot be read is damage: the last good copy is used', async (t) => {
  const { store, dir } = await begun(t);
  await store.close();
  const raw = new DatabaseSync(join(dir, 'turnout.db'));
  raw.exec(`UPDATE services SET state = '{"draining":0}'`);
  raw.close();
  const again = open(dir);
  t.match(again.warning, /the state of a service cannot be read.*the last good copy is used/);
  t.same(again.state.services.get('default'), SERVICE);
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
  t.match(store.state, { epoch: 2, freeze: undefined });
  t.match(store.state.services.get('default'), { active: 'green', activeSinceMs: 700 });
  const kept = { tookMs: 1.5, forced: true, reason: 'why', actor: 'unix', atMs: 700 };
  const unknown = { deployment: 0, left: 0 };
  t.same(store.history({ service: 'default', limit: 9 }), [
    { ...switchOf(2), ...kept, ...unknown },
  ]);
  await commit(store, { epoch: 3, services: [STATE], records: [switchOf(3)] });
  await store.close();
  const again = open(dir);
  t.same(again.state.services.get('default'), STATE);
  t.same(
    again.history({ service: undefined, limit: 9 }).map(({ epoch }) => epoch),
    [3, 2],
  );
  await again.close();
});

await t.test('a freeze is stored with its entry, replaced and ended', async (t) => {
  const dir = t.testdir();
  const store = open(dir);
  const freeze = { reason: 'black "friday"', actor: 'ann', atMs: 1_700_000_000_000 };
  await store.setFreeze(freeze, notes({ action: 'POST /v1/freeze' }));
  await store.close();
  const again = open(dir);
  t.same(again.state.freeze, freeze);
  t.match(again.audit.latest({ services: undefined, before: undefined, limit: 1 }), [
    { text: /POST \/v1\/freeze/ },
  ]);
  await again.setFreeze({ ...freeze, reason: 'another' }, notes());
  t.match(again.state.freeze, { reason: 'another' });
  await again.setFreeze(undefined, notes());
  t.equal(again.state.freeze, undefined);
  await again.close();
});

await t.test('a freeze whose entry cannot be written is not there', async (t) => {
  const store = open(t.testdir());
  const wrong = notes();
  const broken = { ...wrong, audit: { ...wrong.audit, service: null as never } };
  await t.rejects(store.setFreeze({ reason: 'x', actor: 'ann', atMs: 1 }, broken));
  t.equal(store.state.freeze, undefined);
  await store.close();
});
