// What becomes of connections before their first request, by a running process with two workers: each
// outcome is caused by a client that does just that, and told by the metrics; a crowd that never gets so
// far keeps no other client out.

import { once } from 'node:events';
import { connect } from 'node:net';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { HANDSHAKES_MAX } from '../../src/base/limits.ts';
import { HANDSHAKE_OUTCOMES } from '../../src/contract/counters.ts';
import { GET, HOST, openEdge, toldIn, type EdgeScene } from '../e2e/edge-scene.ts';
import { skipWithout } from '../support/installed.ts';
import { ownAddress } from '../support/own-address.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { json, scriptedAuthority } from '../support/scripted-authority.ts';
import { pki } from '../unit/control-plane/support/pki.ts';
import { clientHello } from '../unit/data-plane/support/door-scene.ts';

t.setTimeout(120_000);
const skip = skipWithout('openssl');

const V1 = 'PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n';
const DOMAIN = 'ordered.test';
const WORKERS = 2;
/** More than all workers have room for, as unevenly as they may be spread. */
const CROWD = 1_600;

const NAMES = ['secure', 'strict', 'required', 'balanced', 'astray', 'ordered'] as const;
type Scene = EdgeScene<(typeof NAMES)[number]>;

async function open(): Promise<Scene> {
  const { issue, write } = pki(t);
  const own = issue(HOST);
  const certificates = [{ cert: own.cert, key: own.key }];
  const tls = { certificates };
  const authority = await scriptedAuthority(t, DOMAIN);
  const proof = { type: 'tls-alpn-01', token: 'token', url: `${authority.directory}/../challenge` };
  const identifier = { type: 'dns', value: DOMAIN };
  const pending = { identifier, status: 'pending', challenges: [{ ...proof, status: 'pending' }] };
  authority.instead('authz', json(pending));
  // It is told that the proof is there, and never says what it has found.
  authority.instead('challenge', () => {});
  const scene = await openEdge<(typeof NAMES)[number]>(
    t,
    {
      secure: { tls },
      strict: { tls: { ...tls, unknownNames: 'refuse' } },
      required: { tls: { ...tls, clientCa: own.cert, clients: 'required' } },
      balanced: { tls, proxyProtocol: { from: ['127.0.0.0/8'] } },
      astray: { tls, proxyProtocol: { from: ['10.0.0.0/8'] } },
      ordered: { tls: { acme: true } },
    },
    {
      more: {
        acme: {
          domains: [DOMAIN],
          email: 'ops@shop.test',
          ca: authority.directory,
          caFile: write('authority.pem', authority.trusted),
          challenge: 'tls-alpn-01',
        },
      },
    },
  );
  await authority.until('challenge');
  return scene;
}

/** Resolves with the way in which the other side of `text`, sent to a listener, has ended it. */
async function send(scene: Scene, at: (typeof NAMES)[number], text: string): Promise<string> {
  return scene.ask(at, text);
}

await t.test('handshakes of a running process', { skip }, async (t) => {
  const scene = await open();
  const hello = (await clientHello(HOST)).toString('latin1');
  const counts = async (): Promise<Record<string, number>> => {
    const entries = HANDSHAKE_OUTCOMES.map(
      async (outcome) =>
        [
          outcome,
          await scene.metric(`turnout_tls_handshakes_total{outcome="${outcome}"}`),
        ] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  };
  // Of another network than the crowd, which takes no room from it: it ends by its deadline, last of all.
  const place = { port: scene.ports.secure, host: scene.host, localAddress: ownAddress() };
  const slow = new RawPeer(connect({ ...place, allowHalfOpen: true }));
  slow.send(hello.slice(0, 100));

  await t.test('each has its outcome', async (t) => {
    t.match(await scene.ask('secure', GET, {}), /^HTTP\/1\.1 200 /);
    const first = await scene.open('secure', { maxVersion: 'TLSv1.2' });
    const session = (first.socket as TLSSocket).getSession()!;
    first.reset();
    const again = await scene.open('secure', { maxVersion: 'TLSv1.2', session });
    t.ok((again.socket as TLSSocket).isSessionReused());
    again.send(GET);
    await again.ended();
    again.socket.destroy();
    t.match(await send(scene, 'secure', GET), /^HTTP\/1\.1 400 .*https:\/\//s);
    t.match(await scene.ask('required', GET, {}), /^HTTP\/1\.1 400 .*needs a client certificate/s);
    for (const servername of ['evil.test', '']) {
      t.equal(await scene.ask('strict', GET, { servername }), '');
    }
    t.equal(await send(scene, 'secure', '\0\0\0'), '');
    t.equal(await send(scene, 'balanced', hello), '');
    t.equal(await send(scene, 'astray', V1 + hello), '');
    const left = await scene.open('secure');
    left.send(hello.slice(0, 100));
    left.end();
    t.equal(await left.ended(), 'end');
    const ALPNProtocols = ['acme-tls/1'];
    const visit = await scene.open('ordered', { servername: DOMAIN, ALPNProtocols });
    const seen = visit.socket as TLSSocket;
    t.match(seen.getPeerCertificate(), { subjectaltname: `DNS:${DOMAIN}` });
    t.equal(await visit.ended(), 'end');
    visit.socket.destroy();
    await scene.counted('gone', 1);
    t.strictSame(await counts(), {
      done: 2,
      resumed: 1,
      challenge: 1,
      failed: 1,
      timeout: 0,
      gone: 1,
      displaced: 0,
      'plain-http': 1,
      'unknown-name': 2,
      'client-certificate': 1,
      'bad-proxy-header': 1,
      'not-a-proxy': 1,
    });
  });

  await t.test('acme-tls/1 leads nowhere but to a proof', async (t) => {
    const { failed } = await counts();
    const ALPNProtocols = ['acme-tls/1'];
    for (const [at, servername] of [
      ['ordered', 'other.test'],
      ['ordered', ''],
      ['secure', HOST],
      ['secure', ''],
      ['strict', HOST],
    ] as const) {
      t.equal(await scene.ask(at, GET, { servername, ALPNProtocols }), '', `${at} ${servername}`);
    }
    // A proof is no way in for a request.
    t.equal(await scene.ask('ordered', GET, { servername: DOMAIN, ALPNProtocols }), '');
    await scene.counted('failed', failed! + 5);
    await scene.counted('challenge', 2);
  });

  await t.test('a balancer with TLS behind its header', async (t) => {
    const told = async (before: string): Promise<string | undefined> => {
      const { fields } = toldIn(await scene.ask('balanced', GET, {}, before));
      return fields.find(([name]) => name === 'x-forwarded-for')?.[1];
    };
    t.equal(await told(V1), '203.0.113.7');
    t.equal(
      await told(v2(0x21, 0x11, Buffer.of(203, 0, 113, 8, 192, 0, 2, 1, 1, 0, 1, 187))),
      '203.0.113.8',
    );
    t.match(await told(v2(0x20, 0, Buffer.alloc(0))), /^127\./, 'LOCAL: the balancer itself');
    t.match(await told('PROXY UNKNOWN\r\n'), /^127\./);
    const tlvs = Buffer.concat([
      Buffer.of(203, 0, 113, 9, 192, 0, 2, 1, 1, 0, 1, 187),
      Buffer.of(0x04, 0x07, 0x00),
      Buffer.alloc(0x700),
    ]);
    t.equal(await told(v2(0x21, 0x11, tlvs)), '203.0.113.9', 'extras of 1,792 bytes');
    const before = await counts();
    for (const text of [
      v2(0x21, 0x11, Buffer.alloc(0xffff)) + hello,
      `PROXY TCP4 ${'1'.repeat(200)}`,
      `\r\n${V1}${hello}`,
      V1.replace('\r\n', '\n'.repeat(80)),
      v2(0x22, 0x11, Buffer.alloc(12)),
    ]) {
      t.equal(await send(scene, 'balanced', text), '');
    }
    await scene.counted('bad-proxy-header', before['bad-proxy-header']! + 5);
    t.equal(await send(scene, 'balanced', V1 + v2(0x20, 0, Buffer.alloc(0)) + hello), '');
    await scene.counted('failed', before['failed']! + 1);
    // A second one in text looks like a request.
    t.match(await send(scene, 'balanced', V1 + V1 + hello), /^HTTP\/1\.1 400 /);
  });

  await t.test('a crowd that never ends its handshake', async (t) => {
    const crowd: RawPeer[] = [];
    const parts = ['', hello.slice(0, 1), hello.slice(0, 700), hello];
    const visit = async (): Promise<void> => {
      t.match(await scene.ask('secure', GET, {}), /^HTTP\/1\.1 200 /);
      t.match(await scene.ask('balanced', GET, {}, V1), /^HTTP\/1\.1 200 /);
    };
    for (let count = 0; count < CROWD; count++) {
      const at = count % 2 === 0 ? 'secure' : 'balanced';
      const peer = await scene.open(at);
      const header = count % 3 === 0 ? V1 : V1.slice(0, count % V1.length);
      peer.send(at === 'secure' ? parts[count % 4]! : header);
      crowd.push(peer);
      if (count % 200 === 199) await visit();
    }
    const open = await scene.metric('turnout_tls_handshakes_open');
    t.ok(open <= WORKERS * HANDSHAKES_MAX, `${open} are open`);
    t.ok((await scene.metric('turnout_connections_open')) <= open, 'and nothing beside them');
    for (const peer of crowd) peer.socket.destroy();
    await slow.ended();
    t.equal(slow.text, '');
    slow.socket.destroy();
    await scene.settled();
    const { displaced, timeout, gone } = await counts();
    t.ok(displaced! >= CROWD - WORKERS * HANDSHAKES_MAX, `${displaced} displaced`);
    t.equal(timeout, 1, 'by the deadline');
    t.equal(displaced! + timeout! + gone!, CROWD + 2, 'with the one that left before');
    await visit();
  });

  const exited = once(scene.running.process, 'exit');
  scene.running.process.kill('SIGTERM');
  t.strictSame(await exited, [0, null]);
});

/** Returns a PROXY header of version 2, one character for one byte. */
function v2(command: number, family: number, rest: Buffer): string {
  const start = Buffer.from('\r\n\r\n\0\r\nQUIT\n\0\0\0\0', 'latin1');
  start[12] = command;
  start[13] = family;
  start.writeUInt16BE(rest.length, 14);
  return Buffer.concat([start, rest]).toString('latin1');
}
