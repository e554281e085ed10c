import { once } from 'node:events';
import { statSync } from 'node:fs';
import { connect, createServer, Server, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { StartError } from '../../../../../src/control-plane/base/problems.ts';
import { ask, openAdmin, post } from '../../support/admin.ts';
import { DOWN } from '../../support/board.ts';
import { serviceConfig, shortDir } from '../../support/fixtures.ts';

await t.test('a switch answers what was done, with the generation as ETag', async (t) => {
  const { address, pointer } = await openAdmin(t);
  const answer = await post(address, '/v1/switch', { to: 'green', reason: 'release day' });
  t.equal(answer.status, 200);
  t.equal(answer.headers.etag, '"2"');
  t.match(answer.json, {
    generation: 2,
    service: 'default',
    from: 'blue',
    to: 'green',
    release: 'v2',
    publishedAt: /^\d{4}-\d\d-\d\dT.*Z$/,
    tookMs: Number,
    changed: true,
  });
  t.equal(pointer(), 2);
});

await t.test('an empty body means the other color', async (t) => {
  const { address } = await openAdmin(t);
  t.match((await post(address, '/v1/switch', '')).json, { to: 'green' });
  t.match((await post(address, '/v1/switch', {})).json, { to: 'blue' });
});

await t.test('a rollback takes the switch back', async (t) => {
  const { address } = await openAdmin(t);
  await post(address, '/v1/switch', { to: 'green' });
  t.match(await post(address, '/v1/rollback', {}), {
    status: 200,
    json: { generation: 3, from: 'green', to: 'blue' },
  });
});

await t.test('status shows both colors, what is active and the last switch', async (t) => {
  const { address, ail } = await openAdmin(t);
  await post(address, '/v1/switch', { to: 'green', reason: 'why not' });
  ail(3003, DOWN);
  const { json, headers } = await ask(address, '/v1/status');
  t.equal(headers.etag, '"2"');
  t.match(json, {
    version: '1.2.3',
    generation: 2,
    ready: true,
    workers: { count: 2, listening: 2, restarts: 0 },
    state: { dir: '/state', warning: null },
    services: [
      {
        name: 'default',
        active: 'green',
        since: { generation: 2 },
        blue: { release: 'v1', health: 'up', traffic: { inflight: 0, tunnels: 0, requests: 0 } },
        green: {
          health: 'partly',
          targets: [
            { url: 'http://127.0.0.1:3002', health: 'up' },
            { url: 'http://127.0.0.1:3003', health: 'down', reason: 'connection refused' },
          ],
        },
        previous: { from: 'blue', to: 'green', reason: 'why not', actor: 'loopback' },
      },
    ],
  });
});

await t.test('a service is named in the query or in the body', async (t) => {
  const services = [serviceConfig(), serviceConfig({ name: 'shop' })];
  const { address } = await openAdmin(t, { services });
  t.match(await post(address, '/v1/switch', {}), {
    status: 400,
    json: { code: 'service-required' },
  });
  t.match((await post(address, '/v1/switch?service=shop', {})).json, { service: 'shop' });
  t.match((await post(address, '/v1/switch', { service: 'shop' })).json, { service: 'shop' });
  t.match(await post(address, '/v1/switch?service=default', { service: 'shop' }), {
    status: 400,
    json: { code: 'body-invalid' },
  });
  t.match((await ask(address, '/v1/status?service=shop')).json, { services: [{ name: 'shop' }] });
  t.match(await ask(address, '/v1/status?service=nope'), {
    status: 404,
    json: { code: 'service-unknown', services: ['default', 'shop'] },
  });
});

await t.test('history is limited, filtered and the latest first', async (t) => {
  const { address } = await openAdmin(t);
  for (let i = 0; i < 3; i++) await post(address, '/v1/switch', {});
  t.match((await ask(address, '/v1/history?limit=2')).json, {
    switches: [{ generation: 4 }, { generation: 3, tookMs: null, outcome: 'switched' }],
  });
  t.same((await ask(address, '/v1/history?service=shop')).json, { switches: [] });
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'limit=1&limit=2', 'page=2']) {
    t.match(await ask(address, `/v1/history?${query}`), {
      status: 400,
      json: { code: 'query-invalid' },
    });
  }
});

await t.test('If-Match takes one generation, several or any', async (t) => {
  const { address } = await openAdmin(t);
  const send = async (ifMatch: string) => post(address, '/v1/switch', {}, { 'if-match': ifMatch });
  t.match(await send('"7"'), { status: 412, json: { code: 'generation-mismatch', generation: 1 } });
  t.match(await send('"1"'), { status: 200, json: { generation: 2 } });
  t.match(await send('"1", "2"'), { status: 200, json: { generation: 3 } });
  t.match(await send('*'), { status: 200, json: { generation: 4 } });
  for (const bad of ['4', 'W/"4"', '"4', '"x"', '', '"4",']) {
    t.match(await send(bad), { status: 400, json: { code: 'if-match-malformed' } }, bad);
  }
});

await t.test('of many racing switches with one generation exactly one wins', async (t) => {
  const { address, pointer } = await openAdmin(t);
  const answers = await Promise.all(
    Array.from({ length: 10 }, async () => post(address, '/v1/switch', {}, { 'if-match': '"1"' })),
  );
  const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
  t.same(statuses, [200, ...Array.from({ length: 9 }, () => 412)]);
  t.equal(pointer(), 2);
});

await t.test('readyz follows the process, livez does not', async (t) => {
  const { address, mood } = await openAdmin(t);
  t.equal((await ask(address, '/readyz')).status, 200);
  mood.isReady = false;
  t.match(await ask(address, '/readyz'), { status: 503, json: { code: 'not-ready' } });
  t.equal((await ask(address, '/livez')).status, 200);
});

await t.test('a failure inside is told without its cause and logged with it', async (t) => {
  const { address, mood, log } = await openAdmin(t);
  mood.metrics = async () => {
    throw new Error('secret inside');
  };
  const answer = await ask(address, '/metrics');
  t.match(answer, { status: 500, json: { code: 'internal' } });
  t.notMatch(answer.text, /secret/);
  t.match(log.lines, [{ level: 'error', fields: { err: { message: 'secret inside' } } }]);
  mood.metrics = async () => 'a 1\n';
  t.match(await ask(address, '/metrics'), {
    status: 200,
    text: 'a 1\n',
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
  });
});

await t.test('every answer forbids framing, sniffing and caching', async (t) => {
  const { address } = await openAdmin(t);
  for (const path of ['/v1/status', '/nope', '/metrics']) {
    t.match((await ask(address, path)).headers, {
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
  }
});

/** What may be done to a rollout. */
const ACTS = 'approve reject pause resume skip promote abort point-of-no-return'.split(' ');

await t.test('the document describes every route and every answer of it', async (t) => {
  const { address } = await openAdmin(t);
  const document = (await ask(address, '/v1/openapi.json')).json as {
    openapi: string;
    paths: Record<
      string,
      Record<string, { deprecated?: boolean; responses: Record<string, unknown> }>
    >;
  };
  t.equal(document.openapi, '3.1.0');
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  t.same(operations, [
    'get /v1/status',
    'get /v1/check',
    'post /v1/switch',
    'post /v1/rollback',
    'get /v1/active',
    'get /v1/series',
    'get /v1/events',
    'put /v1/releases/blue',
    'put /v1/releases/green',
    'post /v1/unlock',
    'post /v1/point-of-no-return',
    'post /v1/schema',
    'get /v1/drain',
    'post /v1/drain',
    'post /v1/hold',
    'post /v1/resume',
    'post /v1/release',
    'post /v1/maintenance',
    'get /v1/deployments',
    'post /v1/preview',
    'post /v1/preview/revoke',
    'put /v1/deployments/{deployment}/targets',
    'post /v1/dry-run',
    'post /v1/rollouts',
    'get /v1/rollouts',
    'get /v1/rollouts/{id}',
    'get /v1/rollouts/{id}/series',
    ...ACTS.map((act) => `post /v1/rollouts/{id}/${act}`),
    'post /v1/freeze',
    'post /v1/unfreeze',
    'get /v1/freezes',
    'get /v1/scheduled',
    'post /v1/scheduled/{order}/cancel',
    'get /v1/tokens',
    'post /v1/tokens',
    'post /v1/tokens/revoke',
    'post /v1/reload',
    'post /v1/upgrade',
    'get /v1/history',
    'get /v1/audit',
    'get /livez',
    'get /readyz',
    'get /metrics',
    'get /v1/openapi.json',
  ]);
  const old = Object.entries(document.paths).filter(([, methods]) =>
    Object.values(methods).some(({ deprecated }) => deprecated === true),
  );
  t.same(
    old.map(([path]) => path),
    ['/v1/release'],
    'the old name is marked as such',
  );
  const statuses = Object.keys(document.paths['/v1/switch']!['post']!.responses);
  const expected = '200 202 400 401 403 404 409 412 413 415 422 423 429 503';
  t.same(statuses, expected.split(' '));
});

await t.test('a port that is in use is one clear line', async (t) => {
  const occupied = createServer().listen(0, '127.0.0.1');
  await once(occupied, 'listening');
  t.teardown(() => occupied.close());
  const { port } = occupied.address() as AddressInfo;
  const message = `admin API: cannot listen on 127.0.0.1:${port}: the address is in use (EADDRINUSE)`;
  const listen = { kind: 'tcp', host: '127.0.0.1', port } as const;
  await t.rejects(openAdmin(t, { listen }), new StartError(message));
});

await t.test(
  'no other user can open a Unix socket at any moment, whatever the umask',
  async (t) => {
    const path = join(shortDir(t), 'admin.sock');
    const modes: number[] = [];
    const listen = Reflect.get(Server.prototype, 'listen') as (...args: unknown[]) => unknown;
    t.intercept(Server.prototype, 'listen', {
      value(this: Server, ...args: unknown[]) {
        const result = listen.apply(this, args);
        modes.push(statSync(`${path}~`).mode & 0o777);
        return result;
      },
    });
    const umask = process.umask(0);
    t.teardown(() => process.umask(umask));
    await openAdmin(t, { listen: { kind: 'unix', path } });
    t.strictSame(modes, [0o600], 'the moment that it is there');
    t.equal(process.umask(), 0, 'other files are made as before');
  },
);

await t.test(
  'a Unix socket is for its owner alone, and needs no Host that is loopback',
  async (t) => {
    const path = join(shortDir(t), 'admin.sock');
    const { address } = await openAdmin(t, { listen: { kind: 'unix', path } });
    t.equal(statSync(path).mode & 0o777, 0o600);
    const answer = await ask(address, '/v1/status', { headers: { host: 'turnout' } });
    t.equal(answer.status, 200);
    await post(address, '/v1/switch', {});
    t.match((await ask(address, '/v1/history')).json, { switches: [{ actor: 'unix' }] });
  },
);

await t.test(
  'the socket file of a process that was killed does not stand in the way',
  async (t) => {
    const path = join(shortDir(t), 'admin.sock');
    const listen = { kind: 'unix', path } as const;
    const first = await openAdmin(t, { listen });
    await t.rejects(openAdmin(t, { listen }), /the address is in use/, 'while it lives');
    t.equal((await ask(first.address, '/livez')).status, 200, 'and it lives on');
    await leaveSocketBehind(path, first.server);
    const second = await openAdmin(t, { listen });
    t.equal((await ask(second.address, '/livez')).status, 200);
  },
);

/** Ends the server of `path` and leaves a socket file on which nothing listens. */
async function leaveSocketBehind(path: string, server: { close(): Promise<void> }): Promise<void> {
  await server.close();
  const { spawnSync } = await import('node:child_process');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  const socket = connect(path);
  await once(socket, 'error');
}
