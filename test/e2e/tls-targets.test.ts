// Targets over TLS with the whole program and two workers: what is spoken to them, and what an operator is
// told of each fault by status, switch, deploy and apply, wherever the targets came from.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import https, { type ServerOptions } from 'node:https';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { AdminClient, seriesOf } from '../support/admin-client.ts';
import { authority, pemsOf } from '../support/certificates.ts';
import { openDns } from '../support/dns-server.ts';
import { ownAddress } from '../support/own-address.ts';
import { startTurnout, temporaryDirectory, turnout } from './turnout-process.ts';

t.setTimeout(120_000);

const ca = authority(t);
const other = authority(t);
const good = ca.sign('app', { names: ['DNS:app.test'], days: 12 });
const own = ca.sign('turnout');
const caPem = pemsOf(ca).cert;

async function listen(t: Test, server: Server | https.Server, host = '127.0.0.1') {
  server.listen(0, host);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A target that says its name, and notes what was asked of it in its handshakes. */
async function target(t: Test, name: string, options: ServerOptions, host = '127.0.0.1') {
  const seen = { sni: new Set<unknown>(), alpn: new Set<unknown>(), shown: new Set<string>() };
  const resumed = { count: 0 };
  const server = https.createServer(options, (asked, answer) => {
    if (asked.url === '/last') answer.setHeader('connection', 'close');
    answer.end(name);
  });
  server.on('secureConnection', (socket: TLSSocket & { readonly servername?: unknown }) => {
    seen.sni.add(socket.servername);
    seen.alpn.add(socket.alpnProtocol);
    if (options.requestCert === true)
      seen.shown.add(socket.getPeerCertificate().subject.CN as string);
    if (socket.isSessionReused()) resumed.count++;
  });
  const port = await listen(t, server, host);
  return { port, url: `https://${host}:${port}`, seen, resumed };
}

async function ask(proxy: string, host: string, path = '/'): Promise<string> {
  const asked = get(`http://${proxy}${path}`, { agent: false, headers: { host } });
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  return `${response.statusCode} ${text}`;
}

interface Seen {
  readonly url: string;
  readonly health: string;
  readonly reason: string;
}

/** Asks for the status until the target at `url` is `health`; resolves with what is told of it. */
async function became(admin: AdminClient, url: string, health: string): Promise<Seen> {
  for (;;) {
    const { json } = await admin.get('/v1/status');
    const { services } = json as unknown as {
      readonly services: readonly Record<'blue' | 'green', { readonly targets: readonly Seen[] }>[];
    };
    const all = services.flatMap(({ blue, green }) => [...blue.targets, ...green.targets]);
    const found = all.find((one) => one.url === url && one.health === health);
    if (found !== undefined) return found;
  }
}

await t.test('targets over TLS, from handshake to switch', async (t) => {
  const dns = await openDns(t);
  const host = ownAddress();
  dns.lead('app.test', host);
  const blue = await target(t, 'blue', pemsOf(good));
  const asking = {
    ...pemsOf(ca.sign('asking', { names: ['DNS:pay.test'] })),
    ca: caPem,
    requestCert: true,
  };
  const pay = await target(t, 'pay', asking);
  const named = await target(t, 'named', pemsOf(good), host);
  const directory = temporaryDirectory(t);
  const file = join(directory, 'turnout.yaml');
  const health = { interval: '100ms', rise: 1 };
  const services = [
    {
      name: 'shop',
      hosts: ['shop.test'],
      upstreamTls: { ca: ca.cert },
      blue: { release: 'v1', targets: [blue.url] },
      health,
    },
    {
      name: 'pay',
      hosts: ['pay.test'],
      upstreamTls: { ca: ca.cert, cert: own.cert, key: own.key, serverName: 'pay.test' },
      blue: { release: 'p1', targets: [pay.url] },
      health,
    },
    {
      name: 'named',
      hosts: ['named.test'],
      upstreamTls: { ca: ca.cert },
      blue: { release: 'n1', targets: [`https://app.test:${named.port}`] },
      health: { ...health, kind: 'tcp' },
      rollout: {
        warmup: { requests: ['/'], connections: 2 },
        gates: [{ name: 'smoke', kind: 'requests', requests: [{ path: '/', match: 'green' }] }],
      },
    },
  ];
  writeFileSync(file, JSON.stringify({ services, resolve: { servers: [dns.address] } }));
  const running = await startTurnout(t, ['--config', file, '--workers', '2']);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());

  await t.test(
    'the host of the URL, a name of the settings, or one of DNS is asked for',
    async (t) => {
      for (const { url } of [blue, pay, { url: `https://app.test:${named.port}` }]) {
        await became(admin, url, 'up');
      }
      for (let i = 0; i < 6; i++) {
        t.equal(await ask(running.proxy, 'shop.test', '/last'), '200 blue');
        t.equal(await ask(running.proxy, 'pay.test'), '200 pay');
        t.equal(await ask(running.proxy, 'named.test'), '200 named');
      }
      t.strictSame([...blue.seen.sni], [false], 'an address is no name of a server');
      t.strictSame([...pay.seen.sni], ['pay.test']);
      t.strictSame([...pay.seen.shown], ['turnout']);
      t.strictSame([...named.seen.sni], ['app.test']);
      for (const { seen } of [blue, pay, named]) t.strictSame([...seen.alpn], ['http/1.1']);
      t.ok(blue.resumed.count > 0, 'new connections go on with a session');
    },
  );

  await t.test('the ends of certificates are told two weeks ahead', async (t) => {
    const { text } = await admin.get('/metrics');
    const labels = `{service="shop",color="blue",target="${blue.url}"}`;
    const ends =
      seriesOf(text, `turnout_target_certificate_expiry_timestamp_seconds${labels}`) ?? 0;
    t.ok(ends > 1_700_000_000, String(ends));
    const { json } = await admin.get('/v1/status');
    const alarms = (json['alarms'] as readonly { readonly text: string }[]).map((one) => one.text);
    t.match(alarms, [`the certificate of ${blue.url} (a target) ends in 12 d: renew it`]);
    const files = json['certificates'] as readonly { readonly source: string }[];
    const sources = files.map(({ source }) => source).toSorted();
    t.same(sources, [ca.cert, own.cert].toSorted(), 'and those of our own files');
  });

  const faults: readonly (readonly [string, () => Promise<{ readonly url: string }>, RegExp])[] = [
    [
      'for another name',
      async () => target(t, 'x', pemsOf(good), ownAddress()),
      /is for 127\.0\.0\.1, localhost, app\.test, and not for 127\.[\d.]+: see upstreamTls\.serverName/,
    ],
    [
      'expired',
      async () => target(t, 'x', pemsOf(ca.sign('old', { isExpired: true }))),
      /its certificate has expired: renew it at the target/,
    ],
    [
      'not valid yet',
      async () => target(t, 'x', pemsOf(ca.sign('early', { isEarly: true }))),
      /its certificate is not valid yet: compare the clocks/,
    ],
    [
      'of another authority',
      async () => target(t, 'x', pemsOf(other.sign('foreign'))),
      /signed by an authority that is not known: name it in upstreamTls\.ca/,
    ],
    [
      'signed by itself',
      async () => target(t, 'x', pemsOf(other)),
      /signed by itself: name it, or an authority, in upstreamTls\.ca/,
    ],
    [
      'of a target that wants one of ours',
      async () => target(t, 'x', { ...pemsOf(good), ca: caPem, requestCert: true }),
      /it wants a certificate of Turnout: set upstreamTls\.cert and upstreamTls\.key/,
    ],
    [
      'of a target that has none',
      async () => ({ url: `https://127.0.0.1:${await listen(t, createServer())}` }),
      /it speaks no TLS: name it with http:\/\//,
    ],
    [
      'that is not asked for',
      async () => ({ url: (await target(t, 'x', pemsOf(good))).url.replace('https', 'http') }),
      /it speaks TLS: name it with https:\/\//,
    ],
  ];
  for (const [index, [what, open, reason]] of faults.entries()) {
    await t.test(`a certificate ${what}: told by status, and switched to by none`, async (t) => {
      const { url } = await open();
      const body = { service: 'shop', release: `r${index}`, targets: [url] };
      const put = await admin.put('/v1/releases/green?service=shop', body);
      t.equal(put.status, 200, put.text);
      t.match((await became(admin, url, 'down')).reason, reason);
      const refused = await admin.post('/v1/switch', { service: 'shop', to: 'green' });
      t.equal(refused.status, 409);
      t.match(refused.json['detail'], reason);
      t.ok(String(refused.json['detail']).includes(url), 'where it is wrong');
      t.equal(await ask(running.proxy, 'shop.test'), '200 blue');
    });
  }

  await t.test('the address of another release is taken, whatever the scheme', async (t) => {
    const plain = blue.url.replace('https', 'http');
    const body = { service: 'shop', release: 'other', targets: [plain] };
    const put = await admin.put('/v1/releases/green?service=shop', body);
    t.match([put.status, put.json], [409, { code: 'address-in-use' }]);
  });

  await t.test('the commands say it, too', async (t) => {
    const { url } = await target(t, 'x', pemsOf(other.sign('unknown')));
    const told =
      /https:\/\/127\.0\.0\.1:\d+:? (down|unknown), its certificate is signed by an authority that is not known/;
    const to = ['--admin', running.admin];
    const deploy = ['deploy', 'v2', '--service', 'shop', '--targets', url, '--timeout', '1s'];
    const deployed = await turnout([...deploy, ...to]);
    t.equal(deployed.code, 1);
    t.match(deployed.out + deployed.err, told);
    const declared = join(directory, 'wanted.yaml');
    const wanted = { name: 'shop', active: 'green', green: { release: 'v3', targets: [url] } };
    writeFileSync(declared, JSON.stringify({ services: [wanted] }));
    const applied = await turnout(['apply', '-f', declared, '--timeout', '1s', ...to]);
    t.equal(applied.code, 1);
    t.match(applied.out + applied.err, told);
    const status = await turnout(['status', ...to]);
    t.match(status.out, /green +https:\/\/127\.0\.0\.1:\d+ +down .*name it in upstreamTls\.ca/);
    t.equal(await ask(running.proxy, 'shop.test'), '200 blue');
  });

  await t.test('a good one is warmed up, asked by its gate, and gets the traffic', async (t) => {
    const green = await target(t, 'green', pemsOf(good));
    const to = ['--admin', running.admin, '--service', 'named', '--plan', 'all-at-once', '--wait'];
    const deploy = ['deploy', 'n2', '--targets', green.url, '--until', 'shifted', '--yes'];
    const deployed = await turnout([...deploy, ...to]);
    t.equal(deployed.code, 0, deployed.out + deployed.err);
    t.match(deployed.out, /smoke/);
    t.equal(await ask(running.proxy, 'named.test'), '200 green');
  });
});
