// What becomes of requests whose deployment drains, as far as tables alone decide it.

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { RoutingTable } from '../../../../src/contract/table.ts';
import { FIRST_EPOCH, FIRST_VERSION, openTestPlane, testTable } from '../../../support/plane.ts';
import { testPolicy } from '../../../support/policy.ts';
import { connectRaw, turns } from '../../../support/raw-peer.ts';

const HOUR_MS = 3_600_000;

/** A request runs on blue, and ends when the test says so. */
async function open(t: Test) {
  const held: ServerResponse[] = [];
  const events = new EventTarget();
  const server = createServer((_request, response) => {
    held.push(response);
    response.write('begun');
    events.dispatchEvent(new Event('request'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const targets = { blue: [port], green: [port] };
  const plane = await openTestPlane(targets, {});
  const client = await connectRaw(plane.port);
  t.teardown(async () => {
    client.socket.destroy();
    await plane.stop();
    server.closeAllConnections();
    server.close();
  });
  client.send('GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n');
  await client.until('a begun response', () => (client.text.includes('begun') ? true : undefined));
  let version = FIRST_VERSION;
  return {
    client,
    end: (): void => void held[0]!.end('ended'),
    /** Publishes a table in which green is active, with what `change` makes of it. */
    publish: async (
      change: (table: RoutingTable) => RoutingTable,
      beforeAdopted = (): void => {},
    ): Promise<void> => {
      const table = change(testTable(++version, 'green', targets));
      plane.plane.obey({ kind: 'prepare', table });
      const isPrepared = (): boolean =>
        plane.reports.some((one) => one.kind === 'prepared' && one.version === version);
      while (!isPrepared()) await turns(1);
      Atomics.store(plane.memory.pointer, 0, version);
      beforeAdopted();
      plane.plane.obey({ kind: 'adopt', version });
    },
  };
}

/** Blue drains since an hour; sessions are over and its last moment comes so long from now. */
function draining(
  endsInMs: number,
  sessionsInMs = endsInMs - HOUR_MS / 2,
): (table: RoutingTable) => RoutingTable {
  const nowMs = Date.now();
  return (table) => ({
    ...table,
    services: table.services.map((service) => ({
      ...service,
      draining: [
        {
          deployment: { ...service.blue, servedSince: FIRST_EPOCH },
          startedAtMs: nowMs - HOUR_MS,
          sessionsUntilMs: nowMs + sessionsInMs,
          endsAtMs: nowMs + endsInMs,
          longLived: 'linger',
        },
      ],
    })),
  });
}

/** Nothing was left when this table was made. */
const DRAINED = (table: RoutingTable): RoutingTable => table;
/** The configuration has no service any more. */
const REMOVED = (table: RoutingTable): RoutingTable => ({ ...table, services: [] });

for (const [name, after] of Object.entries({ DRAINED, REMOVED })) {
  await t.test(
    `a request that slipped in before the end of a drain ends whole (${name})`,
    async (t) => {
      const { client, publish, end } = await open(t);
      await publish(draining(HOUR_MS));
      await publish(after);
      await turns(5);
      t.equal(client.ending, undefined);
      end();
      await client.until('its end', () => client.ending);
      t.match(client.text, /ended\r\n0\r\n\r\n$/);
    },
  );
}

/** Keeps the thread busy, so that timers are late. */
function spin(forMs: number): void {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs);
}

await t.test('a thread that was busy when the drain began does not cut it early', async (t) => {
  const { client, publish } = await open(t);
  const endsAtMs = Date.now() + 1_000;
  const sessionsInMs = 1_000 - testPolicy().drain.requestsMs;
  await publish(draining(1_000, sessionsInMs), () => spin(500));
  await client.until('its end', () => client.ending);
  const cutAtMs = Date.now();
  t.ok(cutAtMs >= endsAtMs, `cut ${cutAtMs - endsAtMs} ms after its deadline`);
});

await t.test('at the deadline it is cut, and the drain is over', async (t) => {
  const { client, publish } = await open(t);
  await publish(draining(-1));
  await client.until('its end', () => client.ending);
  t.notMatch(client.text, /ended/);
  t.equal(client.ending, 'end');
});
