// Calls that wait for the end of drains.

import t from 'tap';
import { BLOCK } from '../../../../src/contract/counters.ts';
import { DRAIN_WAITERS_MAX } from '../../../../src/control-plane/base/control-limits.ts';
import { change, wanted } from '../support/board.ts';
import { ANY, settled, watched } from '../support/drained.ts';
import { target } from '../support/fixtures.ts';

/** Tells later whether `promise` has been resolved. */
function seen(promise: Promise<unknown>): { isOver: boolean } {
  const state = { isOver: false };
  void promise.then(() => (state.isOver = true));
  return state;
}

await t.test('where nothing drains, nobody waits', async (t) => {
  const { drains, leave } = watched(t);
  await t.resolves(drains.wait(ANY, 60_000));
  await leave();
  await t.resolves(drains.wait({ ...ANY, generation: 99 }, 60_000));
  await t.resolves(drains.wait({ ...ANY, service: 'other' }, 60_000));
});

await t.test('a wait ends with the drain', async (t) => {
  const { drains, leave, count, pass } = watched(t);
  const block = await leave();
  count(block, BLOCK.inflight, 1);
  const waiting = drains.wait(ANY, 60_000);
  const state = seen(waiting);
  await pass(5_000);
  t.equal(state.isOver, false);
  count(block, BLOCK.inflight, 0);
  await pass(500);
  t.equal(state.isOver, true);
});

await t.test('a wait ends when its time is over, and the drain goes on', async (t) => {
  const { drains, leave, count, pass } = watched(t);
  count(await leave(), BLOCK.inflight, 1);
  const state = seen(drains.wait(ANY, 3_000));
  await pass(2_500);
  t.equal(state.isOver, false);
  await pass(500);
  t.equal(state.isOver, true);
  t.equal(drains.running(ANY).length, 1);
});

await t.test('a wait for one generation does not wait for another', async (t) => {
  const { switchboard, drains, leave, count, pass } = watched(t);
  const first = await leave();
  count(first, BLOCK.inflight, 1);
  const next = wanted({ color: 'blue', release: 'v3', targets: [target(3010).url] });
  await switchboard.register(change(), next);
  count(await leave(), BLOCK.inflight, 1);
  const one = seen(drains.wait({ ...ANY, generation: 1 }, 60_000));
  const all = seen(drains.wait(ANY, 60_000));
  count(first, BLOCK.inflight, 0);
  await pass(500);
  t.match([one, all], [{ isOver: true }, { isOver: false }]);
});

await t.test('no more calls wait than the bound, and each place is given back', async (t) => {
  const { drains, leave, count, pass } = watched(t);
  const block = await leave();
  count(block, BLOCK.inflight, 1);
  const waiting = Array.from({ length: DRAIN_WAITERS_MAX }, async () => drains.wait(ANY, 60_000));
  await t.rejects(drains.wait(ANY, 60_000), {
    code: 'busy',
    status: 503,
    message: `${DRAIN_WAITERS_MAX} calls wait for drains already`,
  });
  count(block, BLOCK.inflight, 0);
  await pass(500);
  await t.resolves(Promise.all(waiting));
  await t.resolves(drains.wait(ANY, 60_000));
});

await t.test('a stop lets everybody go', async (t) => {
  const { drains, leave, count } = watched(t);
  count(await leave(), BLOCK.inflight, 1);
  const state = seen(drains.wait(ANY, 60_000));
  await settled();
  t.equal(state.isOver, false);
  drains.stop();
  await settled();
  t.equal(state.isOver, true);
  t.equal(drains.running(ANY).length, 1);
});
