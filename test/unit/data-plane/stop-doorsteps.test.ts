// How a data plane that stops lets go of connections that have not come to a protocol yet: what is under
// way may end, and what does not go on is closed.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { openTestPlane, type TestPlane } from '../../support/plane.ts';
import { connectRaw, turns, type RawPeer } from '../../support/raw-peer.ts';

const HEADER = 'PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n';
const REQUEST = 'GET / HTTP/1.1\r\nHost: app.example\r\n\r\n';

interface Scene {
  readonly plane: TestPlane;
  /** Has begun to say where it comes from. */
  readonly client: RawPeer;
}

async function open(t: Test): Promise<Scene> {
  const server = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const listener = { proxyFrom: ['127.0.0.1'] };
  const plane = await openTestPlane({ blue: [port], green: [] }, { listener });
  const client = await connectRaw(plane.port);
  // One that has come later is answered: so the first one was accepted.
  const later = await connectRaw(plane.port);
  t.teardown(() => {
    for (const { socket } of [client, later]) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  client.send(HEADER.slice(0, 10));
  later.send(`${HEADER}${REQUEST}`);
  await later.until('response', () => (later.text.endsWith('ok') ? true : undefined));
  later.socket.destroy();
  plane.plane.obey({ kind: 'stop', withinMs: 30_000, idleMs: 0 });
  await turns(10);
  return { plane, client };
}

async function stopped({ reports }: TestPlane): Promise<void> {
  while (!reports.some(({ kind }) => kind === 'stopped')) await turns(1);
}

await t.test('what is under way when a stop begins is served', async (t) => {
  const { plane, client } = await open(t);
  t.equal(client.ending, undefined);
  client.send(`${HEADER.slice(10)}${REQUEST}`);
  await client.until('end', () => client.ending);
  t.match(client.text, /^HTTP\/1\.1 200 .*connection: close\r\n.*ok$/is);
  t.equal(client.ending, 'end');
  await stopped(plane);
});

await t.test('what does not go on is closed, and holds up no stop', async (t) => {
  const { plane, client } = await open(t);
  await client.until('end', () => client.ending);
  t.equal(client.text, '');
  await stopped(plane);
});
