// What becomes of requests at targets that leave their deployment, which goes on without them.

import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { HEALTH_WORD } from '../../../../src/contract/counters.ts';
import type { Leaving, RoutingTable } from '../../../../src/contract/table.ts';
import {
  FIRST_VERSION,
  openTestPlane,
  testTable,
  type SettingsPatch,
} from '../../../support/plane.ts';
import { connectRaw, turns, type RawPeer } from '../../../support/raw-peer.ts';
import { endpointCount } from '../../../support/shared-counters.ts';

const HOUR_MS = 3_600_000;

/** A target that begins each response, and ends it when the test says so. */
interface Target {
  readonly port: number;
  readonly held: ServerResponse[];
  /** Connections that are open. */
  readonly open: () => Promise<number>;
}

async function target(t: Test, type: string): Promise<Target> {
  const held: ServerResponse[] = [];
  const server: Server = createServer((_request, response) => {
    held.push(response);
    response.writeHead(200, { 'content-type': type });
    response.write('data: begun\n\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const open = async (): Promise<number> =>
    new Promise((resolve) => {
      server.getConnections((_error, count) => resolve(count));
    });
  return { port: (server.address() as AddressInfo).port, held, open };
}

/** Two targets on blue, of which the first can leave; the second is known to be down until then. */
async function open(t: Test, patch: SettingsPatch = {}, type = 'text/plain') {
  const [leaves, stays] = [await target(t, type), await target(t, type)];
  const plane = await openTestPlane({ blue: [leaves.port, stays.port], green: [] }, patch);
  Atomics.store(plane.memory.health, 1, HEALTH_WORD.down);
  t.teardown(async () => plane.stop());
  let version = FIRST_VERSION;
  const publish = async (change: (table: RoutingTable) => RoutingTable): Promise<void> => {
    const targets = { blue: [leaves.port, stays.port], green: [] };
    const table = change({ ...testTable(++version, 'blue', targets), epoch: 1 });
    plane.plane.obey({ kind: 'prepare', table });
    const isPrepared = (): boolean =>
      plane.reports.some((one) => one.kind === 'prepared' && one.version === version);
    while (!isPrepared()) await turns(1);
    Atomics.store(plane.memory.pointer, 0, version);
    plane.plane.obey({ kind: 'adopt', version });
  };
  const ask = async (): Promise<RawPeer> => {
    const client = await connectRaw(plane.port);
    t.teardown(() => client.socket.destroy());
    client.send('GET / HTTP/1.1\r\nHost: app.example\r\n\r\n');
    return client;
  };
  return { plane, leaves, stays, publish, ask };
}

async function begun(client: RawPeer): Promise<void> {
  await client.until('a begun response', () => (client.text.includes('begun') ? true : undefined));
}

/** The first target of blue leaves; its last moment comes so long from now. */
function leaving(changes: Partial<Leaving> = {}): (table: RoutingTable) => RoutingTable {
  const nowMs = Date.now();
  return (table) => ({
    ...table,
    services: table.services.map((service) => {
      const { endpoints } = service.blue;
      return {
        ...service,
        blue: { ...service.blue, endpoints: endpoints.slice(1) },
        leaving: [
          {
            deployment: { ...service.blue, endpoints: endpoints.slice(0, 1) },
            startedAtMs: nowMs,
            endsAtMs: nowMs + HOUR_MS,
            longLived: 'linger',
            ...changes,
          },
        ],
      };
    }),
  });
}

const WHOLE = (table: RoutingTable): RoutingTable => table;

await t.test('what runs there ends whole, and its connection closes then', async (t) => {
  const { leaves, stays, publish, ask } = await open(t);
  const client = await ask();
  await begun(client);
  await publish(leaving());
  const next = await ask();
  await begun(next);
  t.strictSame([leaves.held.length, stays.held.length], [1, 1], 'new ones go elsewhere');
  leaves.held[0]!.end('ended');
  await client.until('its end', () => (client.text.endsWith('0\r\n\r\n') ? true : undefined));
  t.match(client.text, 'ended');
  while ((await leaves.open()) > 0) await turns(1);
  t.pass('no connection to it is kept');
});

await t.test('connections that carry nothing close at once', async (t) => {
  const { leaves, publish, ask } = await open(t);
  const client = await ask();
  await begun(client);
  leaves.held[0]!.end();
  await client.until('its end', () => (client.text.endsWith('0\r\n\r\n') ? true : undefined));
  t.ok((await leaves.open()) > 0);
  await publish(leaving());
  while ((await leaves.open()) > 0) await turns(1);
});

await t.test('requests that wait for a connection there go on at the others', async (t) => {
  const { plane, leaves, stays, publish, ask } = await open(t, { upstream: { connectionsMax: 1 } });
  const first = await ask();
  await begun(first);
  const waiting = [await ask(), await ask()];
  while (endpointCount(plane, 'inflight') < 3) await turns(1);
  await publish(leaving());
  await begun(waiting[0]!);
  stays.held[0]!.end();
  await begun(waiting[1]!);
  t.strictSame([leaves.held.length, stays.held.length], [1, 2]);
  t.equal(endpointCount(plane, 'inflight'), 2, 'each that runs is counted once');
});

await t.test('an event stream is closed, whenever it has begun', async (t) => {
  const { leaves, publish, ask } = await open(t, {}, 'text/event-stream');
  const client = await ask();
  await begun(client);
  await publish(leaving({ longLived: 'cut' }));
  await client.until('its end', () => (client.text.endsWith('0\r\n\r\n') ? true : undefined));
  t.equal(leaves.held.length, 1);
});

await t.test('what is left at the end is cut; the rest of the deployment is not', async (t) => {
  const { publish, ask } = await open(t);
  const client = await ask();
  await begun(client);
  await publish(leaving());
  const next = await ask();
  await begun(next);
  await publish(leaving({ startedAtMs: 1, endsAtMs: Date.now() - 1 }));
  await client.until('its end', () => client.ending);
  t.equal(client.ending, 'end', 'behind what had come of it');
  t.equal(next.ending, undefined);
});

await t.test('a target that is wanted again keeps what runs there', async (t) => {
  const { leaves, publish, ask } = await open(t, {}, 'text/event-stream');
  const client = await ask();
  await begun(client);
  await publish(leaving());
  await publish(WHOLE);
  await turns(20);
  t.equal(client.ending, undefined);
  leaves.held[0]!.write('data: more\n\n');
  await client.until('more', () => (client.text.includes('data: more') ? true : undefined));
  const again = await ask();
  await begun(again);
  t.equal(leaves.held.length, 2, 'and gets requests, while no other is well');
});

await t.test('a table that has forgotten what leaves gives it the time of before', async (t) => {
  const { leaves, publish, ask } = await open(t);
  const client = await ask();
  await begun(client);
  await publish(leaving());
  await publish((table) => {
    const [service] = leaving()(table).services;
    return { ...table, services: [{ ...service!, leaving: [] }] };
  });
  await turns(5);
  t.equal(client.ending, undefined);
  leaves.held[0]!.end('ended');
  await client.until('its end', () => (client.text.endsWith('0\r\n\r\n') ? true : undefined));
});
