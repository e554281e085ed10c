// Clients that break TLS after its handshake, at every step of a request: bytes that are no TLS, an end
// without a word, a reset, an end of one side alone. Others are served on, and no connection is left.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import tls from 'node:tls';
import t from 'tap';
import { GET, HOST, openEdge, type EdgeScene } from '../e2e/edge-scene.ts';
import { skipWithout } from '../support/installed.ts';
import { pki } from '../unit/control-plane/support/pki.ts';

t.setTimeout(120_000);
const skip = skipWithout('openssl');
const ROUNDS = 4;

/** What has been sent when the client breaks. */
const STEPS: readonly (readonly [name: string, text: string])[] = [
  ['nothing', ''],
  ['half a head', GET.slice(0, 20)],
  ['a request', GET],
  ['a request that keeps the connection', GET.replace('close', 'keep-alive')],
  [
    'half a body',
    GET.replace('GET', 'POST').replace('\r\n\r\n', '\r\nContent-Length: 99999\r\n\r\nabc'),
  ],
  ['a tunnel', GET.replace('Connection: close', 'Connection: upgrade\r\nUpgrade: x')],
];

/** A record of application data that nothing can decrypt. */
const FORGED = Buffer.concat([Buffer.of(23, 3, 3, 0, 64), Buffer.alloc(64, 7)]);

const BREAKS: readonly (readonly [
  name: string,
  act: (below: Socket, secured: tls.TLSSocket) => void,
])[] = [
  ['text', (below) => below.end(GET)],
  ['noise', (below) => below.end(randomBytes(2_000))],
  ['a forged record', (below) => below.end(FORGED)],
  ['half a record', (below) => below.end(FORGED.subarray(0, 20))],
  ['an end without close_notify', (below) => below.end()],
  ['a reset', (below) => below.resetAndDestroy()],
  ['close_notify, then text', (below, secured) => secured.end(() => below.end(GET))],
];

await t.test('TLS that is broken after its handshake', { skip }, async (t) => {
  const own = pki(t).issue(HOST);
  const certificates = [{ cert: own.cert, key: own.key }];
  const scene: EdgeScene<'secure'> = await openEdge(t, { secure: { tls: { certificates } } });
  const place = { host: scene.host, port: scene.ports.secure };

  const attack = async (
    text: string,
    act: (typeof BREAKS)[number][1],
    maxVersion: tls.SecureVersion,
  ): Promise<void> => {
    const below = connect({ ...place, allowHalfOpen: true });
    const secured = tls.connect({
      socket: below,
      servername: HOST,
      rejectUnauthorized: false,
      maxVersion,
    });
    secured.on('error', () => {});
    below.on('error', () => {});
    await once(secured, 'secureConnect');
    // What is wrong with it tells an error, which is expected.
    const { promise: over, resolve } = Promise.withResolvers<void>();
    for (const one of [below, secured]) one.once('close', resolve);
    secured.once('end', resolve);
    secured.resume();
    secured.write(text, () => setImmediate(() => act(below, secured)));
    await over;
    below.destroy();
  };

  for (const [step, text] of STEPS) {
    await t.test(`after ${step}`, async (t) => {
      for (const [name, act] of BREAKS) {
        await Promise.all(
          Array.from({ length: ROUNDS }, async (_, at) =>
            attack(text, act, at % 2 === 0 ? 'TLSv1.3' : 'TLSv1.2'),
          ),
        );
        t.match(await scene.ask('secure', GET, {}), /^HTTP\/1\.1 200 /, name);
      }
    });
  }

  await t.test('an end of one side alone gets its response', async (t) => {
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
      for (const text of [GET, GET.replace('close', 'keep-alive')]) {
        const peer = await scene.open('secure', { maxVersion });
        peer.send(text);
        peer.end();
        await peer.ended();
        t.match(peer.text, /^HTTP\/1\.1 200 [^]*\}$/, maxVersion);
        peer.socket.destroy();
      }
    }
  });

  await scene.settled();
  const lines = scene.running.lines.filter((line) => !line.includes('"level":"info"'));
  t.strictSame(
    lines.filter((line) => !line.includes('"kind":"access"')),
    [],
  );
  t.strictSame(
    lines.filter((line) => !line.includes('"client":"127.0.0.1"')),
    [],
    'all are known',
  );
});
