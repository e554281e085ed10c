// What a stop cuts at the end of its time: each request is counted and has a line in the log. What
// waits because its service is held waits until then, and is refused.

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { Exchange } from '../../../src/data-plane/exchange/exchange.ts';
import { openTestPlane, type ServicePatch } from '../../support/plane.ts';
import { connectRaw, turns, type RawPeer } from '../../support/raw-peer.ts';
import { failureCounts, gaugesOf } from '../../support/shared-counters.ts';

const REQUEST = 'GET /work?secret=1 HTTP/1.1\r\nHost: app.example\r\n\r\n';
const HELD: ServicePatch = {
  hold: { methods: 'all', untilMs: Date.now() + 600_000, closesLongLived: false },
};

async function open(t: Test, service: ServicePatch = {}) {
  const responses: ServerResponse[] = [];
  const arrivals = new EventTarget();
  const server = createServer((_request, response) => {
    responses.push(response);
    arrivals.dispatchEvent(new Event('request'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const plane = await openTestPlane({ blue: [port], green: [] }, { service });
  const client = await connectRaw(plane.port);
  t.teardown(() => {
    client.socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  const logged: unknown[] = [];
  Object.assign(plane.plane.accessLog, {
    ended: ({ path, failure }: Exchange) => logged.push([path, failure]),
    refused: (code: string, address: string) => logged.push([code, address]),
  });
  const counts = () => failureCounts(plane);
  return { plane, client, server, responses, arrivals, logged, counts };
}

async function untilHeld({ plane }: Awaited<ReturnType<typeof open>>): Promise<void> {
  while (gaugesOf(plane).held === 0) await turns(1);
}

async function ended(client: RawPeer): Promise<void> {
  await client.until('its end', () => client.ending);
}

await t.test('a request without a response is cut, counted and logged', async (t) => {
  const { plane, client, arrivals, logged, counts } = await open(t);
  const arrived = once(arrivals, 'request');
  client.send(REQUEST);
  await arrived;
  await plane.stop();
  await ended(client);
  t.strictSame([client.text, client.ending], ['', 'reset'], 'no response is made up');
  t.strictSame(logged, [['/work', 'STOPPED']]);
  t.strictSame(counts(), { STOPPED: 1 });
  t.match(plane.reports.at(-1), { kind: 'stopped', cutCount: 1 });
});

await t.test('an error in one connection keeps no other from being cut', async (t) => {
  const { plane, client, arrivals } = await open(t);
  const other = await connectRaw(plane.port);
  t.teardown(() => other.socket.destroy());
  for (const peer of [client, other]) {
    const arrived = once(arrivals, 'request');
    peer.send(REQUEST);
    await arrived;
  }
  let calls = 0;
  const cutByStop = Reflect.get(Exchange.prototype, 'cutByStop');
  t.teardown(() => Object.assign(Exchange.prototype, { cutByStop }));
  Object.assign(Exchange.prototype, {
    cutByStop(this: Exchange) {
      calls++;
      if (calls === 1) throw new Error('thrown by the first');
      cutByStop.call(this);
    },
  });
  await t.rejects(plane.stop(), /thrown by the first/, 'it is reported');
  await Promise.all([ended(client), ended(other)]);
  t.equal(calls, 2);
  t.match(plane.reports.at(-1), { kind: 'stopped', cutCount: 2 });
});

await t.test('a response that has begun is cut, so that it looks like no whole one', async (t) => {
  const { plane, client, arrivals, responses, logged, counts } = await open(t);
  const arrived = once(arrivals, 'request');
  client.send(REQUEST);
  await arrived;
  responses[0]!.write('begun');
  await client.until('its beginning', () => (client.text.includes('begun') ? true : undefined));
  await plane.stop();
  await ended(client);
  t.equal(client.ending, 'reset');
  t.strictSame(logged, [['/work', 'STOPPED']]);
  t.strictSame(counts(), { STOPPED: 1 });
});

await t.test('a request that is held waits through the stop, then gets its response', async (t) => {
  const scene = await open(t, HELD);
  const { plane, client, responses, logged, counts } = scene;
  client.send(REQUEST);
  await untilHeld(scene);
  plane.plane.obey({ kind: 'stop', withinMs: 600_000, idleMs: 0 });
  await turns(20);
  t.strictSame([responses.length, client.text], [0, ''], 'the stop lets it through to no target');
  plane.plane.holdQueue.follow(plane.plane.table());
  await turns(5);
  t.equal(responses.length, 0);
  client.socket.destroy();
  while (!plane.reports.some(({ kind }) => kind === 'stopped')) await turns(1);
  t.strictSame(logged, [['CLIENT_GONE', '127.0.0.1']]);
  t.strictSame(counts(), { CLIENT_GONE: 1 });
});

await t.test('a request that still waits when the time is up is refused', async (t) => {
  const scene = await open(t, HELD);
  const { plane, client, responses, logged, counts } = scene;
  client.send(REQUEST);
  await untilHeld(scene);
  await plane.stop();
  await client.until('response', () => (client.text.includes('STOPPED') ? true : undefined));
  t.match(client.text, /^HTTP\/1.1 503 .*Retry-After: 1\r\n/s);
  t.equal(responses.length, 0);
  t.strictSame(logged, [['STOPPED', '127.0.0.1']]);
  t.strictSame(counts(), { STOPPED: 1 });
});

for (const how of ['closes', 'resets'] as const) {
  await t.test(`a client that ${how} while it waits is counted as gone by itself`, async (t) => {
    const scene = await open(t, HELD);
    const { plane, client, logged, counts } = scene;
    client.send(REQUEST);
    await untilHeld(scene);
    if (how === 'closes') client.end();
    else client.reset();
    while (gaugesOf(plane).held > 0) await turns(1);
    t.strictSame(logged, [['CLIENT_GONE', '127.0.0.1']]);
    t.strictSame(counts(), { CLIENT_GONE: 1 });
    await plane.stop();
  });
}
