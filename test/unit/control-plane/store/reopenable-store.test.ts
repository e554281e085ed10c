// A store that is let go for a successor and taken back: who may use it when, and what the others are
// told. The store is a real one: whether it was let go is whether another can be opened.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { reopenable } from '../../../../src/control-plane/store/reopenable-store.ts';
import { openSqliteStore } from '../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import { commit } from '../support/commit.ts';
import { TestLog } from '../support/fixtures.ts';
import { notes } from '../support/notes.ts';
import { switchOf } from '../support/stored.ts';

const EVENT = { kind: 'switch', service: 'shop', rollout: '', atMs: 1, data: {} };

function open(t: Test) {
  const dir = t.testdir();
  const another = () => openSqliteStore(dir, new TestLog());
  const parts = { opened: 0 };
  const reopened = reopenable(() => {
    parts.opened++;
    return another();
  });
  t.teardown(async () => reopened.close());
  const { store } = reopened;
  const release = async (): Promise<void> => reopened.release();
  const reacquire = (): void => reopened.reacquire();
  return { store, release, reacquire, parts, another, dir };
}

await t.test('until it is let go it is the store', async (t) => {
  const { store, another } = open(t);
  await store.note(notes(), { mayBeLost: true });
  t.equal(store.state.epoch, 0);
  t.equal(store.audit.ends().head.seq, 1);
  t.equal(store.warning, undefined);
  t.throws(another, /in use by/, 'nobody else has it');
});

await t.test(
  'let go, it is free at once, and refuses all calls but what is in memory',
  async (t) => {
    const { store, release, another } = open(t);
    await commit(store, { epoch: 3 });
    await release();
    const successor = another();
    for (const call of [() => store.tokens, () => store.audit]) {
      t.throws(call, { code: 'upgrading', message: /ask again in a moment/ });
    }
    t.match([store.state, store.warning, store.fault], [{ epoch: 3 }, undefined, undefined]);
    await successor.close();
    await t.resolves(release(), 'once more does no harm');
  },
);

await t.test('while it is let go, the history is told from memory', async (t) => {
  const { store, release } = open(t);
  const record = (epoch: number, service: string) =>
    commit(store, { epoch, records: [switchOf(epoch, { service })] });
  await record(1, 'shop');
  await record(2, 'bank');
  await record(3, 'shop');
  const read = (service: string | undefined, limit: number) =>
    store.history({ service, limit }).map(({ epoch }) => epoch);
  const all = () => [read(undefined, 10), read('shop', 10), read('shop', 1), read('none', 10)];
  const before = all();
  t.strictSame(before, [[3, 2, 1], [3, 1], [3], []]);
  await release();
  t.strictSame(all(), before);
});

await t.test('taken back, it has what the other one wrote', async (t) => {
  const { store, release, reacquire, another, parts } = open(t);
  await release();
  const successor = another();
  await commit(successor, { epoch: 7 });
  await successor.close();
  reacquire();
  t.equal(store.state.epoch, 7);
  reacquire();
  t.equal(parts.opened, 2, 'what is there is not opened once more');
});

await t.test('a part of it that a caller keeps goes to the store that is open', async (t) => {
  const { store, release, reacquire, another } = open(t);
  const { events, audit } = store;
  await events.add([EVENT]);
  await release();
  t.throws(() => events.last(), { code: 'upgrading' });
  await t.rejects(async () => events.add([EVENT]), { code: 'upgrading' });
  const successor = another();
  await successor.events.add([EVENT]);
  await successor.close();
  reacquire();
  t.equal(events.last(), 2);
  await events.add([EVENT]);
  t.equal(store.events.last(), 3);
  t.equal(audit.ends().head.seq, 0);
});

await t.test('where it cannot be had again, every call says why', async (t) => {
  const { store, release, reacquire, another } = open(t);
  await release();
  const successor = another();
  const refusal = { code: 'store-failed', message: /in use by .*; traffic goes on, restart/ };
  t.throws(reacquire, refusal);
  t.throws(() => store.audit, refusal);
  await successor.close();
  reacquire();
  t.equal(store.audit.ends().head.seq, 0, 'and it can be tried again');
  await release();
  t.throws(() => store.audit, { code: 'upgrading' }, 'an old reason is forgotten');
});

await t.test('a successor is not let in where it would not find the state', async (t) => {
  const { store, release, dir } = open(t);
  await commit(store, { epoch: 3 });
  rmSync(join(dir, 'turnout.db'));
  await t.rejects(release(), { code: 'store-failed', message: /turnout\.db is gone/ });
  t.equal(store.state.epoch, 3);
  t.equal(store.audit.ends().head.seq, 0, 'it is still ours');
  await store.close();
});
