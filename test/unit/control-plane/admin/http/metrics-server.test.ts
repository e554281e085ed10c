// The listener that has metrics and health alone.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ListenAddress } from '../../../../../src/contract/worker-settings.ts';
import { openMetricsServer } from '../../../../../src/control-plane/admin/http/metrics-server.ts';
import { ROUTES } from '../../../../../src/control-plane/admin/routes/routes.ts';
import { startDaemon } from '../../../../../src/control-plane/daemon.ts';
import { ADMIN_HEAD_BYTES_MAX } from '../../../../../src/control-plane/base/control-limits.ts';
import { withOfflineTokens } from '../../../../../src/control-plane/admin/offline-tokens.ts';
import { ask } from '../../support/admin.ts';
import { FAKE_ENTRY } from '../../support/fake-channel.ts';
import { config, LOOPBACK, shortDir, TestLog } from '../../support/fixtures.ts';

async function open(t: Test, listen: ListenAddress = LOOPBACK) {
  const mood = { isReady: true, metrics: async () => 'a 1\n' };
  const log = new TestLog();
  const turnedAway = new Map<string, number>();
  const store: { fault: string | undefined } = { fault: undefined };
  const outages = { count: 0 };
  const parts = {
    isReady: () => mood.isReady,
    store,
    outages,
    metrics: async () => mood.metrics(),
    turnedAway,
    log,
  };
  const server = await openMetricsServer({ listen, hosts: ['metrics.internal'] }, parts);
  t.teardown(async () => server.close());
  return { server, address: server.address, mood, store, outages, turnedAway, log };
}

await t.test('it answers three questions to any client', async (t) => {
  const { address, mood, store, outages } = await open(t);
  t.match(await ask(address, '/metrics'), {
    status: 200,
    text: 'a 1\n',
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
  });
  t.match(await ask(address, '/metrics?x=1'), { status: 200 });
  t.match(await ask(address, '/livez'), { status: 200, json: { status: 'ok' } });
  t.strictSame((await ask(address, '/readyz')).json, { status: 'ok', warning: null });
  store.fault = 'the state file /secret/place is gone';
  const ready = await ask(address, '/readyz');
  t.match(ready, { status: 200, json: { status: 'ok', warning: /changes are refused/ } });
  t.notMatch(ready.text, 'secret', 'any client may ask');
  outages.count = 2;
  const out = { status: 200, json: { status: 'ok', warning: /; no target answers: 2 services/ } };
  t.match(await ask(address, '/readyz'), out, 'an outage of targets takes no proxy out');
  mood.isReady = false;
  t.match(await ask(address, '/readyz'), { status: 503, json: { code: 'not-ready' } });
  t.match(await ask(address, '/livez'), { status: 200 });
  t.match(await ask(address, '/livez', { method: 'HEAD' }), { status: 200, text: '' });
});

await t.test('no web page reads the metrics by a name that it has pointed here', async (t) => {
  const { address, server } = await open(t);
  const statusOf = async (path: string, headers: Readonly<Record<string, string>>) =>
    (await ask(address, path, { headers })).status;
  for (const host of [
    'evil.example',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '192.0.2.1',
    '@',
  ]) {
    const refused = await ask(address, '/metrics', { headers: { host } });
    t.match(
      refused,
      { status: 403, json: { code: 'host-not-allowed', detail: /metrics\.hosts/ } },
      host,
    );
    t.equal(await statusOf('/livez', { host }), 200, 'health asks by any name');
  }
  for (const host of [
    'localhost',
    '127.0.0.1:1',
    '[::1]:80',
    'metrics.internal',
    'METRICS.internal:9',
  ]) {
    t.equal(await statusOf('/metrics', { host }), 200, host);
  }
  t.equal(await statusOf('/metrics', { origin: 'http://evil.example' }), 403);
  t.equal(await statusOf('/metrics', { 'sec-fetch-site': 'cross-site' }), 403);
  server.useHosts([]);
  t.equal(await statusOf('/metrics', { host: 'metrics.internal' }), 403, 'after a reload');
});

await t.test('behind an address that others reach, any address will do', async (t) => {
  const { address } = await open(t, { kind: 'tcp', host: '0.0.0.0', port: 0 });
  const reached = address.kind === 'tcp' ? { ...address, host: '127.0.0.1' } : address;
  const headers = { host: '192.0.2.1:9100' };
  t.equal((await ask(reached, '/metrics', { headers })).status, 200);
  const named = await ask(reached, '/metrics', { headers: { host: 'evil.example' } });
  t.equal(named.status, 403);
});

await t.test('nothing of the admin API is there', async (t) => {
  const { address } = await open(t);
  for (const { method, path } of ROUTES) {
    if (path === '/metrics' || path.endsWith('z')) continue;
    const sent = { method, headers: { 'content-type': 'application/json' } };
    const answer = await ask(address, path, method === 'GET' ? sent : { ...sent, body: '{}' });
    t.equal(answer.status, method === 'GET' ? 404 : 405, `${method} ${path}`);
  }
  for (const path of ['/', '/metrics/', '//metrics', '/v1/../metrics', '/%6detrics']) {
    t.equal((await ask(address, path)).status, 404, path);
  }
});

await t.test(
  'a failure is told without its cause, and bytes that are no request are refused',
  async (t) => {
    const { address, mood, log } = await open(t);
    mood.metrics = async () => {
      throw new Error('secret inside');
    };
    const answer = await ask(address, '/metrics');
    t.match(answer, { status: 500, json: { code: 'internal' } });
    t.notMatch(answer.text, 'secret');
    t.match(log.lines, [{ level: 'error', fields: { err: { message: 'secret inside' } } }]);
    const socket = connect(address.kind === 'tcp' ? address.port : 0, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      `GET /metrics HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(ADMIN_HEAD_BYTES_MAX)}\r\n\r\n`,
    );
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    t.match(bytes.toString(), /^HTTP\/1\.1 431 /);
    socket.destroy();
  },
);

await t.test(
  'it listens on a Unix socket as well, and a taken address is one clear line',
  async (t) => {
    const path = join(shortDir(t), 'metrics.sock');
    const { address } = await open(t, { kind: 'unix', path });
    t.equal((await ask(address, '/livez')).status, 200);
    const occupied = createServer().listen(0, '127.0.0.1');
    await once(occupied, 'listening');
    t.teardown(() => occupied.close());
    const { port } = occupied.address() as AddressInfo;
    await t.rejects(open(t, { kind: 'tcp', host: '127.0.0.1', port }), {
      name: 'StartError',
      message: `metrics: cannot listen on 127.0.0.1:${port}: the address is in use (EADDRINUSE)`,
    });
  },
);

await t.test('a daemon has it beside the admin API, and counts who was turned away', async (t) => {
  const dir = t.testdir();
  const log = new TestLog();
  const everywhere = { kind: 'tcp', host: '0.0.0.0', port: 0 } as const;
  const admin = { listen: everywhere, hosts: [], tls: undefined };
  const given = config(dir, { admin, metrics: { listen: everywhere, hosts: [] } });
  const start = async () => startDaemon(given, { log, workerEntry: FAKE_ENTRY });
  await t.rejects(start(), {
    name: 'StartError',
    message: /turnout token create NAME --role admin/,
  });
  const { token } = await withOfflineTokens(dir, async (tokens) =>
    tokens.create({ name: 'ops', role: 'admin' }),
  );
  const daemon = await start();
  t.teardown(async () => daemon.cut());
  const [ready] = await log.until(/^ready$/);
  const { metrics } = ready!.fields as { readonly metrics: string };
  const port = Number(metrics.split(':').at(-1));
  const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
  t.equal((await ask(daemon.adminAddress, '/metrics')).status, 401, 'there it takes a token');
  const authorization = `Bearer ${token}`;
  t.equal((await ask(daemon.adminAddress, '/metrics', { headers: { authorization } })).status, 200);
  await ask(daemon.adminAddress, '/livez', { headers: { host: 'evil.example' } });
  const { text } = await ask(address, '/metrics');
  t.match(text, 'turnout_admin_refused_total{code="unauthenticated"} 1\n');
  t.match(text, 'turnout_admin_refused_total{code="host-not-allowed"} 1\n');
  t.match(text, 'turnout_admin_refused_total{code="too-many-failures"} 0\n');
  await daemon.stop();
  await t.rejects(ask(address, '/livez'), 'it is closed with the rest');
});

await t.test(
  'where only this machine comes in, or by certificate, no token is needed',
  async (t) => {
    const { checkExposure } =
      await import('../../../../../src/control-plane/access/exposure-check.ts');
    const { Tokens } = await import('../../../../../src/control-plane/access/tokens.ts');
    const { MemoryStore } = await import('../../support/memory-store.ts');
    const none = new Tokens(new MemoryStore());
    const check = (listen: ListenAddress, clientCa?: string) => (): void => {
      const tls = clientCa === undefined ? undefined : { cert: '', key: '', clientCa, clients: [] };
      checkExposure({ admin: { listen, hosts: [], tls }, state: { dir: '/s' } }, none);
    };
    t.doesNotThrow(check(LOOPBACK));
    t.doesNotThrow(check({ kind: 'unix', path: '/a' }));
    t.doesNotThrow(check({ kind: 'tcp', host: '::1', port: 1 }));
    t.doesNotThrow(check({ kind: 'tcp', host: '0.0.0.0', port: 1 }, '/ca.pem'));
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.example.com']) {
      t.throws(check({ kind: 'tcp', host, port: 1 }), { name: 'StartError' }, host);
    }
  },
);
