// The start of a rollout is one write: the release that comes with it, the claim on its services, the
// rollout, its events and the audit entry are all there, or none of them, whichever write fails.

import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import t from 'tap';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { StoredChange } from '../../../../../src/control-plane/store/store.ts';
import { change, only } from '../../support/board.ts';
import { deskScene, keyedCall, newRelease, wantedRollout } from '../../support/desk-scene.ts';
import { REFUSING, refusalOf, refuse } from '../../support/refused.ts';
import { serviceConfig, target, TestLog } from '../../support/fixtures.ts';

const SHOP = [serviceConfig()];
const TWO = ['api', 'shop'].map((name, at) =>
  serviceConfig({
    name,
    hosts: [`${name}.example`],
    blue: { release: 'v1', targets: [target(3100 + at)] },
    green: { release: 'v2', targets: [target(3200 + at)] },
  }),
);

const CASES = [
  {
    what: 'a release and its rollout',
    configs: SHOP,
    registers: newRelease(),
    services: ['default'],
  },
  {
    what: 'a rollout of two services',
    configs: TWO,
    registers: undefined,
    services: ['api', 'shop'],
  },
] as const;

/** Every table that the start of a rollout writes to. */
const TABLES = ['position', 'services', 'rollouts', 'events', 'audit', 'audit_ends', 'answers'];

for (const { what, configs, registers, services } of CASES) {
  await t.test(`${what} begin by one write`, async (t) => {
    const { desk, store, switchboard } = deskScene(configs);
    const before = store.state;
    const writes: StoredChange[] = [];
    store.onCommit = (written) => writes.push(written);
    store.onNote = () => t.equal(writes.length, 1, 'the audit entry is part of it');
    const asked = { actor: 'mia', call: keyedCall('one') };
    const wanted = wantedRollout({ registers }, services);
    const { id, generation } = await desk.start(change(asked), wanted);
    t.equal(writes.length, 1);
    const [written] = writes;
    t.same(
      written!.services.map(({ name, rollout }) => [name, rollout?.id]),
      services.map((name) => [name, id]),
    );
    t.match(written!.rollouts, [{ id, services, endedAtMs: undefined }]);
    t.match(written!.notes, { audit: { outcome: 'done', status: 202 }, answer: { key: 'one' } });
    const kinds = written!.events!.map(({ kind }) => kind);
    t.ok(kinds.includes('rollout.started'));
    t.equal(kinds.includes('release.registered'), registers !== undefined, kinds.join(' '));
    t.equal(generation, before.epoch + (registers === undefined ? 0 : 1));
    t.equal(switchboard.table.epoch, generation);
    const made = written!.nextDeployment - before.nextDeployment;
    t.equal(made, registers === undefined ? 0 : 1);
  });

  await t.test(`${what}: whichever write fails, nothing is there`, async (t) => {
    const scene = deskScene(configs);
    let written: StoredChange | undefined;
    scene.store.onCommit = (one) => {
      written = one;
      throw new Error('taken away');
    };
    const { epoch, nextDeployment, services: states } = scene.store.state;
    const call = keyedCall('one');
    const start = scene.desk.start(
      change({ actor: 'mia', call }),
      wantedRollout({ registers }, services),
    );
    t.equal(await refusalOf(start), 'store-failed');
    for (const table of TABLES) {
      const dir = t.testdir();
      const first = openSqliteStore(dir, new TestLog());
      const begin = { epoch, nextDeployment, services: [...states.values()], records: [] };
      await first.commit(begin, { id: 'begin', expected: 0 });
      const known = { state: first.state, audit: first.audit.ends() };
      await first.close();
      const file = new DatabaseSync(join(dir, 'turnout.db'));
      const deny = `BEGIN SELECT RAISE(ABORT, 'no write to ${table}'); END`;
      for (const kind of ['INSERT', 'UPDATE'])
        file.exec(`CREATE TRIGGER deny_${kind} BEFORE ${kind} ON ${table} ${deny}`);
      file.close();
      const store = openSqliteStore(dir, new TestLog());
      await t.rejects(
        store.commit(written!, { id: 'start', expected: epoch }),
        new RegExp(`no write to ${table}`),
      );
      await store.close();
      const found = openSqliteStore(dir, new TestLog());
      t.same(found.state, known.state, table);
      t.same(found.audit.ends(), known.audit, table);
      t.equal(found.events.last(), 0, table);
      t.equal(found.answers.find('one', 0), undefined, table);
      await found.close();
    }
  });
}

await t.test('what workers or the store refuse leaves neither release nor rollout', async (t) => {
  for (const fail of REFUSING) {
    const { desk, store, workers, switchboard, runner } = deskScene(SHOP);
    const before = switchboard.states.get('default');
    refuse(fail, { workers, store });
    const wanted = wantedRollout({ registers: newRelease() });
    t.not(await refusalOf(desk.start(change(), wanted)), 'none', fail);
    t.equal(switchboard.states.get('default'), before, fail);
    t.same(runner.live.all(), [], fail);
    workers.onPrepare = async () => {};
    store.onCommit = () => {};
    const { id } = await desk.start(change(), wanted);
    t.match(runner.live.all(), [{ id, legs: [{ to: { release: 'v9' } }] }], fail);
    t.equal(only(switchboard.table).green.release, 'v9');
  }
});

await t.test(
  'releases that come with rollouts at the same time get numbers of their own',
  async (t) => {
    const { desk, runner } = deskScene(TWO);
    await Promise.all(
      TWO.map(async ({ name }, at) =>
        desk.start(
          change({ service: name }),
          wantedRollout({ registers: newRelease({ targets: [`http://127.0.0.1:${3300 + at}`] }) }, [
            name,
          ]),
        ),
      ),
    );
    const numbers = runner.live.all().map(({ legs }) => legs[0]!.to.deployment);
    t.same(new Set(numbers), new Set([5, 6]));
  },
);
