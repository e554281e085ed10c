// What the answer to a hold or to maintenance tells of that which still runs, and how it waits.

import t from 'tap';
import { BLOCK } from '../../../../../src/contract/counters.ts';
import { serviceConfig } from '../../support/fixtures.ts';
import { openAdmin, post } from '../../support/admin.ts';
import { only } from '../../support/board.ts';

const UPLOAD = {
  client: '192.0.2.7',
  ageMs: 1_500,
  method: 'POST',
  path: '/save',
  waitsFor: 'upload',
} as const;

/** Calls `look` each time that the server looks whether requests run. */
function onLook(
  { totals }: Awaited<ReturnType<typeof openAdmin>>,
  look: (times: number) => void,
): void {
  const blockSlot = totals.blockSlot.bind(totals);
  let times = 0;
  totals.blockSlot = (block, slot) => {
    if (slot === BLOCK.inflight) look(++times);
    return blockSlot(block, slot);
  };
}

await t.test('what still runs is named, and not waited for unless asked', async (t) => {
  for (const [path, body] of [
    ['/v1/hold', { for: '30s' }],
    ['/v1/maintenance', { on: true }],
  ] as const) {
    const scene = await openAdmin(t);
    const { address, switchboard, count, hooks } = scene;
    const { block } = only(switchboard.table).blue;
    count(block, BLOCK.inflight, 3);
    count(block, BLOCK.streams, 1);
    count(block, BLOCK.tunnels, 2);
    hooks.running = [UPLOAD];
    t.match(await post(address, path, body), {
      status: 200,
      json: {
        changed: true,
        isOn: true,
        running: { requests: 2, streams: 1, tunnels: 2, leftBehind: 0, oldest: [UPLOAD] },
      },
    });
  }
});

await t.test('with a wait the answer comes when nothing runs any more', async (t) => {
  const scene = await openAdmin(t);
  const { block } = only(scene.switchboard.table).blue;
  scene.count(block, BLOCK.inflight, 1);
  onLook(scene, (times) => {
    if (times === 3) scene.count(block, BLOCK.inflight, 0);
  });
  const answer = await post(scene.address, '/v1/maintenance', { on: true, wait: '600s' });
  t.match(answer.json, { isOn: true, running: { requests: 0, oldest: [] } });
});

await t.test('or when its time is up', async (t) => {
  const scene = await openAdmin(t);
  scene.count(only(scene.switchboard.table).blue.block, BLOCK.inflight, 1);
  const answer = await post(scene.address, '/v1/hold', { for: '30s', wait: '1ms' });
  t.match(answer, { status: 200, json: { isOn: true, running: { requests: 1 } } });
});

await t.test('or when another call ends the hold: a wait in vain must not last', async (t) => {
  for (const [path, body, end, ending] of [
    ['/v1/hold', { for: '60s', wait: '600s' }, '/v1/resume', {}],
    ['/v1/maintenance', { on: true, wait: '600s' }, '/v1/maintenance', { on: false }],
  ] as const) {
    const scene = await openAdmin(t);
    scene.count(only(scene.switchboard.table).blue.block, BLOCK.inflight, 1);
    const isWaiting = Promise.withResolvers<void>();
    onLook(scene, (times) => {
      if (times === 2) isWaiting.resolve();
    });
    const held = post(scene.address, path, body);
    await isWaiting.promise;
    t.match(await post(scene.address, end, ending), { status: 200, json: { changed: true } });
    t.match(await held, { status: 200, json: { isOn: false, running: { requests: 1 } } }, path);
  }
});

await t.test(
  'connections of the process before an upgrade are told of, and waited for',
  async (t) => {
    const scene = await openAdmin(t);
    scene.left.count = 4;
    onLook(scene, (times) => {
      if (times === 3) scene.left.count = 0;
    });
    const told = await post(scene.address, '/v1/hold', { for: '30s' });
    t.match(told.json, { running: { requests: 0, leftBehind: 4 } });
    const waited = await post(scene.address, '/v1/hold', { for: '30s', wait: '600s' });
    t.match(waited.json, { running: { leftBehind: 0 } });
  },
);

await t.test('a wait for writes alone is refused before anything is held', async (t) => {
  const { address, switchboard } = await openAdmin(t);
  const answer = await post(address, '/v1/hold', { methods: 'writes', wait: '10s' });
  t.match(answer, { status: 400, json: { code: 'body-invalid' } });
  t.equal(only(switchboard.table).hold, undefined);
});

await t.test('with "close" the table says that tunnels, streams and uploads end', async (t) => {
  const { address, switchboard } = await openAdmin(t);
  await post(address, '/v1/hold', { for: '30s', close: true });
  t.match(only(switchboard.table).hold, { closesLongLived: true });
  t.equal(only(switchboard.table).hold?.quiet, undefined);
  await post(address, '/v1/maintenance', { on: true, close: true });
  t.match(only(switchboard.table).maintenance, { closesLongLived: true });
});

await t.test('a switch names its services in one way, and each service once', async (t) => {
  const services = [
    serviceConfig({ name: 'shop', hosts: ['shop.test'] }),
    serviceConfig({ name: 'bank', hosts: ['bank.test'] }),
  ];
  const { address, pointer } = await openAdmin(t, { services });
  for (const body of [
    { services: ['shop', 'bank'], service: 'shop' },
    { services: ['shop', 'shop'] },
    { services: [] },
  ]) {
    t.match(await post(address, '/v1/switch', body), {
      status: 400,
      json: { code: 'body-invalid' },
    });
  }
  const unknown = { services: ['shop', 'cart'], to: 'green' };
  t.match(await post(address, '/v1/switch', unknown), { json: { code: 'service-unknown' } });
  t.equal(pointer(), 1);
  const answer = await post(address, '/v1/switch', { services: ['shop', 'bank'], to: 'green' });
  t.match(answer, {
    status: 200,
    headers: { etag: '"2"' },
    json: {
      generation: 2,
      services: [
        { service: 'shop', from: 'blue', to: 'green', release: 'v2', changed: true },
        { service: 'bank', from: 'blue', to: 'green', release: 'v2', changed: true },
      ],
    },
  });
  t.equal(pointer(), 2, 'one table');
});
