import { mock } from 'node:test';
import t from 'tap';
import { BLOCK } from '../../../../../src/contract/counters.ts';
import type { Shadow } from '../../../../../src/contract/table.ts';
import { SHADOW_LEASE_MS } from '../../../../../src/control-plane/switching/changes/shadowing.ts';
import { board, change, only, to } from '../../support/board.ts';

function shadowFor(deployment: number): Shadow {
  return {
    deployment,
    share: 1_000,
    fields: [],
    ignore: [],
    ignorePaths: [],
    bodyBytesMax: 65_536,
    slowerMs: 0,
  };
}

function scene() {
  const made = board();
  const { switchboard } = made;
  const service = () => only(switchboard.table);
  const { name } = service();
  return { ...made, name, service, shadow: shadowFor(service().green.number) };
}

await t.test('the table says what is copied, and nothing else of it changes', async (t) => {
  const { switchboard, name, service, shadow, store } = scene();
  const { epoch } = switchboard.table;
  const before = service();
  await switchboard.shadowing.keepOn(name, shadow);
  t.strictSame(service(), { ...before, shadow });
  t.equal(switchboard.table.epoch, epoch, 'no operator has to know of it');
  t.notMatch(JSON.stringify([...store.services.values()]), 'shadow', 'it is not stored');
  await switchboard.shadowing.end([name]);
  t.equal(service().shadow, undefined);
});

await t.test('one table is published, however often it is said', async (t) => {
  const { switchboard, name, shadow, workers } = scene();
  for (let i = 0; i < 3; i++) await switchboard.shadowing.keepOn(name, shadow);
  t.equal(workers.prepared.length, 1);
  await switchboard.shadowing.keepOn(name, { ...shadow, share: 5 });
  t.equal(workers.prepared.length, 2, 'another share is another table');
  for (let i = 0; i < 3; i++) await switchboard.shadowing.end([name]);
  t.equal(workers.prepared.length, 3);
});

await t.test(
  'it stays over other changes, and ends where the idle color has another deployment',
  async (t) => {
    const { switchboard, name, service, shadow } = scene();
    await switchboard.shadowing.keepOn(name, shadow);
    await switchboard.hold(change({ service: name }), { methods: 'writes', untilMs: Infinity });
    t.strictSame(service().shadow, shadow);
    await switchboard.switch(to('green'));
    t.equal(service().shadow, undefined);
    await switchboard.shadowing.end([name]);
  },
);

await t.test('what nothing keeps on ends by itself', async (t) => {
  const { switchboard, name, service, shadow, hooks } = scene();
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  await switchboard.shadowing.keepOn(name, shadow);
  mock.timers.tick(SHADOW_LEASE_MS - 1);
  await switchboard.shadowing.keepOn(name, shadow);
  mock.timers.tick(SHADOW_LEASE_MS - 1);
  t.strictSame(service().shadow, shadow);
  const published = new Promise<void>((resolve) => {
    hooks.onPublished = () => resolve();
  });
  mock.timers.tick(1);
  await published;
  t.equal(service().shadow, undefined);
});

await t.test('a table that no worker can prepare is told, and tried again', async (t) => {
  const { switchboard, name, service, shadow, workers } = scene();
  workers.onPrepare = async () => {
    throw new Error('not ready');
  };
  await t.rejects(switchboard.shadowing.keepOn(name, shadow));
  t.equal(service().shadow, undefined);
  workers.onPrepare = async () => {};
  await switchboard.shadowing.keepOn(name, shadow);
  workers.onPrepare = async () => {
    throw new Error('not ready');
  };
  await switchboard.shadowing.end([name]);
  t.strictSame(service().shadow, shadow, 'it goes on until its end succeeds');
});

await t.test('it tells what the workers have counted', async (t) => {
  const { switchboard, name, service, count } = scene();
  const { green } = service();
  for (let i = 0; i < 8; i++) count(green.block, BLOCK.shadow + i, i + 1);
  t.match(switchboard.shadowing.counts(name, green.number), {
    sent: 1,
    same: 2,
    differed: 3,
    failed: 4,
    unpaired: 5,
    dropped: 6,
    liveMs: 7,
    copiedMs: 8,
  });
  t.equal(switchboard.shadowing.counts(name, service().blue.number), undefined, 'the active one');
  t.equal(switchboard.shadowing.counts(name, 999), undefined);
  t.equal(switchboard.shadowing.counts('other', green.number), undefined);
});
