// How a data plane lets go of connections on which nothing runs: a request that is already on its
// way is served, and the response says that it was the last one.

import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { STOP_IDLE_MS, TICK_MS } from '../../../src/base/limits.ts';
import { openTestPlane, type TestPlane } from '../../support/plane.ts';
import { connectRaw, turns, type RawPeer } from '../../support/raw-peer.ts';

const REQUEST = 'GET / HTTP/1.1\r\nHost: app.example\r\n\r\n';
const KEEP_ALIVE_MS = 60_000; // that of test planes

/** Enough for a close that has begun to be seen. */
const SEVERAL_TURNS = 10;

interface Scene {
  readonly plane: TestPlane;
  /** Has had one response, and could send the next request at any moment. */
  readonly client: RawPeer;
}

async function open(t: Test): Promise<Scene> {
  const server = createServer((_request, response) => response.end('ok'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const plane = await openTestPlane({ blue: [port], green: [] }, {});
  const client = await connectRaw(plane.port);
  t.teardown(() => {
    client.socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  client.send(REQUEST);
  await awaitResponses(client, 1);
  return { plane, client };
}

async function awaitResponses(client: RawPeer, count: number): Promise<void> {
  await client.until(`response ${count}`, () =>
    (responseCount(client) === count && client.text.endsWith('ok')) || client.ending !== undefined
      ? true
      : undefined,
  );
}

function responseCount(client: RawPeer): number {
  return client.text.split('HTTP/1.1 200 OK').length - 1;
}

async function getsItsLastResponse(t: Test, client: RawPeer): Promise<void> {
  await client.until('end', () => client.ending);
  t.equal(responseCount(client), 2, client.text);
  t.match(client.text, /connection: close\r\n/i);
  t.equal(client.ending, 'end');
}

/** Resolves when the plane has reported that it has stopped. */
async function stopped({ reports }: TestPlane): Promise<void> {
  while (!reports.some(({ kind }) => kind === 'stopped')) await turns(1);
}

/**
 * Lets time pass for a thread that does not get to run: what `meanwhile` does has come by the time
 * its timers are due, and was not read. Timers come first after a pause, then what is to be read.
 */
async function stall({ plane }: Scene, ms: number, meanwhile: () => void): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(() => {
      meanwhile();
      plane.plane.wheel.advance(ms / TICK_MS);
      resolve();
    }, 0);
  });
}

function stop({ plane }: Scene, idleMs: number): void {
  plane.plane.obey({ kind: 'stop', withinMs: 30_000, idleMs });
}

await t.test('a request that came before the worker knew of the stop is served', async (t) => {
  const scene = await open(t);
  const { client } = scene;
  await stall(scene, 10_000, () => {
    client.send(REQUEST);
    stop(scene, 0);
  });
  await getsItsLastResponse(t, client);
});

await t.test('a request that came while the thread stood still is served', async (t) => {
  const scene = await open(t);
  const { client } = scene;
  await stall(scene, 2 * KEEP_ALIVE_MS, () => client.send(REQUEST));
  await awaitResponses(client, 2);
  t.equal(client.ending, undefined, 'and more may come');
  await scene.plane.stop();
});

await t.test('a connection that stays idle ends when its time is over', async (t) => {
  const scene = await open(t);
  await stall(scene, 2 * KEEP_ALIVE_MS, () => {});
  await scene.client.until('end', () => scene.client.ending);
  t.equal(scene.client.ending, 'end');
  await scene.plane.stop();
});

await t.test(
  'a client that is idle when its plane is replaced may send one more request',
  async (t) => {
    const scene = await open(t);
    await stall(scene, 10_000, () => {});
    stop(scene, 24_000);
    await stall(scene, 10_000, () => {});
    await turns(SEVERAL_TURNS);
    scene.client.send(REQUEST);
    await getsItsLastResponse(t, scene.client);
  },
);

await t.test('a replaced plane closes idle connections that send no more requests', async (t) => {
  const scene = await open(t);
  const { plane, client } = scene;
  stop(scene, STOP_IDLE_MS + 1);
  await client.until('end', () => client.ending);
  t.equal(client.ending, 'end', 'in order');
  t.equal(responseCount(client), 1);
  client.socket.end();
  await stopped(plane);
});

await t.test('a stop closes what was idle for long, and gives others a moment', async (t) => {
  const scene = await open(t);
  const { plane, client } = scene;
  await stall(scene, 10_000, () => {});
  const fresh = await connectRaw(plane.port);
  t.teardown(() => fresh.socket.destroy());
  fresh.send(REQUEST);
  await awaitResponses(fresh, 1);
  stop(scene, 0);
  await stall(scene, STOP_IDLE_MS / 2, () => {});
  await client.until('end', () => client.ending);
  t.equal(fresh.ending, undefined);
  fresh.send(REQUEST);
  await getsItsLastResponse(t, fresh);
});

await t.test(
  'the plane reports that it accepts no connection before the last one has closed',
  async (t) => {
    const scene = await open(t);
    const { plane, client } = scene;
    stop(scene, 60_000);
    t.strictSame(
      plane.reports.map(({ kind }) => kind),
      ['listening', 'closed'],
    );
    await t.rejects(connectRaw(plane.port), { code: 'ECONNREFUSED' });
    t.equal(client.ending, undefined);
    client.socket.end();
    await stopped(plane);
  },
);

await t.test('it has stopped when its log is written, or is not read by anything', async (t) => {
  for (const isRead of [true, false]) {
    const { plane } = await open(t);
    const written = Promise.withResolvers<() => void>();
    Object.assign(plane.plane.accessLog, { flush: written.resolve });
    const stopped = plane.stop();
    t.notOk(plane.reports.some(({ kind }) => kind === 'stopped'));
    const isWritten = await written.promise;
    if (isRead) isWritten();
    await stopped;
    isWritten();
    t.equal(plane.reports.filter(({ kind }) => kind === 'stopped').length, 1);
  }
});
