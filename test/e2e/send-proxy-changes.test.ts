// Targets that are told of the client by a PROXY header, while a tunnel goes through, traffic is switched
// to a color that is told otherwise and back, a new process takes over, and a target goes and comes back.

import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AdminClient } from '../support/admin-client.ts';
import { ownAddress } from '../support/own-address.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { endsText, openToldOrigin } from '../support/told-origin.ts';
import { INCOMPLETE, readProxyHeader } from '../../src/data-plane/doorstep/proxy-header.ts';
import { startAsGiven, temporaryDirectory } from './turnout-process.ts';
import { kill } from './upgrade-scene.ts';

t.setTimeout(60_000);

const HEALTH = { interval: '100ms', rise: 1, fall: 1 };

async function start(t: Test, service: object) {
  const path = join(temporaryDirectory(t), 'turnout.yaml');
  const listen = `${ownAddress()}:0`;
  writeFileSync(
    path,
    JSON.stringify({
      watch: false,
      workers: 2,
      listen,
      services: [{ health: HEALTH, ...service }],
    }),
  );
  const state = ['--state', temporaryDirectory(t), '--admin', '127.0.0.1:0'];
  const running = await startAsGiven(t, ['--config', path, ...state]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  return { running, admin };
}

/** Returns what the target has heard of this client, and what it should have. */
async function ask(proxy: string, agent: Agent): Promise<{ heard: string; ends: string }> {
  const asked = request(`http://${proxy}/`, { agent });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const { localAddress, localPort, remoteAddress, remotePort } = response.socket;
  let heard = '';
  for await (const part of response.setEncoding('utf8')) heard += String(part);
  if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${heard}`);
  return { heard, ends: `${localAddress} ${localPort} > ${remoteAddress} ${remotePort}` };
}

/** A target that answers each upgrade with 101, what it has heard of the client, and an echo. */
async function openEcho(t: Test): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let bytes = Buffer.alloc(0);
    const read = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const header = readProxyHeader(bytes);
      if (header === INCOMPLETE) return;
      if ('problem' in header) {
        socket.destroy();
        return;
      }
      const request = bytes.subarray(header.length).toString('latin1');
      if (!request.includes('\r\n\r\n')) return;
      socket.off('data', read);
      if (!request.toLowerCase().includes('upgrade: echo')) {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
        return;
      }
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n',
      );
      socket.write(`${endsText(header.ends)}\n`);
      socket.pipe(socket);
    };
    socket.on('data', read);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

await t.test('tunnels of several clients at once', async (t) => {
  const port = await openEcho(t);
  const { running } = await start(t, {
    blue: { targets: [`http://127.0.0.1:${port}`] },
    sendProxy: 'v2',
  });
  const [host, listenPort] = running.proxy.split(':') as [string, string];
  for (let i = 0; i < 3; i++) {
    const socket = connect({ host, port: Number(listenPort) });
    t.teardown(() => socket.destroy());
    const peer = new RawPeer(socket);
    await once(socket, 'connect');
    peer.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
    const ends = `${socket.localAddress} ${socket.localPort} > ${host} ${listenPort}`;
    await peer.until('what it has heard', () => peer.text.includes(`${ends}\n`) || undefined);
    peer.send('hello');
    await peer.until('the echo', () => peer.text.endsWith('hello') || undefined);
    t.pass(ends);
  }
});

await t.test('over a switch to a color that is not told, back, and an upgrade', async (t) => {
  const told = await openToldOrigin(t);
  const untold = await openToldOrigin(t, { isLenient: true });
  const { running, admin } = await start(t, {
    blue: { targets: [`http://127.0.0.1:${told.port}`] },
    green: { targets: [`http://127.0.0.1:${untold.port}`], sendProxy: 'off' },
    sendProxy: 'v1',
    affinity: { mode: 'off' },
  });
  const agents = [1, 2, 3].map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
  t.teardown(() => {
    for (const agent of agents) agent.destroy();
  });
  const round = async (expected: 'told' | 'not told'): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      for (const agent of agents) {
        const { heard, ends } = await ask(running.proxy, agent);
        t.equal(heard, expected === 'told' ? ends : 'none');
      }
    }
  };
  await round('told');
  t.equal((await admin.post('/v1/switch', { to: 'green' })).status, 200);
  await round('not told');
  t.equal((await admin.post('/v1/switch', { to: 'blue' })).status, 200);
  await round('told');
  const { status, json } = await admin.post('/v1/upgrade', {});
  t.equal(status, 200, JSON.stringify(json));
  t.teardown(() => kill(Number(json['pid'])));
  await round('told');
  t.notOk(told.headers.includes('none'));
});

await t.test('a target that goes and comes back', async (t) => {
  const target = await openToldOrigin(t);
  const { running } = await start(t, {
    blue: { targets: [`http://127.0.0.1:${target.port}`] },
    sendProxy: 'v2',
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  for (let i = 0; i < 5; i++) {
    const { heard, ends } = await ask(running.proxy, agent);
    t.equal(heard, ends);
    // Its connections break between two requests, also the one that rests for this client.
    for (const socket of target.open) socket.resetAndDestroy();
  }
});
