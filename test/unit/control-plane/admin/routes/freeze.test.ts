// The API for freezes, lock-outs and what failover tells.

import t from 'tap';
import { REASON_CHARS_MAX } from '../../../../../src/api/api-limits.ts';
import { ask, openAdmin, post, type Answer } from '../../support/admin.ts';

type Address = Parameters<typeof ask>[0];

async function status(address: Address) {
  const { json } = await ask(address, '/v1/status');
  return json as {
    readonly freeze: unknown;
    readonly services: readonly [Readonly<Record<'blue' | 'green', { lockedOut: unknown }>>];
  };
}

/** Resolves with the latest entries of the audit log. */
async function audit(address: Address, limit: number): Promise<unknown[]> {
  const { json } = await ask(address, `/v1/audit?limit=${limit}`);
  return (json as { entries: unknown[] }).entries;
}

await t.test('a freeze begins, is seen, refuses and ends', async (t) => {
  const { address, store } = await openAdmin(t);
  t.equal((await status(address)).freeze, null);
  const answer = await post(address, '/v1/freeze', { reason: 'black friday' });
  const freeze = { actor: 'loopback', reason: 'black friday' };
  t.match(answer, { status: 200, headers: { etag: '"1"' } });
  t.match(answer.json, { generation: 1, freeze, changed: true });
  t.match(store.freeze, freeze);
  t.match((await status(address)).freeze, freeze);
  t.match(await post(address, '/v1/switch', { to: 'green' }), {
    status: 423,
    json: { code: 'switching-frozen', freeze },
  });
  const ended = await post(address, '/v1/unfreeze', { reason: 'it is over' });
  t.match(ended.json, { generation: 1, freeze: null, changed: true });
  t.match(await post(address, '/v1/switch', { to: 'green' }), { status: 200 });
});

await t.test('what is so already is no change, and the first reason stays', async (t) => {
  const { address } = await openAdmin(t);
  t.match((await post(address, '/v1/unfreeze', {})).json, { freeze: null, changed: false });
  await post(address, '/v1/freeze', { reason: 'first' });
  const again = await post(address, '/v1/freeze', { reason: 'second' });
  t.match(again.json, { freeze: { reason: 'first' }, changed: false });
});

await t.test('each call has its entry, stored together with what it has changed', async (t) => {
  const { address, store } = await openAdmin(t);
  let written = 0;
  store.onNote = () => written++;
  await post(address, '/v1/freeze', { reason: 'sale' });
  t.equal(written, 1);
  await post(address, '/v1/switch', { to: 'green' });
  await post(address, '/v1/freeze', { reason: 'again' });
  await post(address, '/v1/unfreeze', { reason: 'over' });
  t.match(await audit(address, 4), [
    { action: 'POST /v1/unfreeze', outcome: 'done', reason: 'over' },
    { action: 'POST /v1/freeze', outcome: 'unchanged', reason: 'again' },
    { action: 'POST /v1/switch', outcome: 'refused', code: 'switching-frozen' },
    { action: 'POST /v1/freeze', outcome: 'done', reason: 'sale', actor: 'loopback' },
  ]);
});

await t.test('a freeze that cannot be stored is none', async (t) => {
  const { address, store } = await openAdmin(t);
  store.onNote = () => {
    throw new Error('the disk is full');
  };
  t.match(await post(address, '/v1/freeze', { reason: 'sale' }), {
    status: 503,
    json: { code: 'store-failed' },
  });
  t.equal((await status(address)).freeze, null);
});

await t.test('it needs a reason, and the table that was seen', async (t) => {
  const { address } = await openAdmin(t);
  const bodies = [
    {},
    { reason: '' },
    { reason: '  ' },
    { reason: 'x'.repeat(REASON_CHARS_MAX + 1) },
  ];
  for (const body of [...bodies, { reason: 'x', service: 7 }, { reason: 1 }]) {
    t.match(await post(address, '/v1/freeze', body), {
      status: 400,
      json: { code: 'body-invalid' },
    });
  }
  const ifMatch = { 'if-match': '"7"' };
  for (const path of ['/v1/freeze', '/v1/unfreeze']) {
    t.match(await post(address, path, { reason: 'x' }, ifMatch), { status: 412 });
  }
  t.equal((await status(address)).freeze, null);
});

await t.test('a rollback locks out, the status tells it, an unlock ends it', async (t) => {
  const { address } = await openAdmin(t);
  await post(address, '/v1/switch', { to: 'green' });
  await post(address, '/v1/rollback', { reason: 'it leaks' });
  const lockedOut = { actor: 'loopback', reason: 'it leaks', generation: 3 };
  const [service] = (await status(address)).services;
  t.match(service.green.lockedOut, lockedOut);
  t.equal(service.blue.lockedOut, null);
  const refused: Answer = await post(address, '/v1/switch', { to: 'green' });
  t.match(refused, { status: 409, json: { code: 'release-locked-out', lockedOut } });
  t.match((await post(address, '/v1/unlock', { color: 'green', reason: 'mended' })).json, {
    generation: 4,
    service: 'default',
    changed: true,
  });
  t.match((await post(address, '/v1/unlock', {})).json, { generation: 4, changed: false });
  t.match(await post(address, '/v1/unlock', { color: 'red' }), { status: 400 });
  t.match(await audit(address, 3), [
    { outcome: 'refused', code: 'body-invalid' },
    { outcome: 'unchanged' },
    { action: 'POST /v1/unlock', outcome: 'done', reason: 'mended', generation: 4 },
  ]);
});

await t.test('a rollback may leave that out', async (t) => {
  const { address } = await openAdmin(t);
  await post(address, '/v1/switch', { to: 'green' });
  await post(address, '/v1/rollback', { lockOut: false });
  t.equal((await status(address)).services[0].green.lockedOut, null);
  t.match(await post(address, '/v1/rollback', { lockOut: 'no' }), { status: 400 });
});

await t.test('the status tells what failover waits for', async (t) => {
  const { address, mood } = await openAdmin(t);
  const failover = async (): Promise<unknown> => {
    const [service] = (await status(address)).services;
    return (service as unknown as { failover: unknown }).failover;
  };
  t.same(await failover(), { mode: 'off', downSince: null, obstacle: null });
  mood.failover = { mode: 'auto', downSinceMs: 1_000, obstacle: 'green is not healthy' };
  t.same(await failover(), {
    mode: 'auto',
    downSince: '1970-01-01T00:00:01.000Z',
    obstacle: 'green is not healthy',
  });
});

await t.test('one service is frozen alone, and both kinds are told apart', async (t) => {
  const { address } = await openAdmin(t);
  const body = { service: 'default', reason: 'load test' };
  const freeze = { actor: 'loopback', reason: 'load test' };
  t.match((await post(address, '/v1/freeze', body)).json, {
    service: 'default',
    freeze,
    changed: true,
  });
  const other = await post(address, '/v1/freeze?service=other', body);
  t.match(other, { status: 400, json: { code: 'body-invalid' } }, 'query and body differ');
  t.match(await ask(address, '/v1/status'), { json: { freeze: null, services: [{ freeze }] } });
  t.match(await ask(address, '/v1/freezes'), { json: { freeze: null, services: [{ freeze }] } });
  t.match(await post(address, '/v1/switch', { to: 'green' }), {
    status: 423,
    json: { code: 'switching-frozen', service: 'default', freeze },
  });
  t.match((await post(address, '/v1/unfreeze', {})).json, { changed: false });
  const ended = await post(address, '/v1/unfreeze', { service: 'default' });
  t.match(ended.json, { service: 'default', freeze: null, changed: true });
  t.match(await post(address, '/v1/switch', { to: 'green' }), { status: 200 });
  const unknown = await post(address, '/v1/freeze', { ...body, service: 'other' });
  t.match(unknown, { status: 404, json: { code: 'service-unknown' } });
});
