// Attacks on what comes before the first request: handshakes that never end, in crowds, and what is no
// handshake at all. An ordinary client beside them is served, and in the end nothing is held.

import tls from 'node:tls';
import t, { type Test } from 'tap';
import { HANDSHAKE_MS, HANDSHAKES_MAX } from '../../src/base/limits.ts';
import type { CertificateSet } from '../../src/contract/certificates.ts';
import type { Listener } from '../../src/contract/worker-settings.ts';
import { GET, OK, withBench, type Bench } from '../support/fault-bench.ts';
import { handshakeCounts } from '../support/handshake-counts.ts';
import { skipWithout } from '../support/installed.ts';
import { answering } from '../support/origin.ts';
import type { SettingsPatch } from '../support/plane.ts';
import { connectRaw, SecureConnector, type RawPeer } from '../support/raw-peer.ts';
import { becomes, workerCount } from '../support/shared-counters.ts';
import { testCertificates, TLS_TEST_POLICY } from '../support/test-certificates.ts';
import { clientHello } from '../unit/data-plane/support/door-scene.ts';

const skip = skipWithout('openssl');
const CROWD = 1_000;

t.setTimeout(240_000);

/** Its own certificate is the authority of its clients, where it has any. */
function certifiedFor({ tls }: Partial<Listener>): CertificateSet {
  const set = testCertificates();
  if (tls === undefined || tls.clients === 'none') return set;
  const clientAuthorities = set.certificates[0]!.chain;
  return { ...set, doors: set.doors.map((door) => ({ ...door, clientAuthorities })) };
}

/** Opens a plane with TLS; in the end no handshake may be left. */
async function withTls(
  t: Test,
  body: (bench: Bench) => Promise<void>,
  listener: SettingsPatch['listener'] = {},
): Promise<void> {
  const patch = {
    listener: { tls: TLS_TEST_POLICY, ...listener },
    certificates: certifiedFor(listener),
  };
  await withBench(t, { script: answering(OK), patch }, async (bench) => {
    await body(bench);
    const isNone = await becomes(() => workerCount(bench.plane, 'handshakesOpen') === 0);
    t.ok(isNone, 'no handshake is left');
  });
}

/** A client that takes the usual way must be served. */
async function isServed(t: Test, { plane }: Bench): Promise<void> {
  const client = await new SecureConnector().connect(plane.port);
  client.send(GET);
  await client.until('response', () => (client.text.endsWith('ok') ? true : undefined));
  client.socket.destroy();
  t.pass('an ordinary client is served');
}

await t.test('a crowd of handshakes that never end', { skip }, async (t) => {
  const hello = (await clientHello()).toString('latin1');
  for (const part of ['', hello.slice(0, 1), hello.slice(0, 700), hello]) {
    await withTls(t, async (bench) => {
      const crowd: RawPeer[] = [];
      for (let count = 0; count < CROWD; count++) {
        const peer = await connectRaw(bench.plane.port, '127.0.0.1');
        peer.send(part);
        crowd.push(peer);
      }
      await isServed(t, bench);
      const open = workerCount(bench.plane, 'handshakesOpen');
      t.ok(open <= HANDSHAKES_MAX, `${part.length} bytes each: ${open} are open`);
      t.ok(
        workerCount(bench.plane, 'connectionsOpen') <= HANDSHAKES_MAX,
        'and no more connections',
      );
      await becomes(
        () => crowd.filter(({ ending }) => ending !== undefined).length >= CROWD - open,
      );
      bench.passTime(HANDSHAKE_MS);
      await Promise.all(crowd.map(async (peer) => peer.ended()));
      const { displaced = 0, timeout = 0 } = handshakeCounts(bench.plane);
      t.ok(displaced >= CROWD - HANDSHAKES_MAX, `${displaced} displaced`);
      t.equal(displaced + timeout, CROWD, `${timeout} by the deadline`);
      for (const peer of crowd) peer.socket.destroy();
    });
  }
});

await t.test('a slow handshake ends by its deadline, whatever comes', { skip }, async (t) => {
  const hello = (await clientHello()).toString('latin1');
  await withTls(t, async (bench) => {
    const slow = await bench.connect();
    for (let at = 0; at < 120; at++) {
      await slow.sendCut(hello[at]!, []);
      bench.plane.plane.wheel.advance(1);
      if (slow.ending !== undefined) break;
    }
    t.ok(await slow.ended());
    t.strictSame(handshakeCounts(bench.plane), { timeout: 1 });
    await isServed(t, bench);
  });
});

await t.test('what is no handshake', { skip }, async (t) => {
  await withTls(t, async (bench) => {
    const plain = await bench.connect();
    plain.send(GET);
    t.equal(await plain.ended(), 'end');
    t.match(plain.text, /^HTTP\/1\.1 400 /);
    t.match(plain.text, /https:\/\//, 'and says what to do');
    plain.end();
    // A record of the greatest size, said to be a ClientHello of 16 MiB; then one that never ends.
    const huge = `\x16\x03\x01\x40\x00\x01\xff\xff\xff${'a'.repeat(16_380)}`;
    for (const bytes of [
      huge,
      huge + huge,
      '\0'.repeat(1_000),
      '\x16\x03\x01\xff\xff',
      '\x16GET /',
    ]) {
      const peer = await bench.connect();
      peer.send(bytes);
      await peer.ended();
      t.notMatch(peer.text, /HTTP/);
    }
    await becomes(() => handshakeCounts(bench.plane)['plain-http'] === 1);
    t.strictSame(handshakeCounts(bench.plane), { 'plain-http': 1, failed: 5 });
    await isServed(t, bench);
  });
});

await t.test(
  'a ClientHello on a port without TLS is answered in the clear',
  { skip },
  async (t) => {
    const hello = (await clientHello()).toString('latin1');
    await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
      const peer = await bench.connect();
      peer.send(hello);
      await peer.ended();
      t.match(peer.text, /^HTTP\/1\.1 400 /);
      t.match((await bench.ask(GET)).body, /ok/);
    });
  },
);

await t.test('names without end leave nothing behind', { skip }, async (t) => {
  await withTls(t, async (bench) => {
    const ask = async (servername: string): Promise<string> => {
      const socket = tls.connect({
        port: bench.plane.port,
        host: '127.0.0.1',
        servername,
        rejectUnauthorized: false,
      });
      let code = '';
      socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code ?? ''));
      socket.on('secureConnect', () => socket.destroy());
      await new Promise((resolve) => socket.on('close', resolve));
      return code;
    };
    for (let batch = 0; batch < 10; batch++) {
      const names = Array.from({ length: 20 }, (_, at) => `n${batch}-${at}.${'a'.repeat(60)}.test`);
      const codes = await Promise.all(names.map(ask));
      if (codes.some((code) => code !== '')) t.fail(codes.join());
    }
    await isServed(t, bench);
  });
});

await t.test('a PROXY header from where none may come', { skip }, async (t) => {
  const V1 = 'PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n';
  await withTls(
    t,
    async (bench) => {
      const peer = await bench.connect();
      peer.send(V1 + GET);
      await peer.ended();
      t.equal(peer.text, '');
      t.strictSame(handshakeCounts(bench.plane), { 'not-a-proxy': 1 });
    },
    { proxyFrom: ['10.0.0.0/8'], tls: undefined },
  );
  await withTls(
    t,
    async (bench) => {
      const missing = await bench.connect();
      missing.send(GET);
      await missing.ended();
      const doubled = await bench.connect();
      doubled.send(V1 + V1 + GET);
      await doubled.ended();
      t.match(doubled.text, /^HTTP\/1\.1 400 /);
      t.match(handshakeCounts(bench.plane), { 'bad-proxy-header': 1, done: 1 });
      const lying = await bench.connect();
      lying.send(V1 + GET.replace('\r\n\r\n', '\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n'));
      await lying.until('response', () => (lying.text.endsWith('ok') ? true : undefined));
      const head = [...bench.origin.connections].map(({ text }) => text).join('');
      t.match(head, /X-Forwarded-For: 203\.0\.113\.7\r\n/i);
      t.notMatch(head, /198\.51\.100\.1/);
    },
    { proxyFrom: ['127.0.0.0/8'], tls: undefined },
  );
});

await t.test('a PROXY header within TLS is no request', { skip }, async (t) => {
  await withTls(t, async (bench) => {
    const client = await new SecureConnector().connect(bench.plane.port);
    client.send(`PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n${GET}`);
    await client.ended();
    t.match(client.text, /^HTTP\/1\.1 400 /);
    client.socket.destroy();
  });
});

await t.test(
  'clients that reset while they are told why they may not come in',
  { skip },
  async (t) => {
    const tlsPolicy = { ...TLS_TEST_POLICY, clients: 'required' } as const;
    await withTls(
      t,
      async (bench) => {
        for (let count = 0; count < 20; count++) {
          const connector = new SecureConnector();
          const client = await connector.connect(bench.plane.port);
          if (count % 2 === 0) client.reset();
          else {
            client.send(GET);
            await client.ended();
            t.match(client.text, /^HTTP\/1\.1 400 [^]*client certificate/);
            client.socket.destroy();
          }
        }
        await becomes(() => workerCount(bench.plane, 'connectionsOpen') === 0);
        bench.passTime(1_000);
        t.equal(workerCount(bench.plane, 'connectionsOpen'), 0);
      },
      { tls: tlsPolicy },
    );
  },
);
