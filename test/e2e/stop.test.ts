// SIGTERM under load: what had begun is finished, what takes too long is cut, and whoever asks is
// told before anything closes.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openColoredApp, type ColoredApp } from '../support/colored-app.ts';
import { startLoad } from '../support/load-process.ts';
import { startTurnout, type Running } from './turnout-process.ts';

interface Scene {
  readonly app: ColoredApp;
  readonly running: Running;
  readonly admin: AdminClient;
}

async function open(t: Test, ...args: readonly string[]): Promise<Scene> {
  const app = await openColoredApp(t, 'blue');
  const running = await startTurnout(t, ['--blue', app.url, '--health-kind', 'none', ...args]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  return { app, running, admin };
}

/** Sends one request on a connection of its own; resolves with all that came until the close. */
function exchange(proxy: string, path: string): { readonly text: Promise<string> } {
  const [host = '', port] = proxy.split(':');
  const socket = connect({ host, port: Number(port) });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: app.example\r\n\r\n`);
  return { text: untilClose(socket) };
}

function untilClose(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (bytes) => (text += bytes.toString('latin1')));
  socket.on('error', (error) => (text += ` ${error.message}`));
  return new Promise((resolve) => {
    socket.once('close', () => resolve(text));
  });
}

/** Asks until readyz says 503, which tells that the signal has arrived. */
async function untilNotReady(admin: AdminClient): Promise<void> {
  while ((await admin.get('/readyz')).status !== 503);
}

await t.test('no request that had begun fails when a loaded Turnout is stopped', async (t) => {
  const { running } = await open(t, '--workers', '2');
  const load = await startLoad(t, {
    port: Number(running.proxy.split(':')[1]),
    admin: running.admin,
    active: 'blue',
    connections: 32,
    probes: 0,
    reopens: false,
    straddles: false,
  });
  running.process.kill('SIGTERM');
  const verdict = await load.waitForClose();
  t.equal(await running.ended, 0);
  t.ok(verdict.requests >= 32, `${verdict.requests} requests were answered`);
  t.strictSame(verdict.failures, {});
  t.equal(verdict.lost, 32, 'every connection was closed');
  const stopped = await running.line((line) => line.includes('"msg":"stopped"'));
  t.match(JSON.parse(stopped), { cutCount: 0 });
  await load.close();
});

await t.test('readyz says 503 first, and traffic is taken until the delay is over', async (t) => {
  const { running, admin } = await open(t, '--stop-ready-delay', '1s');
  t.equal((await admin.get('/readyz')).status, 200);
  running.process.kill('SIGTERM');
  await untilNotReady(admin);
  const late = await fetch(`http://${running.proxy}/`, { headers: { connection: 'close' } });
  t.equal(await late.text(), 'blue', 'a new connection is still served');
  t.equal((await admin.get('/livez')).status, 200, 'it is alive, it only goes');
  const refused = await admin.post('/v1/switch', { to: 'green' });
  t.match(refused, { status: 503, json: { code: 'stopping' } });
  t.equal(await running.ended, 0);
});

await t.test('what is running may finish, and a closed door is closed', async (t) => {
  const { app, running } = await open(t);
  const held = exchange(running.proxy, '/held');
  await app.arrived('/held', 1);
  running.process.kill('SIGTERM');
  // Idle connections close when the listeners do.
  const [host = '', port] = running.proxy.split(':');
  await refusedSoon(host, Number(port));
  app.release();
  t.match(await held.text, /^HTTP\/1\.1 200 .*\r\n\r\n4\r\nblue\r\n0\r\n\r\n$/s);
  t.equal(await running.ended, 0);
});

/** Connects until nothing listens any more. */
async function refusedSoon(host: string, port: number): Promise<void> {
  for (;;) {
    const socket = connect({ host, port });
    try {
      await once(socket, 'connect');
      socket.resetAndDestroy();
    } catch {
      return;
    }
  }
}

await t.test(
  'what outlasts the deadline is cut, and the exit code is 0 all the same',
  async (t) => {
    const { app, running } = await open(t, '--stop-deadline', '300ms');
    const hanging = exchange(running.proxy, '/hang');
    const half = exchange(running.proxy, '/held');
    await Promise.all([app.arrived('/hang', 1), app.arrived('/held', 1)]);
    running.process.kill('SIGTERM');
    t.match(await hanging.text, /ECONNRESET/, 'nobody takes it for an answer');
    t.match(await half.text, /blue.*ECONNRESET/s, 'and half an answer has no clean end');
    t.equal(await running.ended, 0);
    const stopped = await running.line((line) => line.includes('"msg":"stopped"'));
    t.match(JSON.parse(stopped), { cutCount: 2 });
  },
);

for (const phase of ['while it waits', 'while requests run'] as const) {
  await t.test(`a second SIGTERM ${phase} ends at once`, async (t) => {
    const delay = phase === 'while it waits' ? '5m' : '0s';
    const { app, running, admin } = await open(t, '--stop-ready-delay', delay);
    const hanging = exchange(running.proxy, '/hang');
    await app.arrived('/hang', 1);
    running.process.kill('SIGTERM');
    await untilNotReady(admin);
    // The same signal counts again a little later only, so it is sent until it is heard.
    let code: number | null | undefined;
    while (code === undefined) {
      running.process.kill('SIGTERM');
      // As long as it answers, it has not heard.
      const heard = admin.get('/livez').then(
        () => undefined,
        () => running.ended,
      );
      code = await Promise.race([running.ended, heard]);
    }
    t.equal(code, 1);
    t.notMatch(await hanging.text, /HTTP/, 'no answer is made up');
  });
}
