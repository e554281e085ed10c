import t from 'tap';
import { SWITCH_WAITERS_MAX } from '../../../../src/control-plane/base/control-limits.ts';
import { back, board, DOWN, notReady, to, UNKNOWN } from '../support/board.ts';
import { serviceConfig, target } from '../support/fixtures.ts';

await t.test('a switch moves the pointer to the next table and says what it did', async (t) => {
  const { switchboard, pointer, store } = board();
  const answer = await switchboard.switch(to('green', { reason: 'release day' }));
  t.match(answer, {
    generation: 2,
    service: 'default',
    from: 'blue',
    to: 'green',
    release: 'v2',
    deployment: 2,
    changed: true,
  });
  t.equal(pointer(), 2);
  t.match(switchboard.table, {
    version: 2,
    epoch: 2,
    services: [{ active: 'green', green: { number: 2, servedSince: 2 } }],
  });
  const [blue, green] = [
    { from: 'blue', left: 1 },
    { to: 'green', deployment: 2 },
  ];
  const why = { outcome: 'switched', reason: 'release day' };
  t.match(store.records, [{ epoch: 2, ...blue, ...green, ...why }]);
});

await t.test('the order is: prepared, then stored, then published', async (t) => {
  const { switchboard, store, workers, pointer } = board();
  const seen: string[] = [];
  workers.onPrepare = async () => {
    seen.push(`prepare: pointer ${pointer()}, ${store.records.length} stored`);
  };
  store.onCommit = () => seen.push(`commit: pointer ${pointer()}`);
  await switchboard.switch(to('green'));
  seen.push(`answer: pointer ${pointer()}, ${store.records.length} stored`);
  t.same(seen, [
    'prepare: pointer 1, 0 stored',
    'commit: pointer 1',
    'answer: pointer 2, 1 stored',
  ]);
});

await t.test('a switch without a color goes to the other one', async (t) => {
  const { switchboard } = board();
  t.match(await switchboard.switch(to(undefined)), { from: 'blue', to: 'green' });
  t.match(await switchboard.switch(to(undefined)), { from: 'green', to: 'blue' });
});

await t.test('a switch to the active color changes nothing and says so', async (t) => {
  const { switchboard, pointer, store, workers, ail } = board();
  ail(3001, DOWN);
  const answer = await switchboard.switch(to('blue'));
  t.match(answer, { generation: 1, from: 'blue', to: 'blue', release: 'v1', changed: false });
  t.equal(pointer(), 1);
  t.same([store.records, workers.prepared], [[], []]);
});

await t.test('workers keep the previous table and forget the ones before it', async (t) => {
  const { switchboard, workers } = board();
  for (let i = 0; i < 3; i++) await switchboard.switch(to(undefined));
  t.same(workers.prepared, [2, 3, 4]);
  t.same(workers.forgotten, [1, 2]);
});

await t.test('a color with a target that is down or was never checked is refused', async (t) => {
  for (const status of [DOWN, UNKNOWN]) {
    const { switchboard, pointer, ail } = board();
    ail(3003, status);
    await t.rejects(switchboard.switch(to('green')), {
      code: 'target-unhealthy',
      status: 409,
      message: /3003 is (down \(connection refused\)|not checked yet)/,
      members: { targets: [{ url: 'http://127.0.0.1:3003' }] },
    });
    t.equal(pointer(), 1);
  }
});

await t.test('force with a reason overrides health', async (t) => {
  const { switchboard, store, ail } = board();
  ail(3003, DOWN);
  await switchboard.switch(to('green', { force: true, reason: 'blue is on fire' }));
  t.match(store.records, [{ forced: true, reason: 'blue is on fire' }]);
});

await t.test('force without a reason is refused', async (t) => {
  const { switchboard } = board();
  for (const reason of ['', '  ']) {
    const refused = switchboard.switch(to('green', { force: true, reason }));
    await t.rejects(refused, { code: 'reason-required', status: 400 });
  }
});

await t.test('force gives no targets to a color that has none', async (t) => {
  const { switchboard } = board([serviceConfig({ green: { release: '', targets: [] } })]);
  const forced = to('green', { force: true, reason: 'really' });
  await t.rejects(switchboard.switch(forced), { code: 'no-targets', status: 409 });
});

await t.test('a service must be named where there are several, and must exist', async (t) => {
  const { switchboard } = board([serviceConfig(), serviceConfig({ name: 'shop' })]);
  await t.rejects(switchboard.switch(to('green')), {
    code: 'service-required',
    status: 400,
    members: { services: ['default', 'shop'] },
  });
  await t.rejects(switchboard.switch(to('green', { service: 'cart' })), {
    code: 'service-unknown',
    status: 404,
  });
  await switchboard.switch(to('green', { service: 'shop' }));
  t.match(switchboard.table.services, [
    { name: 'default', active: 'blue', blue: { servedSince: 1 } },
    { name: 'shop', active: 'green', green: { servedSince: 2 } },
  ]);
});

await t.test('an epoch that is not the current one is refused', async (t) => {
  const { switchboard } = board();
  const stale = switchboard.switch(to('green', { ifMatch: [9] }));
  await t.rejects(stale, {
    code: 'generation-mismatch',
    status: 412,
    members: { generation: 1 },
  });
  await t.rejects(switchboard.switch(to('blue', { ifMatch: [9] })), {
    code: 'generation-mismatch',
  });
  await t.resolves(switchboard.switch(to('green', { ifMatch: [9, 1] })));
});

await t.test('of two racing switches from the same epoch exactly one wins', async (t) => {
  const { switchboard, pointer } = board();
  const race = await Promise.allSettled([
    switchboard.switch(to('green', { ifMatch: [1] })),
    switchboard.switch(to('green', { ifMatch: [1] })),
  ]);
  t.match(race, [
    { status: 'fulfilled', value: { generation: 2 } },
    { status: 'rejected', reason: { code: 'generation-mismatch' } },
  ]);
  t.equal(pointer(), 2);
});

await t.test('parallel switches run one after the other, each from the last one', async (t) => {
  const { switchboard, store, workers } = board();
  let running = 0;
  workers.onPrepare = async () => {
    t.equal(++running, 1, 'nobody else is preparing');
    await Promise.resolve();
    running--;
  };
  await Promise.all(Array.from({ length: 8 }, async () => switchboard.switch(to(undefined))));
  const steps = store.records.toReversed().map(({ epoch, from }) => [epoch, from]);
  t.same(
    steps,
    Array.from({ length: 8 }, (_, i) => [i + 2, i % 2 === 0 ? 'blue' : 'green']),
  );
});

await t.test('more waiting switches than the bound are refused as busy', async (t) => {
  const { switchboard, workers } = board();
  const gate = Promise.withResolvers<void>();
  workers.onPrepare = async () => gate.promise;
  const taken = Array.from({ length: SWITCH_WAITERS_MAX + 1 }, async () =>
    switchboard.switch(to(undefined)),
  );
  await t.rejects(switchboard.switch(to(undefined)), { code: 'busy', status: 503 });
  gate.resolve();
  await t.resolves(Promise.all(taken));
});

await t.test(
  'when the store fails, traffic stays as it was and the operator is told',
  async (t) => {
    const { switchboard, store, workers, pointer, log } = board();
    store.onCommit = () => {
      throw new Error('disk I/O error');
    };
    await t.rejects(switchboard.switch(to('green')), {
      code: 'store-failed',
      status: 503,
      message: /disk I\/O error; traffic stays as it was/,
    });
    t.equal(pointer(), 1);
    t.match(switchboard.table, { version: 1, epoch: 1, services: [{ active: 'blue' }] });
    t.same(workers.forgotten, [2]);
    t.match(log.lines, [{ level: 'error', message: /disk I\/O error/ }]);

    store.onCommit = () => {};
    t.match(await switchboard.switch(to('green')), { generation: 2 }, 'it was no decision');
    t.equal(pointer(), 3, 'but its table is burnt: a late answer to it must not count');
  },
);

await t.test('when a worker cannot prepare, nothing is stored', async (t) => {
  const { switchboard, store, workers, pointer } = board();
  workers.onPrepare = async () => {
    throw notReady();
  };
  await t.rejects(switchboard.switch(to('green')), { code: 'workers-not-ready', status: 503 });
  t.same([store.records, workers.forgotten, pointer()], [[], [2], 1]);
});

await t.test('a rollback leads to where the last switch came from', async (t) => {
  const { switchboard, store } = board();
  await switchboard.switch(to('green'));
  t.match(await switchboard.rollback(back()), { generation: 3, from: 'green', to: 'blue' });
  t.equal(store.records[0]?.outcome, 'rolled-back');
});

await t.test('a rollback without a switch before it is refused', async (t) => {
  const { switchboard } = board();
  await t.rejects(switchboard.rollback(back()), {
    code: 'nothing-to-roll-back-to',
    status: 409,
    message: /never switched/,
  });
});

await t.test('a repeated rollback does not bring back what was fled from', async (t) => {
  const { switchboard, pointer } = board();
  await switchboard.switch(to('green'));
  await switchboard.rollback(back());
  await t.rejects(switchboard.rollback(back()), {
    code: 'nothing-to-roll-back-to',
    message: /already a rollback to blue; to go to green again, switch/,
  });
  t.equal(pointer(), 3);
});

await t.test('a rollback needs one target that is up, not all', async (t) => {
  const twoOnBlue = serviceConfig({
    blue: { release: 'v1', targets: [target(3001), target(3004)] },
  });
  const { switchboard, ail } = board([twoOnBlue]);
  await switchboard.switch(to('green'));
  ail(3001, DOWN);
  ail(3004, UNKNOWN);
  await t.rejects(switchboard.rollback(back()), { code: 'target-unhealthy' });
  ail(3004, { state: 'up', reason: '' });
  t.match(await switchboard.rollback(back()), { to: 'blue' });
});

await t.test('a broken rule freezes decisions, and traffic stays', async (t) => {
  const { switchboard, pointer, movePointer } = board();
  movePointer(50); // Another writer changed the pointer: our picture is wrong.
  await t.rejects(switchboard.switch(to('green')), { code: 'frozen', status: 503 });
  t.equal(switchboard.refusal?.code, 'frozen');
  await t.rejects(switchboard.switch(to('green')), { code: 'frozen' });
  t.equal(pointer(), 50);
});

await t.test('after close a change is refused and the running one has ended', async (t) => {
  const { switchboard, workers, pointer } = board();
  const gate = Promise.withResolvers<void>();
  workers.onPrepare = async () => gate.promise;
  const running = switchboard.switch(to('green'));
  await Promise.resolve();
  const closed = switchboard.close();
  gate.resolve();
  await closed;
  t.equal(pointer(), 2);
  await t.resolves(running);
  await t.rejects(switchboard.switch(to('blue')), { code: 'stopping', status: 503 });
});

await t.test('every end of a change is counted by direction', async (t) => {
  const { switchboard, ail, store } = board();
  await switchboard.switch(to('green'));
  await switchboard.rollback(back({ lockOut: false }));
  ail(3002, DOWN);
  await t.rejects(switchboard.switch(to('green')));
  store.onCommit = () => {
    throw new Error('full');
  };
  await t.rejects(switchboard.switch(to('green', { force: true, reason: 'x' })));
  const counted = switchboard.tally.counts
    .filter((row) => row.count > 0)
    .map(({ from, outcome, count }) => `${from} ${outcome} ${count}`);
  t.same(counted, ['blue switched 1', 'blue refused 1', 'blue failed 1', 'green rolled-back 1']);
  t.ok(switchboard.tally.lastAtSeconds.has('default'));
});
