import t from 'tap';
import { BLOCKS_MAX, ENDPOINTS_MAX } from '../../../../src/contract/counters.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { QUIET } from '../support/fixtures.ts';

const block = { service: 'a', color: 'blue', deployment: 1, release: 'v1' } as const;
const endpoint = { service: 'a', color: 'blue', deployment: 1, url: 'http://x:1' } as const;

await t.test('block 0 is given to nobody', async (t) => {
  t.equal(new Slots(QUIET).block(block), 1);
});

await t.test('the same owner keeps its number', async (t) => {
  const slots = new Slots(QUIET);
  const first = slots.block(block);
  slots.block({ ...block, deployment: 2 });
  t.equal(slots.block(block), first);
  const slot = slots.endpoint(endpoint);
  slots.endpoint({ ...endpoint, url: 'http://x:2' });
  t.equal(slots.endpoint(endpoint), slot);
});

await t.test('a deployment has one block, whatever its color or release is called', async (t) => {
  const slots = new Slots(QUIET);
  const first = slots.block(block);
  t.equal(slots.block({ ...block, color: 'green' }), first, 'it goes on counting');
  t.equal(slots.blocks().length, 1);
  t.match(slots.blocks(), [{ color: 'green', block: first }], 'under the color that it has now');
  t.not(slots.block({ ...block, deployment: 2 }), first, 'the same release again is another one');
});

await t.test('a color without a deployment has a block of its own in each service', async (t) => {
  const slots = new Slots(QUIET);
  const nothing = { ...block, deployment: 0, release: '' };
  const numbers = [
    slots.block(nothing),
    slots.block({ ...nothing, color: 'green' }),
    slots.block({ ...nothing, service: 'b' }),
    slots.block(block),
  ];
  t.equal(new Set(numbers).size, 4);
  t.same(
    slots.blocks().map((owner) => owner.block),
    numbers,
  );
  t.equal(slots.block(nothing), numbers[0], 'which it keeps');
});

await t.test('the same address in another deployment is another endpoint', async (t) => {
  const slots = new Slots(QUIET);
  const numbers = [
    slots.endpoint(endpoint),
    slots.endpoint({ ...endpoint, deployment: 2 }),
    slots.endpoint({ ...endpoint, url: 'http://x:2' }),
  ];
  t.equal(new Set(numbers).size, 3);
  t.equal(slots.endpoint({ ...endpoint, color: 'green' }), numbers[0], 'its color is no matter');
});

await t.test('more blocks or endpoints than there are is a clear error', async (t) => {
  const slots = new Slots(QUIET);
  for (let i = 1; i < BLOCKS_MAX; i++) slots.block({ ...block, deployment: i });
  t.throws(() => slots.block({ ...block, deployment: BLOCKS_MAX }), {
    code: 'no-slot',
    status: 409,
    message:
      /255 deployments serve, idle or drain already; wait until a drain has ended, or evict it/,
  });
  for (let i = 0; i < ENDPOINTS_MAX; i++) slots.endpoint({ ...endpoint, url: `http://x:${i}` });
  t.throws(() => slots.endpoint({ ...endpoint, url: 'http://y:1' }), {
    code: 'no-slot',
    message: /1024 targets serve, idle or drain already/,
  });
});
