// Unix sockets as targets: checked, switched to, registered again and resumed after a restart, as
// any other target. They are never looked up.

import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { shortDir } from '../unit/control-plane/support/fixtures.ts';
import { startTurnout } from './turnout-process.ts';

interface App {
  readonly url: string;
  close(): Promise<void>;
}

/** Opens an app on a socket; it answers with its name and the Host that it was sent. */
async function openApp(t: Test, path: string, name: string): Promise<App> {
  const server: Server = createServer((asked, answer) => {
    answer.end(`${name} for ${asked.headers.host}`);
  });
  server.listen(path);
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  t.teardown(close);
  return { url: `unix:${path}`, close };
}

async function ask(proxy: string): Promise<string> {
  const asked = request(`http://${proxy}/`, { agent: false, headers: { host: 'shop.test' } });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  return `${response.statusCode} ${text}`;
}

interface SideSeen {
  readonly release: string;
  readonly health: string;
  readonly targets: readonly {
    readonly url: string;
    readonly address: string | null;
    readonly reason: string;
  }[];
  readonly names: readonly unknown[];
}

async function side(admin: AdminClient, color: 'blue' | 'green'): Promise<SideSeen> {
  const { json } = await admin.get('/v1/status');
  const { services } = json as unknown as {
    readonly services: readonly Readonly<Record<string, SideSeen>>[];
  };
  return services[0]![color]!;
}

/** Resolves with what the status says of a color once it has this health. */
async function becomes(
  admin: AdminClient,
  color: 'blue' | 'green',
  health: string,
): Promise<SideSeen> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await side(admin, color);
    if (seen.health === health || performance.now() > endMs) return seen;
  }
}

await t.test('sockets are checked, switched to, registered again and resumed', async (t) => {
  const dir = shortDir(t);
  const path = (name: string): string => join(dir, name);
  const blue = await openApp(t, path('blue'), 'blue');
  const green = await openApp(t, path('green'), 'green');
  const state = ['--state', path('state')];
  const args = ['--blue', blue.url, '--green', green.url, '--health-interval', '100ms', ...state];
  const first = await startTurnout(t, args);
  let admin = new AdminClient(first.admin);
  t.equal(await ask(first.proxy), '200 blue for shop.test');

  t.match(await becomes(admin, 'green', 'up'), {
    targets: [{ url: green.url, address: null, reason: '' }],
    names: [],
  });
  t.equal((await admin.post('/v1/switch', { to: 'green' })).status, 200);
  t.equal(await ask(first.proxy), '200 green for shop.test');

  await green.close();
  t.match(await becomes(admin, 'green', 'down'), {
    targets: [{ reason: 'the socket does not exist' }],
  });
  t.match(await ask(first.proxy), /^502 /);
  await becomes(admin, 'blue', 'up');
  t.equal((await admin.post('/v1/switch', { to: 'blue' })).status, 200);
  t.equal(await ask(first.proxy), '200 blue for shop.test');
  t.match((await admin.post('/v1/switch', { to: 'green' })).json, {
    code: 'target-unhealthy',
    detail: `default: green is not healthy: ${green.url} is down (the socket does not exist)`,
  });

  // The next release comes up at the same path, and one more at another.
  await openApp(t, path('green'), 'green again');
  await openApp(t, path('other'), 'other');
  const targets = [green.url, `unix:${path('other')}`];
  const body = { release: 'v3', targets, evict: true };
  t.equal((await admin.put('/v1/releases/green', body)).status, 200);
  t.match(await becomes(admin, 'green', 'up'), { release: 'v3', targets: [{}, {}] });
  t.equal((await admin.post('/v1/switch', { to: 'green' })).status, 200);
  const seen = new Set<string>();
  for (let times = 0; times < 200 && seen.size < 2; times++) seen.add(await ask(first.proxy));
  t.strictSame([...seen].toSorted(), ['200 green again for shop.test', '200 other for shop.test']);

  admin.close();
  first.process.kill('SIGKILL');
  await first.ended;
  const second = await startTurnout(t, args);
  admin = new AdminClient(second.admin);
  t.teardown(() => admin.close());
  t.match(await ask(second.proxy), /^200 (?:green again|other) for shop\.test$/);
  t.match(await becomes(admin, 'green', 'up'), { release: 'v3' });
});
