import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { Config } from '../../../src/config/config.ts';
import { startDaemon, type Daemon } from '../../../src/control-plane/daemon.ts';
import { StartError } from '../../../src/control-plane/base/problems.ts';
import { ask, post } from './support/admin.ts';
import { FAKE_ENTRY, FakeControl } from './support/fake-channel.ts';
import { config, serviceConfig, shortDir, target, TestLog } from './support/fixtures.ts';

async function start(t: Test, dir: string, changes: Partial<Config> = {}): Promise<Daemon> {
  const log = new TestLog();
  const daemon = await startDaemon(config(dir, changes), { log, workerEntry: FAKE_ENTRY });
  t.teardown(async () => daemon.cut());
  return daemon;
}

await t.test('a daemon serves, switches and says so', async (t) => {
  const { proxyAddress, adminAddress } = await start(t, shortDir(t));
  const socket = connect(proxyAddress.kind === 'tcp' ? proxyAddress.port : 0, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
  t.equal((await ask(adminAddress, '/readyz')).status, 200);
  t.match(await post(adminAddress, '/v1/switch', { to: 'green' }), { status: 200 });
  t.match((await ask(adminAddress, '/metrics')).text, 'turnout_generation 2');
});

await t.test('the active color and the generation survive a restart', async (t) => {
  const dir = shortDir(t);
  const first = await start(t, dir);
  await post(first.adminAddress, '/v1/switch', { to: 'green', reason: 'kept' });
  await first.stop();
  const second = await start(t, dir);
  t.match((await ask(second.adminAddress, '/v1/status')).json, {
    generation: 2,
    services: [{ active: 'green', since: { generation: 2 }, previous: { reason: 'kept' } }],
  });
  t.match((await post(second.adminAddress, '/v1/rollback', {})).json, {
    generation: 3,
    to: 'blue',
  });
});

await t.test('what an operator has read holds after a drain has ended and a restart', async (t) => {
  const dir = shortDir(t);
  const first = await start(t, dir);
  await post(first.adminAddress, '/v1/switch', { to: 'green' });
  const ifMatch = { 'if-match': '"2"' };
  const drain = await ask(first.adminAddress, '/v1/drain?wait=30s');
  t.match(drain.json, { safeToStop: true }, 'it has ended');
  await first.stop();
  const second = await start(t, dir);
  const back = await post(second.adminAddress, '/v1/switch', { to: 'blue' }, ifMatch);
  t.match(back, { status: 200, json: { to: 'blue' } });
});

await t.test(
  'a restart with another release is a deployment in its place, on the same color',
  async (t) => {
    const dir = shortDir(t);
    const first = await start(t, dir);
    await post(first.adminAddress, '/v1/switch', { to: 'green' });
    await first.stop();
    const green = { release: 'v3', targets: [target(3009)] };
    const second = await start(t, dir, { services: [serviceConfig({ green })] });
    t.match((await ask(second.adminAddress, '/v1/status')).json, {
      generation: 3,
      services: [
        {
          active: 'green',
          since: { generation: 3 },
          green: { deployment: 3, release: 'v3' },
        },
      ],
    });
    t.match((await ask(second.adminAddress, '/v1/history')).json, {
      switches: [{ from: 'green', to: 'green', release: 'v3', actor: 'configuration' }, {}],
    });
  },
);

await t.test('a state directory that is in use ends the start with one line', async (t) => {
  const dir = shortDir(t);
  await start(t, dir);
  await t.rejects(start(t, dir), /is in use by /);
});

await t.test('an admin port that is in use leaves nothing running', async (t) => {
  const occupied = createServer().listen(0, '127.0.0.1');
  await once(occupied, 'listening');
  t.teardown(() => occupied.close());
  const { port } = occupied.address() as AddressInfo;
  const dir = shortDir(t);
  const listen = { kind: 'tcp', host: '127.0.0.1', port } as const;
  const admin = { listen, hosts: [], tls: undefined };
  await t.rejects(start(t, dir, { admin }), StartError);
  await t.resolves(start(t, dir), 'the state directory is free again');
});

await t.test('stop says 503 on readyz first and refuses changes', async (t) => {
  const fakes = new FakeControl();
  t.teardown(() => fakes.close());
  const stop = { readyDelayMs: 300, deadlineMs: 1_000 };
  const daemon = await start(t, shortDir(t), { stop });
  const stopped = daemon.stop();
  t.match(await ask(daemon.adminAddress, '/readyz'), { status: 503 });
  t.equal((await ask(daemon.adminAddress, '/livez')).status, 200);
  t.match(await post(daemon.adminAddress, '/v1/switch', {}), {
    status: 503,
    json: { code: 'stopping' },
  });
  t.notOk(
    fakes.news.some((news) => news.news === 'order' && news.order === 'stop'),
    'no worker stops before the delay is over',
  );
  await stopped;
  await t.rejects(ask(daemon.adminAddress, '/livez'));
});

await t.test('cut ends a stop that still waits', async (t) => {
  const stop = { readyDelayMs: 60_000, deadlineMs: 60_000 };
  const daemon = await start(t, shortDir(t), { stop });
  const stopped = daemon.stop();
  await daemon.cut();
  await t.resolves(stopped);
});

await t.test('readyz stays up while one of two workers is replaced', async (t) => {
  const fakes = new FakeControl();
  t.teardown(() => fakes.close());
  const daemon = await start(t, shortDir(t));
  await fakes.until((news) => news.news === 'born' && news.index === 0);
  const from = fakes.news.length;
  await fakes.tell({ index: 0, do: 'exit' });
  t.equal((await ask(daemon.adminAddress, '/readyz')).status, 200);
  await fakes.until((news) => news.news === 'born' && news.index === 0, from);
  t.match((await ask(daemon.adminAddress, '/v1/status')).json, { workers: { restarts: 1 } });
});

await t.test('an error that was not caught halts decisions and stops no traffic', async (t) => {
  const script = fileURLToPath(new URL('./support/shaken.ts', import.meta.url));
  const child = fork(script, [shortDir(t)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  t.teardown(() => child.kill('SIGKILL'));
  let log = '';
  child.stdout!.on('data', (chunk) => (log += String(chunk)));
  const [ports] = (await once(child, 'message')) as [{ admin: number; proxy: number }];
  child.kill('SIGUSR2');
  while (!log.includes('nobody foresaw this')) await once(child.stdout!, 'data');

  const admin = { kind: 'tcp', host: '127.0.0.1', port: ports.admin } as const;
  t.match(await post(admin, '/v1/switch', {}), { status: 503, json: { code: 'frozen' } });
  t.match((await ask(admin, '/metrics')).text, 'turnout_frozen 1');
  const socket = connect(ports.proxy, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  t.equal(code, 0);
});
