// A switchboard that is used for years: numbers, tables and counters of what is over are given
// back, and what is not over keeps its own.

import t from 'tap';
import { BLOCK, BLOCKS_MAX } from '../../../../src/contract/counters.ts';
import { DEPLOYMENTS_KEPT } from '../../../../src/control-plane/base/control-limits.ts';
import { testPolicy } from '../../../support/policy.ts';
import { back, board, change, only, to, wanted } from '../support/board.ts';
import { serviceConfig, target } from '../support/fixtures.ts';

const SERVICE = serviceConfig({ policy: testPolicy({ affinity: { mode: 'drain' } }) });

/** Registers a release of its own at an address of its own on the idle color. */
async function registerNext({ switchboard }: ReturnType<typeof board>, index: number) {
  const color = only(switchboard.table).active === 'blue' ? 'green' : 'blue';
  const url = target(10_000 + (index % 50_000)).url;
  return switchboard.register(change(), wanted({ color, release: `r${index}`, targets: [url] }));
}

/** Ends the oldest drains until `leave` are left. */
async function endDrains({ switchboard }: ReturnType<typeof board>, leave: number): Promise<void> {
  const { draining } = only(switchboard.table);
  const over = draining.slice(0, Math.max(0, draining.length - leave));
  if (over.length === 0) return;
  const numbers = new Set(over.map(({ deployment }) => deployment.number));
  await switchboard.endDrains(change(), numbers);
}

await t.test('5,000 releases never run out of numbers', { timeout: 300_000 }, async (t) => {
  const parts = board([SERVICE]);
  const { switchboard, slots, workers, totals, count, store } = parts;
  let blocksMax = 0;
  let dirty = 0;
  let shared = 0;
  let keptMax = 0;
  for (let index = 1; index <= 5_000; index++) {
    await registerNext(parts, index);
    const fresh = only(switchboard.table)[
      only(switchboard.table).active === 'blue' ? 'green' : 'blue'
    ];
    // The owner that this block had before has left nothing in it.
    if (totals.block(fresh.block).some((value) => value !== 0)) dirty++;
    await switchboard.switch(to(undefined));
    const { active, draining } = only(switchboard.table);
    count(fresh.block, BLOCK.requests, index);
    if (index % 7 === 0) await switchboard.rollback(back());
    const blocks = [
      only(switchboard.table)[active].block,
      ...draining.map(({ deployment }) => deployment.block),
    ];
    if (new Set(blocks).size < blocks.length) shared++;
    keptMax = Math.max(keptMax, store.services.get('default')!.deployments.length);
    await endDrains(parts, 3);
    blocksMax = Math.max(blocksMax, slots.blocks().length);
  }
  t.equal(dirty, 0, 'every release began at zero');
  t.equal(shared, 0, 'no two deployments ever shared a block');
  t.equal(keptMax, DEPLOYMENTS_KEPT, 'and the last ones are kept, no more');
  t.equal(blocksMax, BLOCKS_MAX - 1, 'numbers are kept as long as there are enough');
  const forgotten = new Set(workers.forgotten);
  const kept = workers.prepared.filter((version) => !forgotten.has(version));
  t.equal(kept.length, 2, 'workers keep the current table and the one before');
  t.equal(forgotten.size, workers.forgotten.length, 'and forget every other once');
});

await t.test('drains that never end are told, and one that ends makes room', async (t) => {
  const parts = board([SERVICE]);
  const { switchboard } = parts;
  let index = 0;
  const fill = async (): Promise<never> => {
    for (;;) {
      await registerNext(parts, ++index);
      await switchboard.switch(to(undefined));
    }
  };
  await t.rejects(fill(), {
    code: 'no-slot',
    status: 409,
    message: /wait until a drain has ended/,
  });
  const { draining } = only(switchboard.table);
  t.equal(draining.length + 1, BLOCKS_MAX - 1, 'every block is in use');
  const { version } = switchboard.table;

  await endDrains(parts, draining.length - 2);
  await t.rejects(registerNext(parts, ++index), { code: 'no-slot' }, 'the last table still counts');
  await switchboard.hold(change(), { methods: 'all', untilMs: 0 });
  t.equal((await registerNext(parts, ++index)).changed, true);
  t.ok(switchboard.table.version > version);
});

await t.test('a block with a request that never ended is not given to another', async (t) => {
  const parts = board([SERVICE]);
  const { switchboard, slots, count } = parts;
  await registerNext(parts, 0);
  await switchboard.switch(to(undefined));
  const stuck = only(switchboard.table).draining[0]!.deployment;
  count(stuck.block, BLOCK.inflight, 1);
  for (let index = 1; index < 2 * BLOCKS_MAX; index++) {
    await registerNext(parts, index);
    await switchboard.switch(to(undefined));
    await endDrains(parts, 0);
  }
  const owner = slots.blocks().find(({ block }) => block === stuck.block);
  t.match(owner, { release: stuck.release });
});
