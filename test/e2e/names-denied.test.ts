// Names that DNS takes away while the old address answers on: another app may have it by now. And names
// that move, which nothing but a refused connection tells.

import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { openDns } from '../support/dns-server.ts';
import { ownAddress } from '../support/own-address.ts';
import { startTurnout } from './turnout-process.ts';

interface App {
  readonly host: string;
  readonly port: number;
  /** Requests that came in, health checks left out. */
  requestCount: number;
  close(): Promise<void>;
}

/** Opens an app that answers with its name; port 0: a free one. */
async function openApp(
  t: Test,
  name: string,
  { host = ownAddress(), port = 0 } = {},
): Promise<App> {
  const server = createServer((asked, answer) => {
    if (asked.url !== '/healthz') app.requestCount++;
    answer.end(name);
  });
  server.listen(port, host);
  await once(server, 'listening');
  async function close(): Promise<void> {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }
  t.teardown(close);
  const app = { host, port: (server.address() as AddressInfo).port, requestCount: 0, close };
  return app;
}

/** Asks on a connection of its own; resolves with what came, and the cookie that came with it. */
async function ask(proxy: string, cookie = ''): Promise<{ said: string; cookie: string }> {
  const asked = request(`http://${proxy}/`, { agent: false, headers: { cookie } });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  const given = (response.headers['set-cookie'] ?? [''])[0]!.split(';')[0]!;
  return { said: `${response.statusCode} ${text}`, cookie: given };
}

interface ColorSeen {
  readonly health: string;
  readonly targets: readonly { readonly health: string; readonly reason: string }[];
  readonly names: readonly {
    readonly addresses: number;
    readonly problem: string;
    readonly answeredAt: string | null;
  }[];
}

const DENIED = 'DNS says: no such name, or no address for it';

/** Blue, which is active, and green are names that lead to apps of their own. */
async function open(t: Test, ...args: string[]) {
  const dns = await openDns(t);
  const blue = await openApp(t, 'blue');
  const green = await openApp(t, 'green', { port: blue.port });
  dns.lead('blue.test', blue.host);
  dns.lead('green.test', green.host);
  const targets = [
    '--blue',
    `http://blue.test:${blue.port}`,
    '--green',
    `http://green.test:${blue.port}`,
  ];
  const running = await startTurnout(t, [...dns.flags, ...targets, ...args]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const seen = async (color: 'blue' | 'green'): Promise<ColorSeen> => {
    const { services } = (await admin.get('/v1/status')).json as unknown as {
      readonly services: readonly Readonly<Record<string, ColorSeen>>[];
    };
    return services[0]![color]!;
  };
  const until = async (color: 'blue' | 'green', isThere: (it: ColorSeen) => boolean) => {
    for (;;) {
      const now = await seen(color);
      if (isThere(now)) return now;
    }
  };
  const scene = { dns, blue, green, proxy: running.proxy, admin, seen, until };
  await until('blue', isUp);
  await until('green', isUp);
  return scene;
}

function isUp({ health, targets }: ColorSeen): boolean {
  return health === 'up' && targets.length > 0;
}

function isDown({ health }: ColorSeen): boolean {
  return health === 'down';
}

for (const workers of ['1', '2']) {
  await t.test(`an idle color whose name is gone gets nothing, workers: ${workers}`, async (t) => {
    const { dns, green, proxy, admin, until } = await open(t, '--workers', workers);
    await green.close();
    const stranger = await openApp(t, "another team's app", green);
    dns.say('green.test', { kind: 'fault', code: 3 });
    t.match(await until('green', isDown), {
      targets: [{ reason: `${DENIED}; no request goes there` }],
      names: [{ addresses: 0, problem: DENIED }],
    });
    const refused = await admin.post('/v1/switch', { to: 'green' });
    t.match(refused, { status: 409, json: { code: 'target-unhealthy' } });
    t.match(refused.json['detail'], DENIED);
    t.equal((await ask(proxy)).said, '200 blue');
    t.equal(stranger.requestCount, 0);

    dns.say('green.test', { kind: 'fault', code: 2 });
    await dns.askedAgain('green.test');
    await dns.askedAgain('green.test');
    t.match(
      await until('green', isDown),
      { names: [{ addresses: 0 }] },
      'a fault brings back nothing',
    );

    const next = await openApp(t, 'next', { port: green.port });
    dns.lead('green.test', next.host);
    await until('green', isUp);
    t.match(await admin.post('/v1/switch', { to: 'green' }), { status: 200 });
    t.equal((await ask(proxy)).said, '200 next');
  });
}

await t.test('the active color keeps its addresses, and the status says why', async (t) => {
  const { dns, proxy, until } = await open(t);
  dns.say('blue.test', { kind: 'fault', code: 3 });
  const blue = await until('blue', ({ names }) => names[0]!.problem !== '');
  t.match(blue, {
    health: 'up',
    names: [{ addresses: 1, problem: `${DENIED}; known addresses stay` }],
  });
  t.equal((await ask(proxy)).said, '200 blue');
});

await t.test('a session of a color that drains is not sent to a stranger', async (t) => {
  const { dns, blue, proxy, admin, until } = await open(t);
  const { cookie } = await ask(proxy);
  t.match(await admin.post('/v1/switch', { to: 'green' }), { status: 200 });
  t.equal((await ask(proxy, cookie)).said, '200 blue', 'it drains');
  await blue.close();
  const stranger = await openApp(t, "another team's app", blue);
  dns.say('blue.test', { kind: 'fault', code: 3 });
  await until('blue', isDown);
  const before = stranger.requestCount;
  // The workers hear of it a moment after the status does.
  let last = await ask(proxy, cookie);
  while (last.said !== '200 green') last = await ask(proxy, cookie);
  const reached = stranger.requestCount;
  for (let times = 0; times < 10; times++) {
    t.equal((await ask(proxy, cookie)).said, '200 green');
  }
  t.equal(stranger.requestCount, reached, `${before} before`);
});

await t.test('a name that went away just now is found out by the switch itself', async (t) => {
  const { dns, green, admin, proxy, until } = await open(t, '--resolve-interval', '1h');
  // What has just been answered is believed.
  await until('green', ({ names }) => Date.now() - Date.parse(names[0]!.answeredAt!) > 250);
  await green.close();
  await openApp(t, "another team's app", green);
  dns.say('green.test', { kind: 'fault', code: 3 });
  const refused = await admin.post('/v1/switch', { to: 'green' });
  t.match(refused, { status: 409, json: { code: 'target-unhealthy' } });
  t.match(refused.json['detail'], DENIED);
  t.equal((await ask(proxy)).said, '200 blue');
});

await t.test('a forced switch goes where the name led last', async (t) => {
  const { dns, admin, proxy, until } = await open(t);
  dns.say('green.test', { kind: 'fault', code: 3 });
  await until('green', isDown);
  const forced = { to: 'green', force: true, reason: 'DNS is broken, the app is well' };
  t.match(await admin.post('/v1/switch', forced), { status: 200 });
  t.equal((await ask(proxy)).said, '200 green', 'with the first request');
});

await t.test('a refused connection has the name looked up, long before its time', async (t) => {
  const args = ['--resolve-interval', '1h', '--health-kind', 'none'];
  const { dns, blue, proxy } = await open(t, ...args);
  await blue.close();
  const next = await openApp(t, 'next', { port: blue.port });
  dns.lead('blue.test', next.host);
  let failed = 0;
  while ((await ask(proxy)).said !== '200 next') failed++;
  t.ok(failed > 0, 'the first request found out');
});
