// Handshakes that are under way, or stuck, while the process reloads, is upgraded and stops: those that go
// on get their response, and those that don't keep nothing and hold up nothing.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { skipWithout } from '../support/installed.ts';
import { isAlive } from '../support/is-alive.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { pki } from '../unit/control-plane/support/pki.ts';
import { clientHello } from '../unit/data-plane/support/door-scene.ts';
import { GET, HOST, openEdge, type EdgeScene, type ListenEntry } from './edge-scene.ts';
import { kill, until } from './upgrade-scene.ts';

t.setTimeout(120_000);
const skip = skipWithout('openssl');
const V1 = 'PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n';

type Scene = EdgeScene<'secure' | 'balanced' | 'plain'>;

/** A handshake that stands still after its first bytes. */
interface Stalled {
  /** Lets it go on; resolves with all that came back to its request. */
  goOn(): Promise<string>;
}

/** Begins one; `before` comes ahead of it, and of all that the first `count` bytes. */
async function stall(
  t: Test,
  { host, ports }: Scene,
  { at, before, count }: { at: 'secure' | 'balanced'; before: string; count: number },
): Promise<Stalled> {
  const server = createServer({ noDelay: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = tls.connect({
    port,
    host: '127.0.0.1',
    servername: HOST,
    rejectUnauthorized: false,
  });
  let text = '';
  client.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  client.on('error', () => {});
  const closed = once(client, 'close');
  const [near] = (await once(server, 'connection')) as [Socket];
  server.close();
  const far = connect({ host, port: ports[at], noDelay: true });
  t.teardown(() => [client, near, far].map((socket) => socket.destroy()));
  for (const socket of [near, far]) socket.on('error', () => {});
  const [hello] = (await once(near, 'data')) as [Buffer];
  near.pause();
  const bytes = Buffer.concat([Buffer.from(before, 'latin1'), hello]);
  await new Promise((resolve) => far.write(bytes.subarray(0, count), resolve));
  return {
    async goOn() {
      far.write(bytes.subarray(count));
      near.pipe(far);
      far.pipe(near);
      client.write(GET);
      await closed;
      return text;
    },
  };
}

/** Begins handshakes of every kind that never go on. */
async function crowd(scene: Scene): Promise<readonly RawPeer[]> {
  const hello = (await clientHello(HOST)).toString('latin1');
  const parts = [
    ['secure', ''],
    ['secure', hello.slice(0, 1)],
    ['secure', hello.slice(0, 200)],
    ['secure', hello],
    ['balanced', ''],
    ['balanced', V1.slice(0, 20)],
    ['balanced', V1],
    ['balanced', V1 + hello.slice(0, 200)],
    ['balanced', V1 + hello],
  ] as const;
  const peers: RawPeer[] = [];
  for (let round = 0; round < 5; round++) {
    for (const [at, text] of parts) {
      const peer = await scene.open(at);
      peer.send(text);
      peers.push(peer);
    }
  }
  await until(
    async () => (await scene.metric('turnout_tls_handshakes_open')) >= peers.length,
    'all of them',
  );
  return peers;
}

/** Each is served in the end. */
async function goOn(t: Test, stalled: readonly Stalled[]): Promise<void> {
  for (const text of await Promise.all(stalled.map(async (one) => one.goOn()))) {
    t.match(text, /^HTTP\/1\.1 200 /);
  }
}

async function ended(peers: readonly RawPeer[]): Promise<void> {
  await Promise.all(peers.map(async (peer) => peer.ended()));
  for (const peer of peers) peer.socket.destroy();
}

await t.test('handshakes that are under way', { skip }, async (t) => {
  const own = pki(t).issue(HOST);
  const certificates = [{ cert: own.cert, key: own.key }];
  const secure: ListenEntry = { tls: { certificates } };
  const balanced: ListenEntry = { tls: { certificates }, proxyProtocol: { from: ['127.0.0.0/8'] } };
  const scene = await openEdge(
    t,
    { secure, balanced, plain: {} },
    { more: { stop: { deadline: '20s' } } },
  );
  const begin = async (): Promise<readonly Stalled[]> =>
    Promise.all([
      stall(t, scene, { at: 'secure', before: '', count: 0 }),
      stall(t, scene, { at: 'secure', before: '', count: 100 }),
      stall(t, scene, { at: 'balanced', before: V1, count: 20 }),
      stall(t, scene, { at: 'balanced', before: V1, count: V1.length + 100 }),
    ]);
  await t.test('end by the terms under which they began, whatever a reload brings', async (t) => {
    const stalled = await begin();
    const stuck = await crowd(scene);
    await scene.relisten({ secure: { tls: { certificates, minVersion: '1.3' } }, plain: {} });
    t.match(await scene.ask('secure', GET, {}), /^HTTP\/1\.1 200 /);
    await t.rejects(scene.open('balanced'), { code: 'ECONNREFUSED' }, 'the listener is gone');
    await goOn(t, stalled);
    for (const peer of stuck) peer.socket.destroy();
    await scene.settled();
    await scene.relisten({ secure, balanced, plain: {} });
  });

  await t.test('outlive an upgrade, and do not hold it up', async (t) => {
    const exited = once(scene.running.process, 'exit');
    const stalled = await begin();
    const stuck = await crowd(scene);
    const { status, json } = await scene.admin.post('/v1/upgrade', {});
    t.equal(status, 200);
    const pid = Number(json['pid']);
    t.teardown(() => kill(pid));
    await goOn(t, stalled);
    t.match(await scene.ask('secure', GET, {}), /^HTTP\/1\.1 200 /);
    await ended(stuck);
    t.strictSame(await exited, [0, null]);
    await scene.settled();
    const again = await crowd(scene);
    process.kill(pid, 'SIGTERM');
    await ended(again);
    await until(() => !isAlive(pid), 'an end of the process');
  });
});
