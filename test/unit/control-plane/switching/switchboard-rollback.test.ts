// A rollback goes to the release that was left, whatever was registered on its color since.

import t from 'tap';
import { testPolicy } from '../../../support/policy.ts';
import { back, board, change, DOWN, only, to, UNKNOWN, wanted } from '../support/board.ts';
import { serviceConfig, target } from '../support/fixtures.ts';

const NEXT = wanted({ color: 'blue', release: 'v10', targets: [target(3010).url] });

/** Builds a board whose service keeps sessions, after a switch to green. */
async function onGreen() {
  const policy = testPolicy({ affinity: { mode: 'drain' } });
  const parts = board([serviceConfig({ policy })]);
  await parts.switchboard.switch(to('green'));
  return parts;
}

await t.test('what a switch leaves is remembered with it', async (t) => {
  const { store } = await onGreen();
  t.match(store.records, [{ left: { release: 'v1', urls: ['http://127.0.0.1:3001'] } }]);
});

await t.test('the side that comes back stops to drain and keeps its counters', async (t) => {
  const { switchboard } = await onGreen();
  const { blue } = only(switchboard.table);
  t.match(await switchboard.rollback(back()), { generation: 3, to: 'blue', release: 'v1' });
  const now = only(switchboard.table);
  t.match(now, { active: 'blue', since: 3, blue: { block: blue.block, release: 'v1' } });
  t.match(now.draining, [{ generation: 2, side: { color: 'green', release: 'v2' } }]);
  t.equal(now.draining.length, 1);
});

await t.test('the release that was left comes back in place of one registered since', async (t) => {
  const { switchboard } = await onGreen();
  const left = only(switchboard.table).blue;
  await switchboard.register(change(), NEXT);
  t.match(only(switchboard.table).blue, { release: 'v10' });
  const answer = await switchboard.rollback(back());
  t.match(answer, { generation: 4, from: 'green', to: 'blue', release: 'v1' });
  const { blue, draining } = only(switchboard.table);
  t.same(blue, left, 'with its addresses, its numbers and its past');
  t.same(
    draining.map(({ generation }) => generation),
    [2],
  );
});

await t.test('it comes back when its drain is over, too', async (t) => {
  const { switchboard } = await onGreen();
  await switchboard.register(change(), NEXT);
  await switchboard.endDrains(change(), new Set([1]));
  t.match(await switchboard.rollback(back()), { release: 'v1' });
  t.match(only(switchboard.table).blue, {
    release: 'v1',
    hasServed: true,
    endpoints: [{ url: 'http://127.0.0.1:3001' }],
  });
});

await t.test('the health of what comes back counts, not that of what was registered', async (t) => {
  const { switchboard, ail } = await onGreen();
  await switchboard.register(change(), NEXT);
  ail(3001, DOWN);
  await t.rejects(switchboard.rollback(back()), {
    code: 'target-unhealthy',
    message: /3001 is down/,
  });
  t.match(only(switchboard.table), { active: 'green', blue: { release: 'v10' } });
  ail(3001, { state: 'up', reason: '' });
  ail(3010, UNKNOWN);
  t.match(await switchboard.rollback(back()), { release: 'v1' });
});

await t.test('a refused rollback leaves no trace in later ones', async (t) => {
  const { switchboard, ail, slots } = await onGreen();
  await switchboard.register(change(), NEXT);
  const before = slots.blocks().length;
  ail(3001, DOWN);
  for (let times = 0; times < 3; times++) {
    await t.rejects(switchboard.rollback(back()), { code: 'target-unhealthy' });
  }
  t.equal(slots.blocks().length, before);
  t.match(await switchboard.switch(to('blue')), { release: 'v10' }, 'the registered one is there');
});

await t.test('sessions that began after the switch drain, or go back with the rest', async (t) => {
  const kept = await onGreen();
  await kept.switchboard.rollback(back());
  const [drain] = only(kept.switchboard.table).draining;
  t.ok(drain!.sessionsUntilMs > drain!.startedAtMs);
  const moved = await onGreen();
  await moved.switchboard.rollback(back({ restick: 'all' }));
  const [over] = only(moved.switchboard.table).draining;
  t.equal(over!.sessionsUntilMs, over!.startedAtMs);
});

await t.test('after a rollback the next switch can be taken back again', async (t) => {
  const { switchboard, store } = await onGreen();
  await switchboard.rollback(back({ lockOut: false }));
  await switchboard.switch(to('green'));
  t.match(await switchboard.rollback(back()), { generation: 5, to: 'blue', release: 'v1' });
  t.match(
    store.records.map(({ outcome, left }) => [outcome, left.release]),
    [
      ['rolled-back', 'v2'],
      ['switched', 'v1'],
      ['rolled-back', 'v2'],
      ['switched', 'v1'],
    ],
  );
});

await t.test('a switch of which nobody noted what it left goes back to the color', async (t) => {
  const { switchboard, store } = await onGreen();
  store.records[0] = { ...store.records[0]!, left: { release: '', urls: [] } };
  await switchboard.register(change(), NEXT);
  t.match(await switchboard.rollback(back()), { to: 'blue', release: 'v10' });
});
