// "Am I live?": the answer, the wait for a switch, and leases that no two deployments hold at once.

import t from 'tap';
import { leasesBefore } from '../../../../src/control-plane/live/live-parts.ts';
import { Leases } from '../../../../src/control-plane/live/leases.ts';
import { emptyState } from '../../../../src/control-plane/store/service-state.ts';
import { ask, openAdmin, post, put } from '../support/admin.ts';
import { serviceConfig } from '../support/fixtures.ts';

const TWO = [serviceConfig({ name: 'shop' }), serviceConfig({ name: 'blog', paths: ['/blog'] })];
const MINUTE_MS = 60_000;

async function open(
  t: Parameters<typeof openAdmin>[0],
  options: Parameters<typeof openAdmin>[1] = {},
) {
  const admin = await openAdmin(t, options);
  admin.hooks.onPublished = (table) => admin.liveParts.follow(table);
  const active = async (query = '') => {
    const answer = await ask(admin.address, `/v1/active${query}`);
    return { ...answer, json: answer.json as Readonly<Record<string, unknown>> };
  };
  return { ...admin, active };
}

await t.test('the answer says what is active, and what the one that asks is', async (t) => {
  const { address, active } = await open(t);
  t.match((await active()).json, {
    service: 'default',
    color: 'blue',
    deployment: 1,
    release: 'v1',
    generation: 1,
    you: null,
  });
  t.match((await active('?color=blue')).json, {
    you: { color: 'blue', role: 'active', isActive: true, leaseUntil: /Z$/, leaseFrom: null },
  });
  t.match((await active('?color=green')).json, {
    you: { color: 'green', role: 'idle', isActive: false, leaseUntil: null, leaseSeconds: null },
  });
  await post(address, '/v1/switch', { to: 'green' });
  t.match((await active('?deployment=1')).json, {
    color: 'green',
    generation: 2,
    you: { color: 'blue', role: 'draining', isActive: false, release: 'v1' },
  });
});

await t.test('a deployment that has lost its color is not what came there', async (t) => {
  const { address, active } = await open(t);
  await put(address, '/v1/releases/green', { release: 'v9', targets: ['http://127.0.0.1:3009'] });
  await post(address, '/v1/switch', { to: 'green', force: true, reason: 'x' });
  t.match((await active('?color=green')).json, { you: { isActive: true, deployment: 3 } });
  t.match((await active('?deployment=2')).json, {
    you: { color: null, role: 'gone', isActive: false, leaseUntil: null },
  });
  t.match((await active('?deployment=999')).json, { you: { role: 'gone' } });
});

await t.test('a wait ends at the switch of its service, and at no other', async (t) => {
  const { address, active } = await open(t, { services: TWO });
  let isOver = false;
  const waits = active('?service=blog&since=1&wait=50s&color=green').then((answer) => {
    isOver = true;
    return answer;
  });
  await active('?service=blog');
  await post(address, '/v1/switch', { service: 'shop', to: 'green', force: true, reason: 'x' });
  await active('?service=blog');
  t.notOk(isOver, 'another service was switched');
  await post(address, '/v1/switch', { service: 'blog', to: 'green', force: true, reason: 'x' });
  t.match((await waits).json, { color: 'green', generation: 3, you: { isActive: true } });
});

await t.test(
  'a number that is not the one of now is answered at once, also one of the future',
  async (t) => {
    const { active } = await open(t);
    for (const since of [0, 99]) {
      t.match(await active(`?since=${since}&wait=60s`), { status: 200, json: { generation: 1 } });
    }
    t.match(await active('?since=1&wait=1ms'), { status: 200, json: { generation: 1 } });
  },
);

await t.test('what makes no sense is refused', async (t) => {
  const { active } = await open(t, { services: TWO });
  for (const query of [
    '?service=shop&color=red',
    '?service=shop&color=blue&deployment=1',
    '?service=shop&wait=2h',
    '?service=shop&lease=5m',
    '?service=shop&since=-1',
    '?service=shop&deployment=0',
  ]) {
    t.match(await active(query), { status: 400, json: { code: 'query-invalid' } }, query);
  }
  t.match(await active(), { status: 400, json: { code: 'service-required' } });
  t.match(await active('?service=nobody'), { status: 404 });
});

await t.test(
  'a caller that leaves gives its place back, and a stop answers all that wait',
  async (t) => {
    const { liveParts } = await open(t);
    const { active } = liveParts;
    const left = new AbortController();
    const waits = Array.from({ length: 64 }, async () =>
      active.wait('default', 1, MINUTE_MS, left.signal),
    );
    await t.rejects(active.wait('default', 1, MINUTE_MS), { code: 'busy' });
    left.abort();
    await Promise.all(waits);
    const last = active.wait('default', 1, MINUTE_MS);
    active.stop();
    await last;
    t.pass('all were answered');
  },
);

await t.test(
  'after a switch the new one waits for the lease of the old one; traffic does not',
  async (t) => {
    const { address, active } = await open(t);
    t.match((await active('?color=blue&lease=60s')).json, { you: { leaseSeconds: Number } });
    t.match((await post(address, '/v1/switch', { to: 'green' })).status, 200);
    t.match((await active('?color=green')).json, {
      you: { isActive: true, leaseUntil: null, leaseSeconds: null, leaseFrom: /Z$/ },
    });
    t.match((await active('?color=blue')).json, { you: { isActive: false, leaseUntil: null } });
  },
);

await t.test('a call that wants no lease leaves none behind', async (t) => {
  const { address, active } = await open(t);
  t.match((await active('?color=blue&lease=0s')).json, {
    you: { isActive: true, leaseUntil: null },
  });
  await post(address, '/v1/switch', { to: 'green' });
  t.match((await active('?color=green')).json, { you: { leaseUntil: /Z$/ } });
});

await t.test('a process that hands over gives no lease', async (t) => {
  const { active, switchboard } = await open(t);
  await switchboard.pause();
  t.match(await active('?color=blue'), { status: 503, json: { code: 'upgrading' } });
  t.match(await active(), { status: 200 });
});

void t.test('no two deployments of a service hold a lease at the same time', (t) => {
  let nowMs = 0;
  const leases = new Leases({ now: () => nowMs, clearAtMs: 0, wasActive: new Set() });
  t.strictSame(leases.ask('shop', 1, 15_000), { kind: 'held', untilMs: 15_000 });
  nowMs = 10_000;
  t.strictSame(leases.ask('shop', 1, 15_000), { kind: 'held', untilMs: 25_000 });
  t.strictSame(leases.ask('shop', 2, 15_000), { kind: 'waits', untilMs: 25_000 });
  t.strictSame(
    leases.ask('blog', 2, 1_000),
    { kind: 'held', untilMs: 11_000 },
    'of another service',
  );
  nowMs = 25_000;
  t.strictSame(leases.ask('shop', 2, 15_000), { kind: 'held', untilMs: 40_000 });
  t.strictSame(leases.ask('shop', 1, 15_000), { kind: 'waits', untilMs: 40_000 });
  t.strictSame(leases.ask('shop', 2, 1_000), { kind: 'held', untilMs: 26_000 });
  t.strictSame(
    leases.ask('shop', 1, 1_000),
    { kind: 'waits', untilMs: 40_000 },
    'a shorter one does not end the longer one of another worker',
  );
  t.end();
});

void t.test('after a restart only what was active all the while goes on at once', (t) => {
  const wallMs = 1_000_000_000;
  const stateOf = (name: string, number: number, sinceMs: number) => ({
    ...emptyState(name, 'blue', wallMs - sinceMs),
    blue: { deployment: number, configured: '' },
  });
  const services = new Map([
    ['shop', stateOf('shop', 1, MINUTE_MS)],
    ['blog', stateOf('blog', 2, MINUTE_MS - 1)],
  ]);
  const before = leasesBefore({ services }, wallMs, 5_000);
  const leases = new Leases({ now: () => 5_000, ...before });
  t.match(leases.ask('shop', 1, 1_000), { kind: 'held' });
  t.strictSame(leases.ask('blog', 2, 1_000), { kind: 'waits', untilMs: 65_000 });
  t.match(leases.ask('shop', 3, 1_000), { kind: 'waits' }, 'and none that comes later');
  const fresh = new Leases({ now: () => 0, ...leasesBefore({ services: new Map() }, wallMs, 0) });
  t.match(fresh.ask('shop', 1, 1_000), { kind: 'held' }, 'the first process waits for none');
  t.end();
});
