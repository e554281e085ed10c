// The API for releases and for the drains that stand in their way.

import t from 'tap';
import { BLOCK } from '../../../../../src/contract/counters.ts';
import { DRAIN_WAITERS_MAX } from '../../../../../src/control-plane/base/control-limits.ts';
import { testPolicy } from '../../../../support/policy.ts';
import { ask, openAdmin, post, put } from '../../support/admin.ts';
import { change, only } from '../../support/board.ts';
import { ANY } from '../../support/drained.ts';
import { serviceConfig } from '../../support/fixtures.ts';

const STICKY = serviceConfig({ policy: testPolicy({ affinity: { mode: 'drain' } }) });
const V9 = { release: 'v9', targets: ['http://127.0.0.1:3009'] };

await t.test('a release is registered on the idle color and then switched to', async (t) => {
  const { address } = await openAdmin(t);
  const answer = await put(address, '/v1/releases/green', V9, { 'if-match': '"1"' });
  t.equal(answer.status, 200);
  t.equal(answer.headers.etag, '"2"');
  t.same(answer.json, { generation: 2, service: 'default', changed: true, obstacles: [] });
  t.match((await ask(address, '/v1/status')).json, {
    services: [
      { active: 'blue', green: { release: 'v9', targets: [{ url: 'http://127.0.0.1:3009' }] } },
    ],
  });
  t.same((await put(address, '/v1/releases/green', V9)).json, {
    generation: 2,
    service: 'default',
    changed: false,
    obstacles: [],
  });
  t.match((await post(address, '/v1/switch', {})).json, { to: 'green', release: 'v9' });
});

await t.test('each refusal of a release has its status and its code', async (t) => {
  const { address, pointer } = await openAdmin(t, { services: [STICKY] });
  const rows: readonly (readonly [string, unknown, number, string, object?])[] = [
    ['blue', V9, 409, 'color-active'],
    ['green', { ...V9, targets: ['http://127.0.0.1:3001'] }, 409, 'address-in-use'],
    ['green', { ...V9, targets: ['ftp://x'] }, 400, 'target-invalid'],
    ['green', { ...V9, service: 'shop' }, 404, 'service-unknown'],
    ['green', { targets: V9.targets }, 400, 'body-invalid'],
    ['green', { ...V9, release: '' }, 400, 'body-invalid'],
    ['green', { ...V9, release: 'a b' }, 400, 'body-invalid'],
    ['green', { ...V9, release: 'x'.repeat(129) }, 400, 'body-invalid'],
    ['green', { ...V9, targets: [] }, 400, 'body-invalid'],
    ['green', { ...V9, targets: 'http://x:1' }, 400, 'body-invalid'],
    [
      'green',
      { ...V9, targets: Array.from({ length: 65 }, () => 'http://x') },
      400,
      'body-invalid',
    ],
    ['green', { ...V9, targets: [`http://${'x'.repeat(300)}`] }, 400, 'body-invalid'],
    ['green', { ...V9, evict: 'yes' }, 400, 'body-invalid'],
    ['green', { ...V9, force: true }, 400, 'body-invalid'],
    ['green', '{"release"', 400, 'json-malformed'],
    ['green', [], 400, 'body-invalid'],
  ];
  for (const [color, body, status, code] of rows) {
    const answer = await put(address, `/v1/releases/${color}`, body);
    t.match(answer, { status, json: { code } }, JSON.stringify(body).slice(0, 60));
  }
  t.match(await put(address, '/v1/releases/green?service=default', { ...V9, service: 'shop' }), {
    json: { code: 'body-invalid' },
  });
  t.match(await put(address, '/v1/releases/green', V9, { 'if-match': '"7"' }), {
    status: 412,
    json: { code: 'generation-mismatch', generation: 1 },
  });
  t.match(await put(address, '/v1/releases/green', V9, { 'if-match': 'x' }), {
    json: { code: 'if-match-malformed' },
  });
  t.equal(pointer(), 1);
});

await t.test('a PUT is guarded like a POST', async (t) => {
  const { address, pointer } = await openAdmin(t);
  const path = '/v1/releases/green';
  const body = JSON.stringify(V9);
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', undefined]) {
    const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
    const answer = await ask(address, path, { method: 'PUT', headers, body });
    t.match(answer, { status: 415, json: { code: 'content-type-not-json' } }, type ?? 'none');
  }
  const bare = await ask(address, path, { method: 'PUT' });
  t.match(
    bare,
    { status: 415, json: { code: 'content-type-not-json' } },
    'not even without a body',
  );
  const evil = { host: '127.0.0.1:1', origin: 'http://evil.example' };
  t.match(await put(address, path, V9, evil), { status: 403 });
  t.match(await put(address, path, V9, { host: 'evil.example' }), { status: 403 });
  const headers = { 'content-type': 'application/json' };
  t.match(await ask(address, path, { method: 'POST', headers, body }), {
    status: 405,
    headers: { allow: 'PUT' },
  });
  t.match(await put(address, '/v1/releases/red', V9), { status: 404, json: { code: 'not-found' } });
  t.equal(pointer(), 1);
});

await t.test('an address that drains is refused with what uses it, unless evicted', async (t) => {
  const { address, switchboard } = await openAdmin(t, { services: [STICKY] });
  await post(address, '/v1/switch', {});
  const body = { release: 'v3', targets: ['http://127.0.0.1:3001'] };
  t.match(await put(address, '/v1/releases/blue', body), {
    status: 409,
    json: {
      code: 'address-in-use',
      detail: /http:\/\/127\.0\.0\.1:3001 is still drained by v1 \(deployment 1\): .*"evict": true/,
      uses: [
        {
          service: 'default',
          deployment: 1,
          release: 'v1',
          use: 'draining',
          targets: ['http://127.0.0.1:3001'],
        },
      ],
    },
  });
  const evicting = { ...body, evict: true, reason: 'in a hurry' };
  t.match(await put(address, '/v1/releases/blue', evicting), {
    status: 200,
    json: { generation: 3, changed: true },
  });
  t.match(only(switchboard.table).draining, [{ deployment: { number: 1 }, longLived: 'cut' }]);
});

await t.test('a drain tells all that is left of it', async (t) => {
  const { address, switchboard, count, see } = await openAdmin(t, { services: [STICKY] });
  t.same((await ask(address, '/v1/drain')).json, { safeToStop: true, draining: [], ended: [] });
  await post(address, '/v1/switch', {});
  const one = only(switchboard.table);
  const { block } = one.blue;
  for (const slot of [BLOCK.inflight, BLOCK.streams]) count(block, slot, 2);
  count(block, BLOCK.inflight, 5);
  count(block, BLOCK.tunnels, 1);
  see(one, block, 4);
  const answer = await ask(address, '/v1/drain');
  const [drain] = one.draining;
  t.same(answer.json, {
    safeToStop: false,
    draining: [
      {
        service: 'default',
        deployment: 1,
        scope: 'deployment',
        generation: 1,
        color: 'blue',
        release: 'v1',
        targets: ['http://127.0.0.1:3001'],
        startedAt: new Date(drain!.startedAtMs).toISOString(),
        requests: 3,
        tunnels: 1,
        streams: 2,
        sessions: { seen: 4, standardError: 0.01 },
        deadlines: {
          sessions: new Date(drain!.sessionsUntilMs).toISOString(),
          end: new Date(drain!.endsAtMs).toISOString(),
        },
        safeToStop: false,
        reasons: [
          '3 requests run',
          '1 tunnel (WebSocket and others) is open',
          '2 event streams are open',
          `about 4 sessions may come back until ${new Date(drain!.sessionsUntilMs).toISOString()}`,
        ],
      },
    ],
    ended: [],
  });
  t.match((await ask(address, '/v1/status')).json, {
    services: [{ draining: [{ generation: 1, requests: 3, safeToStop: false }] }],
  });
});

await t.test('a drain of which nothing is left is safe to stop once it has ended', async (t) => {
  const { address, switchboard } = await openAdmin(t);
  await post(address, '/v1/switch', {});
  t.match((await ask(address, '/v1/drain')).json, {
    safeToStop: false,
    draining: [{ safeToStop: false, reasons: ['nothing is left; it ends in a moment'] }],
  });
  await switchboard.endDrains(change(), new Set([1]));
  t.match((await ask(address, '/v1/drain')).json, { safeToStop: true, draining: { length: 0 } });
});

await t.test('a service, a deployment and a generation choose among drains', async (t) => {
  const services = [serviceConfig(), serviceConfig({ name: 'shop' })];
  const { address } = await openAdmin(t, { services });
  await post(address, '/v1/switch', { service: 'default' });
  await post(address, '/v1/switch', { service: 'shop' });
  const names = async (query: string) => {
    const { json } = await ask(address, `/v1/drain${query}`);
    return (json as { draining: { service: string }[] }).draining.map(({ service }) => service);
  };
  t.same(await names(''), ['default', 'shop']);
  t.same(await names('?service=shop'), ['shop']);
  t.same(await names('?service=shop&generation=9'), []);
  t.same(await names('?generation=1'), ['default', 'shop']);
  t.same(await names('?generation=0'), []);
  t.same(await names('?deployment=1'), ['default']);
  t.same(await names('?deployment=3'), ['shop']);
  t.same(await names('?service=default&deployment=3'), []);
  t.match(await ask(address, '/v1/drain?service=cart'), {
    status: 404,
    json: { code: 'service-unknown' },
  });
  for (const query of [
    'deployment=0',
    'generation=-1',
    'generation=x',
    'wait=10',
    'wait=x',
    'wait=11m',
    'a=1',
  ]) {
    t.match(
      await ask(address, `/v1/drain?${query}`),
      { status: 400, json: { code: 'query-invalid' } },
      query,
    );
  }
});

await t.test('a call that waits is answered when the drain has ended', async (t) => {
  const { address, switchboard, drains, hooks, count } = await openAdmin(t);
  hooks.onPublished = (table) => drains.follow(table);
  const { block } = only(switchboard.table).blue;
  count(block, BLOCK.tunnels, 1);
  await post(address, '/v1/switch', {});
  const waiting = ask(address, '/v1/drain?wait=10m');
  count(block, BLOCK.tunnels, 0);
  t.match((await waiting).json, {
    safeToStop: true,
    draining: { length: 0 },
    ended: [
      {
        service: 'default',
        deployment: 1,
        scope: 'deployment',
        generation: 1,
        color: 'blue',
        release: 'v1',
        targets: ['http://127.0.0.1:3001'],
        startedAt: /Z$/,
        endedAt: /Z$/,
        how: 'drained',
      },
    ],
  });
});

await t.test('a call that waited long enough is answered with what is left', async (t) => {
  const { address } = await openAdmin(t);
  await post(address, '/v1/switch', {});
  t.match(await ask(address, '/v1/drain?wait=1ms'), {
    status: 200,
    json: { draining: [{ generation: 1 }] },
  });
});

await t.test('more calls that wait than the bound are told to come back', async (t) => {
  const { address, drains } = await openAdmin(t);
  await post(address, '/v1/switch', {});
  const waiting = Array.from({ length: DRAIN_WAITERS_MAX }, async () => drains.wait(ANY, 600_000));
  t.match(await ask(address, '/v1/drain?wait=10m'), { status: 503, json: { code: 'busy' } });
  t.equal((await ask(address, '/v1/drain')).status, 200, 'who does not wait is answered');
  drains.stop();
  await Promise.all(waiting);
});

await t.test('an eviction names a deployment or a generation, or means all', async (t) => {
  const { address, switchboard } = await openAdmin(t, { services: [STICKY] });
  await post(address, '/v1/switch', {});
  t.match(await post(address, '/v1/drain', { generation: 7 }), {
    status: 404,
    json: { code: 'drain-unknown', deployments: [1] },
  });
  t.match(await post(address, '/v1/drain', { deployment: 2 }), {
    status: 404,
    json: { code: 'drain-unknown', deployments: [1], detail: /expected one of: 1$/ },
  });
  t.match(await post(address, '/v1/drain', { generation: 1.5 }), {
    json: { code: 'body-invalid' },
  });
  t.match(await post(address, '/v1/drain', { generation: 1, reason: 'now' }), {
    status: 200,
    headers: { etag: '"3"' },
    json: { generation: 3, service: 'default', changed: true },
  });
  t.match((await post(address, '/v1/drain', {})).json, { generation: 3, changed: false });
  await switchboard.endDrains(change(), new Set([1]));
  t.match((await post(address, '/v1/drain', {})).json, { changed: false });
});
