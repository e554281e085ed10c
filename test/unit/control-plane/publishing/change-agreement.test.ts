// What a change waits for before it comes into force: that the store has taken it. A store that is far
// away may be late to say so, and may say that another decision was first.

import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { COMMIT_ASK_EVERY_MS } from '../../../../src/control-plane/base/control-limits.ts';
import { ChangeAgreement } from '../../../../src/control-plane/publishing/change-agreement.ts';
import {
  StoreError,
  type CommitOutcome,
  type StoredChange,
} from '../../../../src/control-plane/store/store.ts';
import { board, change, only, to } from '../support/board.ts';

const UNKNOWN: CommitOutcome = { kind: 'unknown' };

/** Lets promises run. */
async function turn(): Promise<void> {
  await new Promise(setImmediate);
}

/** A board whose store does not say what became of the first change, until `say` lets it. */
async function inDoubt(t: Test, rounds = 2) {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const parts = board();
  const { store, switchboard } = parts;
  for (let round = 0; round < rounds; round++) store.outcomes.push(UNKNOWN);
  const switched = switchboard.switch(to('green'));
  switched.catch(() => {});
  await turn();
  const ask = async (): Promise<void> => {
    mock.timers.tick(COMMIT_ASK_EVERY_MS);
    await turn();
  };
  return { ...parts, switched, ask };
}

await t.test(
  'as long as it is not known, nothing is published and nothing forgotten',
  async (t) => {
    const { switchboard, switched, ask, pointer, workers, store } = await inDoubt(t, 3);
    const first = pointer();
    await ask();
    await ask();
    t.equal(pointer(), first);
    t.equal(only(switchboard.table).active, 'blue');
    t.match(workers.prepared, { length: 1 });
    t.strictSame(workers.forgotten, [], 'every worker could still go by the next table');
    t.equal(store.state.epoch, 1);
    await ask();
    t.match(await switched, { to: 'green', generation: 2, changed: true });
    t.equal(only(switchboard.table).active, 'green');
    t.equal(pointer(), first + 1);
    t.equal(store.records.length, 1, 'it was stored once');
  },
);

await t.test('other changes are refused meanwhile, and taken again afterwards', async (t) => {
  const { switchboard, switched, ask } = await inDoubt(t);
  const doubt = { code: 'outcome-unknown', status: 503, message: /asked until it does/ };
  t.match(switchboard.refusal, doubt);
  await t.rejects(switchboard.maintain(change(), undefined), doubt);
  await t.rejects(switchboard.switch(to('green')), doubt);
  await t.rejects(switchboard.pause(), doubt, 'no successor would know better');
  await ask();
  await ask();
  await switched;
  t.equal(switchboard.refusal, undefined);
  t.match(await switchboard.switch(to('blue')), { changed: true });
});

await t.test('a change that turns out to be lost has changed nothing', async (t) => {
  const { switchboard, switched, ask, store, workers, pointer } = await inDoubt(t, 1);
  store.outcomes.push({ kind: 'lost', epoch: 7 });
  await ask();
  await t.rejects(switched, {
    code: 'generation-mismatch',
    status: 412,
    message: /the generation is 7 now, this change was made for 1/,
    members: { generation: 7 },
  });
  t.strictSame([workers.forgotten, pointer()], [workers.prepared, 1]);
  t.equal(switchboard.refusal, undefined);
  t.equal(only(switchboard.table).active, 'blue');
});

await t.test('a store that cannot be asked is asked again', async (t) => {
  const { switched, ask, store } = await inDoubt(t, 1);
  store.onAsked = () => {
    throw new StoreError('no way to it');
  };
  await ask();
  store.onAsked = () => {};
  await ask();
  t.match(await switched, { changed: true });
});

await t.test('it is asked for by the name under which it was committed', async (t) => {
  const { store, switchboard } = board();
  const ids: string[] = [];
  store.onCommit = (_change, { id, expected }) => {
    ids.push(id);
    t.equal(expected, 1);
  };
  store.onAsked = (id) => ids.push(id);
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  store.outcomes.push(UNKNOWN);
  const switched = switchboard.switch(to('green'));
  await turn();
  mock.timers.tick(COMMIT_ASK_EVERY_MS);
  await switched;
  t.equal(ids.length, 2);
  t.equal(ids[0], ids[1]);
});

await t.test('where another decision was first, the change is not made', async (t) => {
  const { store, switchboard, workers, pointer } = board();
  store.onCommit = () => {
    store.state = { ...store.state, epoch: 5 };
  };
  await t.rejects(switchboard.switch(to('green')), { code: 'generation-mismatch', status: 412 });
  t.strictSame([workers.forgotten, pointer()], [workers.prepared, 1]);
});

await t.test('a stop does not wait for a store that does not answer', async (t) => {
  const { switchboard, switched } = await inDoubt(t, 9);
  await switchboard.close();
  await t.rejects(switched, { code: 'outcome-unknown' });
});

await t.test(
  'all of a change is stored: also its rollouts, and what is told of them',
  async (t) => {
    const stored: StoredChange[] = [];
    const agreement = new ChangeAgreement({
      commit: async (one) => {
        stored.push(one);
        return { kind: 'committed' };
      },
      outcomeOf: async () => UNKNOWN,
    });
    const when = { startedAtMs: 1, endedAtMs: undefined };
    const rollout = { id: 'r-1', services: ['shop'], state: '{}', ...when };
    const event = { kind: 'rollout.step', service: 'shop', rollout: 'r-1', atMs: 1, data: {} };
    const whole = {
      epoch: 2,
      nextDeployment: 3,
      services: [],
      records: [],
      notes: undefined,
      rollouts: [rollout],
      events: [event],
    };
    await agreement.reach({ ...whole, decidedOn: 1 });
    t.same(stored, [whole]);
  },
);
