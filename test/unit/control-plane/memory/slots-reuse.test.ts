// Numbers that go to another owner: when, in which order, and never while something counts there.

import t from 'tap';
import { BLOCKS_MAX, ENDPOINTS_MAX } from '../../../../src/contract/counters.ts';
import type { Deployment, RoutingTable } from '../../../../src/contract/table.ts';
import {
  Slots,
  type BlockOwner,
  type SlotMemory,
} from '../../../../src/control-plane/memory/slots.ts';
import { drain, FEW, oneService } from '../support/tables.ts';

/** Memory of which a test says what is busy, and sees what is cleared. */
class FakeMemory implements SlotMemory {
  readonly busyBlocks = new Set<number>();
  readonly busyEndpoints = new Set<number>();
  readonly cleared: string[] = [];

  isBlockQuiet(block: number): boolean {
    return !this.busyBlocks.has(block);
  }
  isEndpointQuiet(slot: number): boolean {
    return !this.busyEndpoints.has(slot);
  }
  clearBlock(block: number): void {
    this.cleared.push(`block ${block}`);
  }
  clearEndpoint(slot: number): void {
    this.cleared.push(`endpoint ${slot}`);
  }
}

/** Each release is a deployment of its own: `vN` is N, any other is a new one. */
function owner(release: string): BlockOwner {
  const names = ['a', 'b', 'c', 'new', 'newer', 'next', 'refused'];
  const number = /^v\d+$/.test(release) ? Number(release.slice(1)) : 1_000 + names.indexOf(release);
  return { service: 'default', color: 'blue', deployment: number, release };
}

function deployment(block: number, slots: readonly number[]): Deployment {
  const endpoints = slots.map((slot) => ({ ...FEW.blue.endpoints[0]!, slot }));
  return { ...FEW.blue, block, endpoints };
}

/** Returns a table whose deployments have these blocks and endpoint slots. */
function naming(blocks: readonly number[], endpoints: readonly number[] = []): RoutingTable {
  const draining = blocks.map((block, index) =>
    drain(index + 1, { deployment: deployment(block, index === 0 ? endpoints : []) }),
  );
  return oneService({ blue: deployment(1, []), green: deployment(2, []), draining });
}

/** Gives out every block: `v1` has block 1, and so on. */
function full() {
  const memory = new FakeMemory();
  const slots = new Slots(memory);
  for (let block = 1; block < BLOCKS_MAX; block++) slots.block(owner(`v${block}`));
  return { memory, slots };
}

/** Returns all blocks but those. */
function allBut(...blocks: readonly number[]): number[] {
  const all = Array.from({ length: BLOCKS_MAX - 1 }, (_, index) => index + 1);
  return all.filter((block) => !blocks.includes(block));
}

await t.test('a block that no table names keeps its owner until it is needed', async (t) => {
  const memory = new FakeMemory();
  const slots = new Slots(memory);
  slots.block(owner('v1'));
  slots.retain([naming([2])]);
  t.equal(slots.block(owner('v3')), 2, 'there are fresh ones');
  t.equal(slots.block(owner('v1')), 1, 'and the owner may come back');
  t.same(memory.cleared, [], 'with all that was counted');
});

await t.test('when none is left, a block that no table names goes to the next owner', async (t) => {
  const { memory, slots } = full();
  slots.retain([naming(allBut(7))]);
  t.equal(slots.block(owner('new')), 7);
  t.same(memory.cleared, ['block 7'], 'and begins at zero');
  t.equal(slots.blocks().length, BLOCKS_MAX - 1);
  t.match(
    slots.blocks().find(({ block }) => block === 7),
    { release: 'new' },
  );
});

await t.test('a block where something still counts is left alone', async (t) => {
  const { memory, slots } = full();
  slots.retain([naming(allBut(7, 9))]);
  memory.busyBlocks.add(7);
  t.equal(slots.block(owner('new')), 9);
  t.throws(() => slots.block(owner('newer')), { code: 'no-slot' });
  memory.busyBlocks.clear();
  t.equal(slots.block(owner('newer')), 7);
});

await t.test('the block that was given back first goes first', async (t) => {
  const { slots } = full();
  slots.retain([naming(allBut(30))]);
  slots.retain([naming(allBut(30, 10))]);
  slots.retain([naming(allBut(30, 10, 20))]);
  t.same([slots.block(owner('a')), slots.block(owner('b')), slots.block(owner('c'))], [30, 10, 20]);
});

await t.test('a block that was used again in between goes last', async (t) => {
  const { slots } = full();
  slots.retain([naming(allBut(10))]);
  slots.retain([naming(allBut(10, 20))]);
  t.equal(slots.block(owner('v10')), 10, 'its owner takes it back');
  slots.retain([naming(allBut(20))]);
  slots.retain([naming(allBut(10, 20))]);
  t.same([slots.block(owner('a')), slots.block(owner('b'))], [20, 10]);
});

await t.test('a block that its owner has taken back is not given to another', async (t) => {
  const { slots } = full();
  slots.retain([naming(allBut(10))]);
  t.equal(slots.block(owner('v10')), 10);
  t.throws(() => slots.block(owner('new')), { code: 'no-slot' }, 'before the table that names it');
  slots.retain([naming(allBut(10))]);
  slots.retain([naming(allBut())]);
  t.throws(() => slots.block(owner('new')), { code: 'no-slot' }, 'nor after it');
});

await t.test('a block that was given out for a table that never came is given back', async (t) => {
  const { slots } = full();
  slots.retain([naming(allBut(5))]);
  t.equal(slots.block(owner('refused')), 5);
  t.throws(() => slots.block(owner('next')), { code: 'no-slot' }, 'it may still be published');
  slots.retain([naming(allBut(5))]);
  t.equal(slots.block(owner('next')), 5);
});

await t.test('a block that any table names is not given to others', async (t) => {
  const { slots } = full();
  slots.retain([naming(allBut(7)), naming(allBut(9))]);
  t.throws(() => slots.block(owner('new')), { code: 'no-slot' });
  slots.retain([naming(allBut(9))]);
  t.equal(slots.block(owner('new')), 9);
});

await t.test('endpoints are given back and reused in the same way', async (t) => {
  const memory = new FakeMemory();
  const slots = new Slots(memory);
  const endpoint = (port: number) =>
    slots.endpoint({ service: 'default', color: 'blue', deployment: 1, url: `http://x:${port}` });
  for (let port = 0; port < ENDPOINTS_MAX; port++) endpoint(port);
  const all = Array.from({ length: ENDPOINTS_MAX }, (_, slot) => slot);
  const allBut = (...slots: number[]) => all.filter((slot) => !slots.includes(slot));
  slots.retain([naming([3], allBut(0))]);
  slots.retain([naming([3], allBut(0, 500, 200))]);
  memory.busyEndpoints.add(0);
  t.equal(endpoint(5_000), 200);
  memory.busyEndpoints.clear();
  t.equal(endpoint(5_001), 0);
  t.equal(endpoint(5_002), 500);
  t.throws(() => endpoint(5_003), { code: 'no-slot' });
  t.same(memory.cleared, ['endpoint 200', 'endpoint 0', 'endpoint 500']);
});

await t.test(
  'tables say nothing about the addresses of names, and names nothing about tables',
  async (t) => {
    const slots = new Slots(new FakeMemory());
    const endpoint = (url: string, place?: string) =>
      slots.endpoint({
        service: 'default',
        color: 'blue',
        deployment: 1,
        url,
        ...(place === undefined ? {} : { place }),
      });
    const [target, first, second] = [
      endpoint('http://x:1'),
      endpoint('http://x:1', '10.0.0.1:1'),
      endpoint('http://x:1', '10.0.0.2:1'),
    ];
    t.same([target, first, second], [0, 1, 2], 'a place is not its name');
    for (let port = 3; port < ENDPOINTS_MAX; port++) endpoint(`http://y:${port}`);
    const all = Array.from({ length: ENDPOINTS_MAX }, (_, slot) => slot);
    slots.retain([
      naming(
        [3],
        all.filter((slot) => slot !== first && slot !== second),
      ),
    ]);
    t.throws(() => endpoint('http://z:1'), { code: 'no-slot' }, 'the places are still in use');
    slots.retainPlaces(new Set([second]));
    t.equal(endpoint('http://z:1'), first);
    t.throws(() => endpoint('http://z:2'), { code: 'no-slot' });
  },
);
