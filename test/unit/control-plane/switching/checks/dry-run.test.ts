// Dry runs: the refusals are those of the changes themselves, each step finds what those before it
// would leave, and nothing is changed.

import t from 'tap';
import { OperatorError } from '../../../../../src/control-plane/base/problems.ts';
import type { Step } from '../../../../../src/control-plane/switching/checks/dry-run.ts';
import { back, board, change, DOWN, only, to, wanted } from '../../support/board.ts';
import { serviceConfig, target } from '../../support/fixtures.ts';
import { notes } from '../../support/notes.ts';

const FREEZE = { reason: 'black friday', actor: 'ann', atMs: 1_000 };

/** Two services, each with v1 active on blue and v2 idle on green. */
function twoServices() {
  const shop = serviceConfig({ name: 'shop', hosts: [] });
  const bank = serviceConfig({
    name: 'bank',
    hosts: ['bank.test'],
    blue: { release: 'b1', targets: [target(4001)] },
    green: { release: 'b2', targets: [target(4002)] },
  });
  return board([shop, bank]);
}

function register(service: string, port: number, changes: Parameters<typeof wanted>[0] = {}): Step {
  return { kind: 'register', service, ...wanted({ targets: [target(port).url], ...changes }) };
}

/** Gives what is active of the shop other targets. */
function scale(...ports: readonly number[]): Step {
  const targets = ports.map((port) => target(port).url);
  return { kind: 'scale', service: 'shop', deployment: 1, targets };
}

function move(service: string, destination = 'green'): Step {
  return { kind: 'switch', service, to: destination };
}

await t.test('a freeze and a lock-out refuse a switch to what is not registered yet', async (t) => {
  const { switchboard, store } = twoServices();
  await switchboard.switch(to('green', { service: 'bank' }));
  await switchboard.rollback(back({ service: 'bank', reason: 'bad' }));
  const before = switchboard.table;
  const again = register('bank', 4009, { release: 'b2' });
  const steps = [register('shop', 3009), move('shop'), again, move('bank')];
  t.match(await switchboard.dryRun(change(), steps), [
    { step: 3, code: 'release-locked-out', detail: /rolled back from b2 .*because: bad/ },
  ]);
  const unlocked = register('bank', 4009, { release: 'b2', unlock: true });
  t.same(await switchboard.dryRun(change(), [unlocked, move('bank')]), []);
  await switchboard.freeze.set(FREEZE, () => notes());
  t.match(await switchboard.dryRun(change(), steps), [
    { step: 1, code: 'switching-frozen' },
    { step: 3, code: 'switching-frozen' },
  ]);
  t.equal(switchboard.table, before);
  t.equal(store.services.get('shop')!.deployments.length, 2);
});

await t.test('what one step takes, frees or leaves counts for the next', async (t) => {
  const { switchboard } = twoServices();
  t.match(
    await switchboard.dryRun(change(), [
      register('shop', 3009),
      register('bank', 3009, { release: 'b9' }),
    ]),
    [{ step: 1, code: 'address-in-use', detail: /registered for v9 .* of shop/ }],
  );
  const freed = [register('shop', 3009), register('bank', 3002, { release: 'b9' })];
  t.same(await switchboard.dryRun(change(), freed), [], 'v2 has left its address');
  const left = (changes = {}) =>
    register('shop', 3001, { color: 'blue', release: 'v8', ...changes });
  t.match(await switchboard.dryRun(change(), [left()]), [{ step: 0, code: 'color-active' }]);
  t.match(await switchboard.dryRun(change(), [move('shop'), left()]), [
    { step: 1, code: 'address-in-use', detail: /still drained by v1/ },
  ]);
  t.same(await switchboard.dryRun(change(), [move('shop'), left({ evict: true })]), []);
  t.match(
    await switchboard.dryRun(change(), [left(), move('shop'), register('bank', 4001)]),
    [
      { step: 0, code: 'color-active' },
      { step: 2, code: 'address-in-use' },
    ],
    'of each service the first refusal, and those of all services',
  );
});

await t.test('other targets of what serves are looked at as well', async (t) => {
  const { switchboard } = twoServices();
  t.same(await switchboard.dryRun(change(), [scale(3001, 3009)]), []);
  t.match(await switchboard.dryRun(change(), [scale(3009)]), [{ code: 'replaces-all-targets' }]);
  t.match(
    await switchboard.dryRun(change(), [
      scale(3001, 3009),
      register('bank', 3009, { release: 'b9' }),
    ]),
    [{ step: 1, code: 'address-in-use', detail: /gets the traffic of v1/ }],
  );
});

await t.test('a dry run waits for what runs on its services, and calls nothing off', async (t) => {
  const { switchboard, workers } = twoServices();
  const { promise, resolve } = Promise.withResolvers<void>();
  workers.onPrepare = async () => promise;
  const running = switchboard.switch(to('green', { service: 'shop' }));
  const dry = switchboard.dryRun(change(), [register('shop', 3009)]);
  const dryBack = switchboard.rollback(back({ service: 'shop', dryRun: true }));
  resolve();
  t.match(await running, { changed: true });
  t.match(await dry, [{ code: 'color-active' }], 'green is the active one by now');
  t.match(await dryBack, { to: 'blue', changed: true });
  t.equal(switchboard.table.epoch, 2);
});

await t.test('targets that are none, services that are not there, and places', async (t) => {
  const { switchboard, hooks } = twoServices();
  const wrong = register('shop', 1, { targets: ['ftp://x'] });
  t.match(await switchboard.dryRun(change(), [wrong, move('gone')]), [
    { step: 0, code: 'target-invalid' },
    { step: 1, code: 'service-unknown' },
  ]);
  t.match(await switchboard.dryRun(change(), [move('shop', 'v7')]), [
    { code: 'deployment-unknown' },
  ]);
  const alias = 'http://app.test:9';
  const place = new Set(['127.0.0.1:4001']);
  hooks.places = new Map([
    [alias, place],
    [target(4001).url, place],
  ]);
  t.match(await switchboard.dryRun(change(), [register('shop', 1, { targets: [alias] })]), [
    { step: 0, code: 'address-in-use' },
  ]);
});

await t.test('a dry run of one change makes its checks and nothing else', async (t) => {
  const { switchboard, store, pointer, ail, health } = board();
  const dry = { dryRun: true };
  t.match(await switchboard.register(change(dry), wanted()), { generation: 1, changed: true });
  t.match(await switchboard.switch(to('green', dry)), {
    generation: 1,
    from: 'blue',
    to: 'green',
    release: 'v2',
    deployment: 2,
    changed: true,
  });
  t.match(await switchboard.switch(to('blue', dry)), { changed: false });
  await t.rejects(switchboard.register(change(dry), wanted({ color: 'blue' })), {
    code: 'color-active',
  });
  await t.rejects(switchboard.rollback(back(dry)), { code: 'nothing-to-roll-back-to' });
  ail(3002, { state: 'down', reason: 'refused' });
  await t.rejects(switchboard.switch(to('green', dry)), { code: 'target-unhealthy' });
  t.notOk(
    switchboard.tally.counts.some(({ count }) => count > 0),
    'no switch was refused',
  );
  health.clear();
  t.equal(pointer(), 1);
  t.equal(store.epoch, 1);
  await switchboard.switch(to('green'));
  t.match(await switchboard.rollback(back(dry)), { generation: 2, to: 'blue', changed: true });
  t.equal(only(switchboard.table).active, 'green');
});

await t.test('a registration tells what a switch to it would be refused for', async (t) => {
  const { switchboard } = board();
  await switchboard.switch(to('green'));
  await switchboard.rollback(back({ reason: 'bad' }));
  const again = wanted({ release: 'v2' });
  for (const dryRun of [true, false]) {
    const { obstacles } = await switchboard.register(change({ dryRun }), again);
    t.match(obstacles, [{ code: 'release-locked-out', detail: /from v2/ }]);
  }
  await switchboard.freeze.set(FREEZE, () => notes());
  t.match(await switchboard.register(change(), again), {
    changed: false,
    obstacles: [{ code: 'switching-frozen' }, { code: 'release-locked-out' }],
  });
  t.match((await switchboard.register(change(), wanted())).obstacles, [
    { code: 'switching-frozen' },
  ]);
  await switchboard.freeze.set(undefined, () => notes());
  t.same((await switchboard.register(change(), wanted())).obstacles, []);
});

/** Resolves with the codes of all that refuses a change. */
async function refusedFor(change: Promise<unknown>): Promise<string[]> {
  const error: unknown = await change.catch((error: unknown) => error);
  const refusals = error instanceof OperatorError ? error.members['refusals'] : [];
  return (refusals as { readonly code: string }[]).map(({ code }) => code);
}

await t.test(
  'a dry run of a switch names everything that refuses it, in all services',
  async (t) => {
    const pair = ['shop', 'bank'].map((name, at) =>
      serviceConfig({
        name,
        blue: { release: 'v1', targets: [target(3001 + 100 * at)] },
        green: { release: 'v2', targets: [target(3002 + 100 * at)] },
      }),
    );
    const { switchboard, ail } = board(pair);
    const shop = { service: 'shop' };
    await switchboard.switch(to('green', shop));
    await switchboard.rollback(back({ ...shop, reason: 'v2 eats orders' }));
    ail(3002, DOWN);
    ail(3102, DOWN);
    await switchboard.freeze.set(FREEZE, notes);
    const codes = ['switching-frozen', 'release-locked-out', 'target-unhealthy'];
    const dry = to('green', { dryRun: true });
    await t.rejects(switchboard.switch({ ...dry, ...shop }), {
      code: 'switching-frozen',
      message:
        /black friday.*; also release-locked-out: .*v2 eats orders.*; also target-unhealthy: /,
      members: { refusals: codes.map((code) => ({ code })) },
    });
    const both = [...codes, 'switching-frozen', 'target-unhealthy'];
    t.strictSame(await refusedFor(switchboard.switchAll(['shop', 'bank'], dry)), both);
    const rollback = back({ ...shop, to: 'v2', dryRun: true });
    t.strictSame(await refusedFor(switchboard.rollback(rollback)), codes);
    const steps = [
      { kind: 'register', service: 'shop', ...wanted({ color: 'blue' }) },
      { kind: 'switch', service: 'shop', to: 'green' },
    ] as const;
    t.match(await switchboard.dryRun(change(), steps), [
      { step: 0 },
      { step: 1, code: 'switching-frozen' },
    ]);
  },
);
