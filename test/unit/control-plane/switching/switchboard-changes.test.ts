// Changes that are no switch: registrations, evictions, ends of drains, holds, maintenance.

import t from 'tap';
import { testPolicy } from '../../../support/policy.ts';
import { back, board, change, DOWN, only, to, wanted } from '../support/board.ts';
import { serviceConfig, target } from '../support/fixtures.ts';

const POLICY = testPolicy({ affinity: { mode: 'drain' } });
const HOLD = { methods: 'writes', untilMs: 5_000 } as const;
const CLOSED = { message: 'soon', retryAfterSeconds: 60 };

/** Builds a board whose service keeps sessions. */
function sticky() {
  return board([serviceConfig({ policy: POLICY })]);
}

await t.test('a registration is published and stored, and traffic stays where it is', async (t) => {
  const { switchboard, store, pointer } = sticky();
  const answer = await switchboard.register(change(), wanted());
  t.match(answer, { generation: 2, changed: true, service: 'default' });
  t.equal(pointer(), 2);
  t.match(only(switchboard.table), {
    active: 'blue',
    blue: { servedSince: 1 },
    green: { number: 3, release: 'v9', servedSince: 0 },
  });
  t.same(store.records, [], 'it is no switch');
  t.match(store.services.get('default'), {
    active: 'blue',
    green: { deployment: 3 },
    deployments: [
      { number: 1, servedSince: 1 },
      { number: 2 },
      { number: 3, release: 'v9', urls: ['http://127.0.0.1:3009'], servedSince: 0 },
    ],
  });
  t.equal(store.state.nextDeployment, 4);
  t.match(await switchboard.switch(to('green')), { release: 'v9' });
});

await t.test('every change is prepared, then stored, published and told', async (t) => {
  const { switchboard, store, workers, hooks, pointer } = sticky();
  const seen: string[] = [];
  workers.onPrepare = async ({ version }) => {
    seen.push(`prepare ${version}: pointer ${pointer()}`);
  };
  store.onCommit = ({ epoch }) => seen.push(`commit ${epoch}: pointer ${pointer()}`);
  hooks.onPublished = ({ version }) => seen.push(`told ${version}: pointer ${pointer()}`);
  workers.onAdopt = async (version) => {
    seen.push(`adopt ${version}: pointer ${pointer()}`);
  };
  await switchboard.hold(change(), HOLD);
  t.same(seen, [
    'prepare 2: pointer 1',
    'commit 2: pointer 1',
    'told 2: pointer 2',
    'adopt 2: pointer 2',
  ]);
});

await t.test('no answer waits for a worker that is late to go by the new table', async (t) => {
  const { switchboard, workers, log } = sticky();
  const late = Promise.withResolvers<void>();
  workers.onAdopt = async () => late.promise;
  t.match(await switchboard.hold(change(), HOLD), { changed: true });
  late.reject(new Error('silent'));
  const [line] = await log.until(/late to go by the new table/);
  t.match(line, { level: 'warn', fields: { err: { message: 'silent' } } });
});

await t.test('what is so already changes nothing', async (t) => {
  const { switchboard, workers, pointer } = sticky();
  const registered = wanted({ release: 'v2', targets: [target(3002).url] });
  for (const answer of [
    await switchboard.register(change(), registered),
    await switchboard.evict(change(), undefined),
    await switchboard.endDrains(change(), new Set([1, 7])),
    await switchboard.endHold(change()),
    await switchboard.maintain(change(), undefined),
  ]) {
    t.match(answer, { generation: 1, changed: false, service: 'default' });
  }
  t.same([workers.prepared, pointer()], [[], 1]);
});

await t.test('a hold begins, is replaced and ends', async (t) => {
  const { switchboard } = sticky();
  await switchboard.hold(change(), HOLD);
  t.same(only(switchboard.table).hold, { ...HOLD, closesLongLived: false });
  await switchboard.hold(change(), { methods: 'all', untilMs: 9_000 });
  t.match(only(switchboard.table).hold, { methods: 'all', untilMs: 9_000 });
  t.match(await switchboard.endHold(change()), { generation: 4, changed: true });
  t.equal(only(switchboard.table).hold, undefined);
});

await t.test('maintenance begins, changes and ends; the same again is no change', async (t) => {
  const { switchboard, store } = sticky();
  t.match(await switchboard.maintain(change(), CLOSED), { generation: 2, changed: true });
  t.match(await switchboard.maintain(change(), { ...CLOSED }), { generation: 2, changed: false });
  t.match(store.services.get('default')?.maintenance, CLOSED);
  await switchboard.maintain(change(), { ...CLOSED, message: 'later' });
  t.match(only(switchboard.table).maintenance, { message: 'later' });
  await switchboard.maintain(change(), undefined);
  t.equal(only(switchboard.table).maintenance, undefined);
  t.equal(store.services.get('default')?.maintenance, undefined);
});

await t.test('a third release comes while two deployments drain, then those end', async (t) => {
  const { switchboard, store } = sticky();
  await switchboard.switch(to('green'));
  await switchboard.register(change(), wanted({ color: 'blue', release: 'v3' }));
  await switchboard.switch(to('blue'));
  t.match(only(switchboard.table), {
    active: 'blue',
    blue: { release: 'v3', servedSince: 4 },
    draining: [
      { deployment: { number: 1, color: 'blue', release: 'v1', servedSince: 1 } },
      { deployment: { number: 2, color: 'green', release: 'v2', servedSince: 2 } },
    ],
  });
  const { version } = switchboard.table;
  t.match(await switchboard.endDrains(change(), new Set([1, 99])), { changed: true });
  t.match(only(switchboard.table).draining, [{ deployment: { number: 2 } }]);
  t.match(store.services.get('default')?.draining, [{ deployment: 2 }]);
  await switchboard.endDrains(change(), new Set([2]));
  t.same(only(switchboard.table).draining, []);
  t.match(
    switchboard.table,
    { version: version + 2, epoch: 4 },
    'each end is another table, and none is a decision',
  );
});

await t.test('an address that drains is taken over only by eviction', async (t) => {
  const { switchboard } = sticky();
  await switchboard.switch(to('green'));
  const again = wanted({ color: 'blue', targets: [target(3001).url] });
  await t.rejects(switchboard.register(change(), again), {
    code: 'address-in-use',
    members: { uses: [{ deployment: 1, release: 'v1', use: 'draining' }] },
  });
  t.match(await switchboard.register(change(), { ...again, evict: true }), { changed: true });
  const [drain] = only(switchboard.table).draining;
  t.match(drain, { deployment: { number: 1, release: 'v1' }, longLived: 'cut' });
  t.ok(drain!.sessionsUntilMs <= Date.now());
});

await t.test('an eviction ends the sessions of a drain now', async (t) => {
  const { switchboard } = sticky();
  await switchboard.switch(to('green'));
  await t.rejects(switchboard.evict(change(), 9), { code: 'drain-unknown', status: 404 });
  t.match(await switchboard.evict(change(), 1), { changed: true, generation: 3 });
  t.ok(only(switchboard.table).draining[0]!.sessionsUntilMs <= Date.now());
  t.match(await switchboard.evict(change(), 1), { changed: false });
});

await t.test('every change heeds the generation and the service that it names', async (t) => {
  const { switchboard } = board([serviceConfig(), serviceConfig({ name: 'shop' })]);
  const changes = [
    async (asked: ReturnType<typeof change>) => switchboard.register(asked, wanted()),
    async (asked: ReturnType<typeof change>) => switchboard.evict(asked, undefined),
    async (asked: ReturnType<typeof change>) => switchboard.endDrains(asked, new Set()),
    async (asked: ReturnType<typeof change>) => switchboard.hold(asked, HOLD),
    async (asked: ReturnType<typeof change>) => switchboard.endHold(asked),
    async (asked: ReturnType<typeof change>) => switchboard.maintain(asked, CLOSED),
  ];
  for (const run of changes) {
    await t.rejects(run(change()), { code: 'service-required' });
    await t.rejects(run(change({ service: 'cart' })), { code: 'service-unknown' });
    const stale = change({ service: 'shop', ifMatch: [99] });
    await t.rejects(run(stale), { code: 'generation-mismatch' });
  }
  for (const run of changes) await run(change({ service: 'shop' }));
  t.match(switchboard.table.services, [
    { name: 'default', hold: undefined, maintenance: undefined, green: { release: 'v2' } },
    { name: 'shop', maintenance: CLOSED, green: { release: 'v9' } },
  ]);
  await switchboard.close();
  await switchboard.close(); // Until the end of a stop, a hold may still be ended.
  for (const run of changes) {
    await t.rejects(run(change({ service: 'shop' })), { code: 'stopping' });
  }
});

await t.test('a change that is refused is logged and is no switch', async (t) => {
  const { switchboard, log } = sticky();
  const asked = change({ reason: 'try', actor: 'unix' });
  await t.rejects(switchboard.register(asked, wanted({ color: 'blue' })), { code: 'color-active' });
  t.match(log.lines, [
    {
      level: 'warn',
      fields: { service: 'default', actor: 'unix', reason: 'try', code: 'color-active' },
      message: /^release v9 registered on blue refused: /,
    },
  ]);
  t.ok(switchboard.tally.counts.every(({ count }) => count === 0));
});

await t.test('a change that cannot be stored leaves traffic as it was', async (t) => {
  const { switchboard, store, workers, pointer } = sticky();
  store.onCommit = () => {
    throw new Error('disk full');
  };
  await t.rejects(switchboard.register(change(), wanted()), { code: 'store-failed', status: 503 });
  t.same([pointer(), workers.forgotten], [1, [2]]);
  t.match(only(switchboard.table).green, { release: 'v2' });
});

await t.test('a switch to a registered release heeds the health of its targets', async (t) => {
  const { switchboard, ail } = sticky();
  await switchboard.register(change(), wanted());
  ail(3009, DOWN);
  await t.rejects(switchboard.switch(to('green')), { code: 'target-unhealthy' });
});

await t.test('when another deployment became active is kept through other changes', async (t) => {
  const { switchboard, store } = sticky();
  await switchboard.switch(to('green'));
  const { activeSinceMs } = store.services.get('default')!;
  t.equal(activeSinceMs, store.records[0]!.atMs);
  await switchboard.hold(change(), HOLD);
  t.match(store.services.get('default'), { active: 'green', activeSinceMs });
  t.equal(only(switchboard.table).green.servedSince, 2);
  await switchboard.rollback(back());
  t.match(store.services.get('default'), {
    active: 'blue',
    activeSinceMs: store.records[0]!.atMs,
  });
  t.equal(only(switchboard.table).blue.servedSince, 4);
});

await t.test('a change of one service names what another one has at an address', async (t) => {
  const shop = serviceConfig({
    name: 'shop',
    blue: { release: 's1', targets: [target(4001)] },
    green: { release: '', targets: [] },
  });
  const { switchboard } = board([serviceConfig({ policy: POLICY }), shop]);
  const asked = change({ service: 'shop' });
  await switchboard.switch(to('green', { service: 'default' }));
  const bank = wanted({ release: 's2', targets: [target(3001).url] });
  await t.rejects(switchboard.register(asked, bank), {
    code: 'address-in-use',
    message: /3001 is still drained by v1 \(deployment 1\) of default/,
  });
  await switchboard.register(asked, { ...bank, evict: true });
  const [first, second] = switchboard.table.services;
  t.match(first!.draining, [{ longLived: 'cut' }], 'what drained in the other service ends');
  t.match(second!.green, { release: 's2' });
  await t.rejects(switchboard.rollback(back({ service: 'default' })), {
    code: 'address-in-use',
    message: /v1 \(deployment 1\) does not run there any more, .* s2 \(deployment 4\) of shop now/,
  });
});

await t.test('an address is known under another spelling, too', async (t) => {
  const { switchboard, hooks } = sticky();
  const place = new Set(['127.0.0.1:3001']);
  hooks.places.set(target(3001).url, place).set('http://localhost:3001', place);
  const again = wanted({ targets: ['http://localhost:3001'] });
  await t.rejects(switchboard.register(change(), again), {
    code: 'address-in-use',
    message: /^http:\/\/127\.0\.0\.1:3001 gets the traffic of v1/,
  });
});
