import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createHttpServer } from 'node:http';
import t, { type Test } from 'tap';
import type { HealthConfig } from '../../../../src/config/config.ts';
import type { Target } from '../../../../src/config/values/target.ts';
import { HEALTH_WORD } from '../../../../src/contract/counters.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import { Health, type HealthChange } from '../../../../src/control-plane/targets/health.ts';
import {
  PROBE_BODY_BYTES_MAX,
  PROBE_HEAD_BYTES_MAX,
} from '../../../../src/control-plane/base/control-limits.ts';
import { NO_CERTIFICATES } from '../../../../src/contract/certificates.ts';
import { TargetTls } from '../../../../src/contract/target-tls.ts';
import { proberWithin } from '../../../../src/control-plane/targets/probe.ts';
import { begun } from '../support/begun.ts';
import {
  NO_CHECKS,
  NO_NAMES,
  openOrigin,
  serviceConfig,
  shortDir,
  target,
  TestLog,
} from '../support/fixtures.ts';

const HTTP: HealthConfig = { ...NO_CHECKS, kind: 'http', path: '/healthz' };

/** Watches one target as blue; green has none. */
function watch(t: Test, watched: Target, health: HealthConfig) {
  const service = serviceConfig({
    blue: { release: '', targets: [watched] },
    green: { release: '', targets: [] },
    health,
  });
  const { table } = begun([service]);
  const memory = allocateSharedMemory(1);
  const log = new TestLog();
  const changes: HealthChange[] = [];
  const events = new EventTarget();
  const checks = new Health({
    table,
    configOf: () => health,
    names: NO_NAMES,
    memory,
    log,
    prober: proberWithin(() => [], new TargetTls(NO_CERTIFICATES)),
    onChange: (change) => {
      changes.push(change);
      events.dispatchEvent(new Event('change'));
    },
  });
  t.teardown(() => checks.stop());
  const slot = table.services[0]!.blue.endpoints[0]!.slot;
  return {
    checks,
    log,
    slot,
    word: () => Atomics.load(memory.health, slot),
    /** Resolves with the change that follows the ones seen. */
    change: async (count = 1): Promise<HealthChange> => {
      while (changes.length < count) await once(events, 'change');
      return changes[count - 1]!;
    },
  };
}

await t.test('a target is unknown until its first verdict, then up', async (t) => {
  const origin = await openOrigin((_request, response) => response.end('fine'));
  t.teardown(async () => origin.close());
  const { checks, slot, word, change } = watch(t, target(origin.port), { ...HTTP, rise: 2 });
  t.match(checks.status(slot), { state: 'unknown', reason: /^$/ });
  t.equal(word(), HEALTH_WORD.unknown);
  checks.start();
  t.match(await change(), { from: 'unknown', to: 'up', service: 'default', color: 'blue' });
  t.match(checks.status(slot), { state: 'up', reason: /^$/ });
  t.equal(word(), HEALTH_WORD.up);
});

await t.test('a target that turns bad goes down with the reason, and comes back', async (t) => {
  let status = 200;
  const origin = await openOrigin((_request, response) => response.writeHead(status).end());
  t.teardown(async () => origin.close());
  const { checks, slot, word, change, log } = watch(t, target(origin.port), { ...HTTP, fall: 2 });
  checks.start();
  await change(1);
  status = 503;
  t.match(await change(2), {
    from: 'up',
    to: 'down',
    reason: 'GET /healthz gave 503, expected 200-399',
  });
  t.match(checks.status(slot), { state: 'down', reason: /503/ });
  t.equal(word(), HEALTH_WORD.down);
  status = 204;
  t.match(await change(3), { from: 'down', to: 'up', reason: /^$/ });
  t.same(
    log.lines.map(({ level }) => level),
    ['info', 'warn', 'info'],
  );
  const told = log.debugs.map(({ message }) => message.replace(/^check of default blue \S+: /, ''));
  t.match(
    told,
    ['passed', 'GET /healthz gave 503, expected 200-399'],
    'each check is told at debug',
  );
});

await t.test('a probe asks for its path with its Host, on a connection of its own', async (t) => {
  const seen: unknown[] = [];
  const sockets = new Set<Socket>();
  const origin = await openOrigin((request, response) => {
    sockets.add(request.socket);
    seen.push([request.method, request.url, request.headers.host, request.headers['user-agent']]);
    response.end();
  });
  t.teardown(async () => origin.close());
  const health = { ...HTTP, host: 'app.example', rise: 3 };
  const { checks, change } = watch(t, target(origin.port), health);
  checks.start();
  await change();
  t.same(seen[0], ['GET', '/healthz', 'app.example', 'turnout-health']);
  t.equal(sockets.size, 3);
});

await t.test('every way to fail has a reason that people understand', async (t) => {
  const respondWith = async (bytes: string, end = true): Promise<Target> => {
    const server = createServer((socket) => {
      socket.on('error', () => {}); // The probe leaves as soon as it has seen enough.
      socket.once('data', () => (end ? socket.end(bytes) : socket.write(bytes)));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    return target((server.address() as AddressInfo).port);
  };
  const head = 'HTTP/1.1 200 OK\r\n';
  const rows: readonly (readonly [string, Target])[] = [
    ['connection refused', target(1)],
    ['timeout after 300ms', await respondWith('', false)],
    ['timeout after 300ms', await respondWith(`${head}content-length: 9\r\n\r\nhalf`, false)],
    ['the connection closed before the answer ended', await respondWith('')],
    [
      'the connection closed before the answer ended',
      await respondWith(`${head}content-length: 9\r\n\r\nhalf`),
    ],
    ['the answer is not HTTP/1.1', await respondWith('SSH-2.0-OpenSSH\r\n')],
    [
      'the head of the answer is too large',
      await respondWith(`${head}x: ${'x'.repeat(PROBE_HEAD_BYTES_MAX)}\r\n\r\n`),
    ],
    [
      'GET /healthz gave 101, expected 200-399',
      await respondWith('HTTP/1.1 101 Switching\r\n\r\n'),
    ],
    [
      'GET /healthz gave 101, expected 200-399',
      await respondWith('HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', false),
    ],
  ];
  for (const [reason, watched] of rows) {
    const { checks, change } = watch(t, watched, { ...HTTP, timeoutMs: 300 });
    checks.start();
    t.match(await change(), { to: 'down', reason }, reason);
    checks.stop();
  }
});

await t.test('an endless answer is read up to the bound', async (t) => {
  let sent = 0;
  const origin = await openOrigin((_request, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384))) sent += 16_384;
    };
    response.on('drain', more);
    more();
  });
  t.teardown(async () => origin.close());
  const { checks, change } = watch(t, target(origin.port), { ...HTTP, intervalMs: 60_000 });
  checks.start();
  t.match(await change(), { to: 'up' });
  t.ok(sent < PROBE_BODY_BYTES_MAX * 200, 'sockets buffer some more');
});

await t.test('a target on a Unix socket is asked too', async (t) => {
  const path = join(shortDir(t), 'app.sock');
  const server = createHttpServer((_request, response) => response.end()).listen(path);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const watched: Target = {
    url: `unix:${path}`,
    address: { kind: 'unix', path },
    authority: 'app',
  };
  for (const kind of ['http', 'tcp'] as const) {
    const { checks, change } = watch(t, watched, { ...HTTP, kind });
    checks.start();
    t.match(await change(), { to: 'up' }, kind);
    checks.stop();
  }
});

await t.test('kind tcp needs no more than an accepted connection', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { checks, change } = watch(t, target(port), { ...HTTP, kind: 'tcp' });
  checks.start();
  t.match(await change(1), { to: 'up' });
  server.close();
  t.match(await change(2), { to: 'down', reason: 'connection refused' });
});

await t.test('kind none counts as up before anything starts', async (t) => {
  const { checks, slot, word } = watch(t, target(1), NO_CHECKS);
  t.equal(checks.status(slot).state, 'up');
  t.equal(word(), HEALTH_WORD.up);
});

await t.test('after stop nobody is asked and nothing changes', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const origin = await openOrigin((request) => {
    request.socket.once('close', () => closed.resolve());
    arrived.resolve();
  });
  t.teardown(async () => origin.close());
  const { checks, slot } = watch(t, target(origin.port), HTTP);
  checks.start();
  await arrived.promise;
  checks.stop();
  await closed.promise;
  t.equal(checks.status(slot).state, 'unknown');
});
