// A rollback goes to the deployment that was left, whatever was registered on its color since.

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
  t.match(store.records, [{ deployment: 2, left: 1 }]);
  t.match(store.services.get('default')?.lastSwitch, { from: 1, outcome: 'switched' });
});

await t.test('the deployment that comes back stops to drain and keeps its counters', async (t) => {
  const { switchboard } = await onGreen();
  const { blue } = only(switchboard.table);
  t.match(await switchboard.rollback(back()), {
    generation: 3,
    to: 'blue',
    release: 'v1',
    deployment: 1,
  });
  const now = only(switchboard.table);
  t.same(now.blue, { ...blue, servedSince: 3 }, 'with its addresses, its numbers and its past');
  t.match(now, { active: 'blue', draining: [{ deployment: { number: 2, release: 'v2' } }] });
  t.equal(now.draining.length, 1);
});

await t.test('what was left comes back in place of a release registered since', async (t) => {
  const { switchboard } = await onGreen();
  const left = only(switchboard.table).blue;
  await switchboard.register(change(), NEXT);
  t.match(only(switchboard.table).blue, { number: 3, release: 'v10' });
  const answer = await switchboard.rollback(back());
  t.match(answer, { generation: 4, from: 'green', to: 'blue', release: 'v1', deployment: 1 });
  const { blue, draining } = only(switchboard.table);
  t.same(blue, { ...left, servedSince: 4 }, 'with its addresses, its numbers and its past');
  t.same(
    draining.map(({ deployment }) => deployment.number),
    [2],
  );
  t.match(await switchboard.switch(to('v10')), { deployment: 3 }, 'the other one is kept');
});

await t.test('it comes back when its drain is over, too', async (t) => {
  const { switchboard } = await onGreen();
  await switchboard.register(change(), NEXT);
  await switchboard.endDrains(change(), new Set([1]));
  t.match(await switchboard.rollback(back()), { release: 'v1', deployment: 1 });
  t.match(only(switchboard.table).blue, {
    number: 1,
    release: 'v1',
    endpoints: [{ url: 'http://127.0.0.1:3001', deployment: 1 }],
  });
});

await t.test('a release at the address of what was left is never taken for it', async (t) => {
  const { switchboard, pointer } = await onGreen();
  await switchboard.endDrains(change(), new Set([1]));
  const there = wanted({ color: 'blue', release: 'v3', targets: [target(3001).url] });
  await switchboard.register(change(), there);
  const before = pointer();
  await t.rejects(switchboard.rollback(back()), {
    code: 'address-in-use',
    status: 409,
    message: /v1 \(deployment 1\) does not run there any more, .* v3 \(deployment 3\) now/,
  });
  t.equal(pointer(), before, 'and nothing has moved');
  await t.rejects(switchboard.rollback(back({ force: true })), { code: 'reason-required' });
  const forced = back({ force: true, reason: 'v1 runs there again' });
  t.match(await switchboard.rollback(forced), { release: 'v1', deployment: 1 });
  const next = wanted({ release: 'v4', targets: [target(3001).url], evict: true });
  await t.rejects(
    switchboard.register(change(), next),
    { code: 'address-in-use', message: /gets the traffic of v1/ },
    'then the address is its own again',
  );
});

await t.test('so it is when another service has registered there', async (t) => {
  const shop = serviceConfig({
    name: 'shop',
    blue: { release: 's1', targets: [target(4001)] },
    green: { release: '', targets: [] },
  });
  const { switchboard } = board([serviceConfig(), shop]);
  const own = { service: 'default' };
  await switchboard.switch(to('green', own));
  await switchboard.endDrains(change(own), new Set([1]));
  await switchboard.register(change(own), NEXT);
  const there = wanted({ release: 's2', targets: [target(3001).url] });
  await switchboard.register(change({ service: 'shop' }), there);
  await t.rejects(switchboard.rollback(back(own)), {
    code: 'address-in-use',
    message: /the address of s2 \(deployment 5\) of shop now/,
  });
});

await t.test('a rollback may name any deployment that is kept', async (t) => {
  const { switchboard, store } = await onGreen();
  await switchboard.register(change(), NEXT);
  await switchboard.switch(to('blue'));
  for (const [name, number, color] of [
    ['v1', 1, 'green'],
    [2, 2, 'blue'],
    ['green', 1, 'green'],
  ] as const) {
    const answer = await switchboard.rollback(back({ to: name, lockOut: false }));
    t.match(answer, { deployment: number, to: color }, String(name));
  }
  t.match(await switchboard.rollback(back({ to: 'green' })), { changed: false, deployment: 1 });
  t.equal(store.records[0]?.outcome, 'rolled-back');
  await t.rejects(switchboard.rollback(back({ to: 'v77' })), { code: 'deployment-unknown' });
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
    store.records.map(({ outcome, left }) => [outcome, left]),
    [
      ['rolled-back', 2],
      ['switched', 1],
      ['rolled-back', 2],
      ['switched', 1],
    ],
  );
});

await t.test('where nothing was active before, there is no way back', async (t) => {
  const blue = { release: '', targets: [] };
  const { switchboard } = board([serviceConfig({ blue })]);
  await switchboard.switch(to('green'));
  await t.rejects(switchboard.rollback(back()), {
    code: 'nothing-to-roll-back-to',
    message: 'nothing was active on default before the last switch',
  });
});
