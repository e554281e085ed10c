// Each stage of a connection before its protocol, and every way out of it, over real sockets.

import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { HANDSHAKE_MS } from '../../../../src/base/limits.ts';
import { skipWithout } from '../../../support/installed.ts';
import { turns } from '../../../support/raw-peer.ts';
import { becomes } from '../../../support/shared-counters.ts';
import { clientHello, openDoorScene, type DoorScene } from '../support/door-scene.ts';
import { binaryHeader } from '../support/proxy-bytes.ts';
import { testDoor } from '../support/test-door.ts';

const skip = skipWithout('openssl');
const V1 = 'PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n';
const TLS_ONLY = { hasProxyHeader: false, door: undefined };
const both = () => ({ hasProxyHeader: true, door: testDoor() });
const tlsOnly = () => ({ ...TLS_ONLY, door: testDoor() });
const headerOnly = { hasProxyHeader: true, door: undefined };

/** Resolves with the first bytes that the entered connection has for its protocol. */
async function firstBytes({ host }: DoorScene): Promise<string> {
  const { socket } = host.greeted[0]!.socket;
  let text = '';
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  socket.on('error', () => {});
  socket.resume();
  await becomes(() => text.endsWith('end'));
  return text;
}

for (const kind of ['tcp', 'unix'] as const) {
  await t.test(`${kind}: a PROXY header, and the request in the same segment`, async (t) => {
    for (const header of [Buffer.from(V1), binaryHeader()]) {
      const scene = await openDoorScene(t, headerOnly, kind);
      const peer = await scene.connect();
      peer.send(`${header.toString('latin1')}GET / end`);
      t.equal(await scene.next(), 'entered');
      const [greeted] = scene.host.greeted;
      t.match(greeted, {
        ends: { from: { address: '203.0.113.7', port: 5_000 } },
        isSecure: false,
        tls: undefined,
      });
      t.ok(greeted!.socket.socket.isPaused(), 'nothing is lost before it is read');
      t.equal(await firstBytes(scene), 'GET / end');
    }
  });

  await t.test(`${kind}: TLS behind a PROXY header`, { skip }, async (t) => {
    for (const header of [Buffer.from(V1), binaryHeader()]) {
      const scene = await openDoorScene(t, both(), kind);
      const peer = await scene.secure({}, header);
      peer.send('GET / end');
      t.equal(await scene.next(), 'entered');
      t.match(scene.host.greeted, [{ ends: { from: { address: '203.0.113.7' } }, isSecure: true }]);
      t.equal(scene.host.greeted[0]!.tls, scene.host.greeted[0]!.socket.socket);
      t.equal(scene.host.greeted[0]!.socket.below, scene.sockets[0]);
      t.equal(await firstBytes(scene), 'GET / end');
      scene.pass(2 * HANDSHAKE_MS);
      t.notOk(scene.sockets[0]!.destroyed, 'its deadline is gone');
    }
  });

  await t.test(`${kind}: header and ClientHello, together and in pieces`, { skip }, async (t) => {
    const hello = await clientHello();
    for (const header of [Buffer.from(V1), binaryHeader()]) {
      const all = Buffer.concat([header, hello]).toString('latin1');
      for (const cuts of [[], [1], [header.length], [header.length + 1], everyByte(all.length)]) {
        const scene = await openDoorScene(t, both(), kind);
        const peer = await scene.connect();
        await peer.sendCut(all, cuts);
        const answer = await peer.until('ServerHello', () => peer.text || undefined);
        t.equal(answer.charCodeAt(0), 22, `cut at ${cuts.length} places`);
        peer.socket.destroy();
        t.equal(await scene.next(), 'gone');
      }
    }
  });

  await t.test(`${kind}: a client that goes away, at every stage`, { skip }, async (t) => {
    const hello = (await clientHello()).toString('latin1');
    const half = hello.slice(0, 100);
    for (const part of ['', 'PRO', V1, V1 + half.slice(0, 1), V1 + half, V1 + hello]) {
      for (const way of ['end', 'reset'] as const) {
        const scene = await openDoorScene(t, both(), kind);
        const peer = await scene.connect();
        peer.send(part);
        await becomes(() => scene.sockets.length === 1);
        await turns(3);
        peer[way]();
        const name = `${way} after ${part.length} bytes`;
        t.equal(await scene.next(), 'gone', name);
        await becomes(() => scene.sockets[0]!.destroyed);
        t.strictSame(scene.host.told, ['gone'], `${name}, once`);
      }
    }
  });

  await t.test(`${kind}: one deadline for all stages`, { skip }, async (t) => {
    const hello = (await clientHello()).toString('latin1');
    for (const part of ['', 'PRO', V1, V1 + hello.slice(0, 100), V1 + hello]) {
      const scene = await openDoorScene(t, both(), kind);
      const peer = await scene.connect();
      await becomes(() => scene.steps.length === 1);
      // Bytes that come do not move it.
      scene.pass(HANDSHAKE_MS / 2);
      peer.send(part);
      await turns(5);
      t.strictSame(scene.host.told, []);
      scene.pass(HANDSHAKE_MS / 2);
      t.equal(await scene.next(), 'timeout', `after ${part.length} bytes`);
      await peer.ended();
      t.strictSame(scene.host.told, ['timeout']);
    }
  });

  await t.test(`${kind}: makes room at every stage`, { skip }, async (t) => {
    const hello = (await clientHello()).toString('latin1');
    for (const part of ['', 'PRO', V1, V1 + hello.slice(0, 100), V1 + hello]) {
      const scene = await openDoorScene(t, both(), kind);
      const peer = await scene.connect();
      peer.send(part);
      await becomes(() => scene.steps.length === 1);
      await turns(3);
      t.ok(scene.steps[0]!.makeRoom());
      await peer.ended();
      t.strictSame(scene.host.told, ['displaced'], `after ${part.length} bytes`);
    }
  });

  await t.test(`${kind}: plain HTTP where TLS is spoken is answered`, { skip }, async (t) => {
    for (const request of ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', `post /${'a'.repeat(200_000)}`]) {
      const scene = await openDoorScene(t, tlsOnly(), kind);
      const peer = await scene.connect();
      peer.send(request);
      t.equal(await peer.ended(), 'end');
      t.match(peer.text, /^HTTP\/1\.1 400 Bad Request\r\n[^]*connection: close[^]*https:\/\//i);
      t.strictSame(scene.host.told, [], 'it counts until it has closed');
      peer.socket.destroy();
      t.equal(await scene.next(), 'plain-http');
    }
  });

  await t.test(`${kind}: one that was answered and stays is closed`, { skip }, async (t) => {
    const scene = await openDoorScene(t, tlsOnly(), kind);
    const peer = await scene.connect();
    peer.send('GET / HTTP/1.1\r\n');
    t.equal(await peer.ended(), 'end');
    scene.pass(1_000);
    t.equal(await scene.next(), 'plain-http');
    t.ok(scene.sockets[0]!.destroyed);
    t.strictSame(scene.host.told, ['plain-http'], 'once');
  });
}

await t.test('one that was answered makes room', { skip }, async (t) => {
  const scene = await openDoorScene(t, tlsOnly());
  const peer = await scene.connect();
  peer.send('GET / HTTP/1.1\r\n');
  await peer.ended();
  scene.steps[0]!.makeRoom();
  t.ok(scene.sockets[0]!.destroyed);
  t.strictSame(scene.host.told, ['plain-http']);
});

await t.test('what is no TLS and no HTTP closes at once', { skip }, async (t) => {
  for (const bytes of [
    '\0\0\0\0',
    '\x15\x03\x01\0\x02\x01\0',
    '\x80\x2e\x01\0\x02',
    '\r\n\r\n',
    '\xff',
  ]) {
    const scene = await openDoorScene(t, tlsOnly());
    const peer = await scene.connect();
    peer.send(bytes);
    await peer.ended();
    t.equal(peer.text, '');
    t.strictSame(scene.host.told, ['failed']);
  }
});

await t.test('garbage that begins like a handshake fails', { skip }, async (t) => {
  for (const rest of [
    '\x03\x01\0\x04abcd',
    '\x03\x01\xff\xff' + 'a'.repeat(70_000),
    'GET / HTTP/1.1\r\n',
  ]) {
    const scene = await openDoorScene(t, tlsOnly());
    const peer = await scene.connect();
    peer.send(`\x16${rest}`);
    await peer.ended();
    t.strictSame(scene.host.told, ['failed'], JSON.stringify(rest.slice(0, 8)));
  }
});

await t.test('a wrong PROXY header closes at once, before TLS', { skip }, async (t) => {
  const hello = (await clientHello()).toString('latin1');
  const wrong = [hello, 'GET / HTTP/1.1\r\n', `PROXY TCP4 ${'1'.repeat(120)}`];
  wrong.push(binaryHeader({ length: 65_535 }).toString('latin1'));
  for (const bytes of wrong) {
    const scene = await openDoorScene(t, both());
    const peer = await scene.connect();
    peer.send(bytes);
    await peer.ended();
    t.equal(peer.text, '');
    t.strictSame(scene.host.told, ['bad-proxy-header']);
  }
});

await t.test('a second PROXY header is no TLS', { skip }, async (t) => {
  for (const header of [V1, binaryHeader().toString('latin1')]) {
    const scene = await openDoorScene(t, both());
    const peer = await scene.connect();
    peer.send(header + header);
    peer.end();
    await peer.ended();
    t.match(scene.host.told, [header === V1 ? 'plain-http' : 'failed']);
  }
});

await t.test('what its host throws ends that connection alone', { skip }, async (t) => {
  const scene = await openDoorScene(t, tlsOnly());
  const other = await scene.secure();
  t.equal(await scene.next(), 'entered');
  for (const way of ['gone', 'entered'] as const) {
    scene.host.fault = new Error(`in ${way}`);
    const peer = way === 'gone' ? await scene.connect() : await scene.secure();
    if (way === 'gone') peer.send('\0\0');
    t.equal(await scene.next(), way === 'gone' ? 'failed' : 'entered');
    await peer.ended();
    t.match(scene.host.faults.at(-1), { message: `in ${way}` });
  }
  other.send('still here, end');
  t.equal(await firstBytes(scene), 'still here, end');
});

await t.test('a handshake is resumed, and said to be', { skip }, async (t) => {
  const scene = await openDoorScene(t, tlsOnly());
  const first = await scene.secure();
  const ticket = once(first.socket as TLSSocket, 'session');
  await scene.next();
  // A client reads the ticket with the first bytes that follow.
  scene.host.greeted[0]!.socket.socket.write('x');
  const [session] = (await ticket) as [Buffer];
  await scene.secure({ session });
  t.equal(await scene.next(), 'entered');
  t.equal(scene.host.greeted[1]!.tls!.isSessionReused(), true);
});

function everyByte(length: number): number[] {
  return Array.from({ length: length - 1 }, (_, at) => at + 1);
}
