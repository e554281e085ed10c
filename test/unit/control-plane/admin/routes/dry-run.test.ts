// The API for dry runs: nothing is changed, counted as a change, or remembered under a key.

import t from 'tap';
import { ask, openAdmin, post, put } from '../../support/admin.ts';
import { serviceConfig, target } from '../../support/fixtures.ts';
import { notes } from '../../support/notes.ts';

const V9 = { release: 'v9', targets: ['http://127.0.0.1:3009'] };

await t.test('a dry run says what would be done; the change itself then does it', async (t) => {
  const { address, pointer, audit } = await openAdmin(t);
  const key = { 'idempotency-key': 'one' };
  const dry = await put(address, '/v1/releases/green', { ...V9, dryRun: true }, key);
  t.match(dry, { status: 200, headers: { etag: '"1"' } });
  const answer = { generation: 1, service: 'default', changed: true, obstacles: [] };
  t.same(dry.json, { ...answer, dryRun: true });
  t.equal(pointer(), 1);
  t.same((await put(address, '/v1/releases/green', V9, key)).json, { ...answer, generation: 2 });

  const moved = { from: 'blue', to: 'green', release: 'v9', changed: true };
  const planned = await post(address, '/v1/switch', { dryRun: true }, { 'idempotency-key': 'two' });
  t.match(planned.json, { ...moved, generation: 2, dryRun: true });
  const made = await post(address, '/v1/switch', {}, { 'idempotency-key': 'two' });
  t.match(made.json, { ...moved, generation: 3 });
  t.equal(made.headers['idempotent-replayed'], undefined);
  t.match((await post(address, '/v1/rollback', { dryRun: true })).json, {
    to: 'blue',
    dryRun: true,
  });
  t.match((await post(address, '/v1/switch', { to: 'v7', dryRun: true })).json, {
    code: 'deployment-unknown',
  });
  t.match((await ask(address, '/v1/status')).json, { services: [{ active: 'green' }] });
  const entries = await audit.latest({ services: undefined, before: undefined, limit: 10 });
  const told = entries.filter(({ detail }) => detail === 'dry run').map(({ outcome }) => outcome);
  t.same(told, ['unchanged', 'unchanged', 'unchanged']);
});

await t.test('several steps are looked at in one call', async (t) => {
  const { address, pointer } = await openAdmin(t);
  const steps = [
    { kind: 'register', service: 'default', color: 'green', ...V9 },
    { kind: 'switch', service: 'default', to: 'green' },
  ];
  const answer = await post(address, '/v1/dry-run', { steps });
  t.same(answer.json, { generation: 1, refusals: [] });
  t.equal(answer.headers.etag, '"1"');
  await post(address, '/v1/freeze', { reason: 'black friday' });
  t.match((await post(address, '/v1/dry-run', { steps })).json, {
    refusals: [{ step: 1, code: 'switching-frozen', detail: /black friday/ }],
  });
  for (const wrong of [
    [],
    [{ kind: 'switch', service: 'default' }],
    [{ ...steps[0], force: true }],
  ]) {
    t.match((await post(address, '/v1/dry-run', { steps: wrong })).json, { code: 'body-invalid' });
  }
  t.match(await post(address, '/v1/dry-run', { steps }, { 'if-match': '"7"' }), { status: 412 });
  t.equal(pointer(), 1);
});

await t.test('a token of one service looks at no steps of another', async (t) => {
  const bank = {
    blue: { release: 'b1', targets: [target(4001)] },
    green: { release: 'b2', targets: [target(4002)] },
  };
  const services = [
    serviceConfig({ name: 'shop' }),
    serviceConfig({ ...bank, name: 'bank', hosts: ['bank.test'] }),
  ];
  const { address, tokens } = await openAdmin(t, { services });
  const wanted = { name: 'ci', role: 'switch', services: ['shop'], lifeMs: undefined } as const;
  const { text } = await tokens.create(wanted, () => notes());
  const headers = { authorization: `Bearer ${text}` };
  const look = async (service: string) =>
    post(address, '/v1/dry-run', { steps: [{ kind: 'switch', service, to: 'green' }] }, headers);
  t.match(await look('shop'), { status: 200 });
  t.match(await look('bank'), { status: 403, json: { code: 'forbidden' } });
});
