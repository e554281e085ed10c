import t from 'tap';
import { BLOCKS_MAX, ENDPOINTS_MAX } from '../../../../src/contract/counters.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { QUIET } from '../support/fixtures.ts';

const block = { service: 'a', color: 'blue', release: 'v1', urls: ['http://x:1'] } as const;
const endpoint = { service: 'a', color: 'blue', url: 'http://x:1' } as const;

await t.test('block 0 is given to nobody', async (t) => {
  t.equal(new Slots(QUIET).block(block), 1);
});

await t.test('the same owner keeps its number', async (t) => {
  const slots = new Slots(QUIET);
  const first = slots.block(block);
  slots.block({ ...block, color: 'green' });
  t.equal(slots.block(block), first);
  const slot = slots.endpoint(endpoint);
  slots.endpoint({ ...endpoint, url: 'http://x:2' });
  t.equal(slots.endpoint(endpoint), slot);
});

await t.test('another service, color, release or address gets another number', async (t) => {
  const slots = new Slots(QUIET);
  const numbers = [
    slots.block(block),
    slots.block({ ...block, service: 'b' }),
    slots.block({ ...block, color: 'green' }),
    slots.block({ ...block, release: 'v2' }),
    slots.block({ ...block, urls: ['http://x:2'] }),
    slots.block({ ...block, urls: ['http://x:1', 'http://x:2'] }),
  ];
  t.equal(new Set(numbers).size, 6);
  t.same(
    slots.blocks().map((owner) => owner.block),
    numbers,
  );
  t.not(slots.endpoint(endpoint), slots.endpoint({ ...endpoint, service: 'b' }));
});

await t.test('more blocks or endpoints than there are is a clear error', async (t) => {
  const slots = new Slots(QUIET);
  for (let i = 1; i < BLOCKS_MAX; i++) slots.block({ ...block, release: `v${i}` });
  t.throws(() => slots.block({ ...block, release: 'one more' }), {
    code: 'no-slot',
    status: 409,
    message: /255 releases serve, idle or drain already; wait until a drain has ended, or evict it/,
  });
  for (let i = 0; i < ENDPOINTS_MAX; i++) slots.endpoint({ ...endpoint, url: `http://x:${i}` });
  t.throws(() => slots.endpoint({ ...endpoint, url: 'http://y:1' }), {
    code: 'no-slot',
    message: /1024 targets serve, idle or drain already/,
  });
});
