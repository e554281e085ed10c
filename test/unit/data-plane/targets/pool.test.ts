// The connections to one endpoint: reuse, bounds, the queue, and what becomes of them.

import t from 'tap';
import { UNREPEATABLE_REUSE_MS } from '../../../../src/base/limits.ts';
import type { RoutingTable } from '../../../../src/contract/table.ts';
import {
  GET,
  OK,
  doing,
  publish,
  responseOf,
  withBench,
  type Bench,
} from '../../../support/fault-bench.ts';
import { answering, type OriginScript } from '../../../support/origin.ts';
import { FIRST_VERSION, TEST_DEPLOYMENTS, testTable } from '../../../support/plane.ts';
import {
  becomes,
  endpointCount,
  failureCounts,
  gaugesOf,
} from '../../../support/shared-counters.ts';

/** Responds with the number of the connection, from 1. */
function tellingConnection(): OriginScript {
  let count = 0;
  return async (connection) => {
    count++;
    const response = `HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${count}`;
    while ((await connection.nextRequest()) !== undefined) connection.send(response);
    connection.end();
  };
}

const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n';

await t.test('one connection serves requests that follow each other', async (t) => {
  await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
    for (let round = 0; round < 10; round++) await bench.ask(GET);
    t.equal(endpointCount(bench.plane, 'connects'), 1);
  });
});

await t.test('an idle connection closes after its time', async (t) => {
  await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
    await bench.ask(GET);
    t.equal(gaugesOf(bench.plane).endpointConnections, 1);
    bench.passTime(4_000);
    t.equal(gaugesOf(bench.plane).endpointConnections, 0);
    t.strictSame(failureCounts(bench.plane), {}, 'that is no failure');
  });
});

await t.test('a target that promises less keeps its connection shorter', async (t) => {
  const response = 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 0\r\n\r\n';
  await withBench(t, { script: answering(response), patch: {} }, async (bench) => {
    await bench.ask(GET);
    bench.passTime(1_000);
    t.equal(gaugesOf(bench.plane).endpointConnections, 0);
  });
});

await t.test('a request that may not be repeated takes no old connection', async (t) => {
  await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
    await bench.ask(GET);
    await bench.ask(POST);
    t.equal(endpointCount(bench.plane, 'connects'), 1, 'a fresh one it does');
    bench.passTime(UNREPEATABLE_REUSE_MS);
    await bench.ask(POST);
    t.equal(endpointCount(bench.plane, 'connects'), 2);
    await bench.ask(GET);
    t.equal(endpointCount(bench.plane, 'connects'), 2);
  });
});

await t.test('connections are bounded, the rest waits its turn, in order', async (t) => {
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const script = doing(async (connection) => {
    for (;;) {
      const request = await connection.nextRequest();
      if (request === undefined) return;
      order.push(request.start.split(' ')[1]!);
      await gate.promise;
      connection.send(OK);
    }
  });
  const patch = { upstream: { connectionsMax: 2, waitingMax: 3 } };
  await withBench(t, { script, patch }, async (bench) => {
    const clients = [];
    for (let index = 0; index < 6; index++) {
      const client = await bench.connect();
      clients.push(client);
      client.send(`GET /${index} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await becomes(() => {
        const { inflight } = gaugesOf(bench.plane);
        return inflight === index + 1 || client.text !== '';
      });
      if (index < 2) await becomes(() => order.length === index + 1);
    }
    const last = await responseOf(clients[5]!, { from: 0, method: 'GET' });
    t.match(last.start, /503/, 'the queue takes three');
    t.equal(gaugesOf(bench.plane).endpointConnections, 2);
    gate.resolve();
    for (const client of clients.slice(0, 5)) {
      t.equal((await responseOf(client, { from: 0, method: 'GET' })).body, 'ok');
    }
    t.strictSame(order, ['/0', '/1', '/2', '/3', '/4']);
    t.equal(endpointCount(bench.plane, 'connects'), 2);
    t.strictSame(failureCounts(bench.plane), { POOL_FULL: 1 });
  });
});

await t.test('a request that waits gets a new connection when a busy one dies', async (t) => {
  let connections = 0;
  const script = doing(async (connection) => {
    connections++;
    const isFirst = connections === 1;
    await connection.nextRequest();
    if (isFirst) await connection.ended();
    else connection.send(OK);
  });
  const patch = { upstream: { connectionsMax: 1 } };
  await withBench(t, { script, patch }, async (bench) => {
    const first = await bench.connect();
    first.send(GET);
    await becomes(() => connections === 1);
    const second = await bench.connect();
    second.send(GET);
    await becomes(() => gaugesOf(bench.plane).inflight === 2);
    first.reset();
    t.equal((await responseOf(second, { from: 0, method: 'GET' })).body, 'ok');
    t.strictSame(failureCounts(bench.plane), { CLIENT_GONE: 1 });
  });
});

await t.test('a request that leaves the queue is forgotten', async (t) => {
  const gate = Promise.withResolvers<void>();
  let requests = 0;
  const script = doing(async (connection) => {
    while ((await connection.nextRequest()) !== undefined) {
      requests++;
      await gate.promise;
      connection.send(OK);
    }
  });
  await withBench(t, { script, patch: { upstream: { connectionsMax: 1 } } }, async (bench) => {
    const [first, second, third] = [
      await bench.connect(),
      await bench.connect(),
      await bench.connect(),
    ];
    first.send(GET);
    await becomes(() => requests === 1);
    second.send(GET);
    await becomes(() => gaugesOf(bench.plane).inflight === 2);
    third.send(GET);
    await becomes(() => gaugesOf(bench.plane).inflight === 3);
    second.reset();
    await becomes(() => gaugesOf(bench.plane).inflight === 2);
    gate.resolve();
    t.equal((await responseOf(third, { from: 0, method: 'GET' })).body, 'ok');
    t.equal(requests, 2);
  });
});

/** Returns a table in which blue is the deployment `number`, at the same place as ever. */
function blueOf(
  bench: Bench,
  version: number,
  { number, slot }: { readonly number: number; readonly slot: number },
): RoutingTable {
  const table = testTable(version, 'blue', { blue: [bench.origin.port], green: [] });
  const service = table.services[0]!;
  const endpoints = service.blue.endpoints.map((one) => ({ ...one, slot, deployment: number }));
  return { ...table, services: [{ ...service, blue: { ...service.blue, number, endpoints } }] };
}

for (const slot of [0, 5]) {
  await t.test(
    `another deployment at the same place gets connections of its own, in slot ${slot}`,
    async (t) => {
      await withBench(t, { script: tellingConnection(), patch: {} }, async (bench) => {
        const { plane } = bench;
        t.equal((await bench.ask(GET)).body, '1');
        publish(plane, blueOf(bench, 8, { number: 9, slot }));
        t.equal((await bench.ask(GET)).body, '2');
        t.equal((await bench.ask(GET)).body, '2');
        plane.plane.obey({ kind: 'forget', version: FIRST_VERSION });
        t.ok(await becomes(() => bench.origin.connections.size === 1), 'that of the other closes');
        t.equal((await bench.ask(GET)).body, '2');
      });
    },
  );
}

await t.test('the same deployment keeps its connections in a later table', async (t) => {
  await withBench(t, { script: tellingConnection(), patch: {} }, async (bench) => {
    t.equal((await bench.ask(GET)).body, '1');
    publish(bench.plane, blueOf(bench, 8, { number: TEST_DEPLOYMENTS.blue, slot: 0 }));
    bench.plane.plane.obey({ kind: 'forget', version: FIRST_VERSION });
    t.equal((await bench.ask(GET)).body, '1');
  });
});

await t.test('connections of a deployment that no table names any more are closed', async (t) => {
  await withBench(t, { script: answering(OK), patch: {} }, async (bench) => {
    await bench.ask(GET);
    t.equal(gaugesOf(bench.plane).endpointConnections, 1);
    const { plane } = bench.plane;
    plane.obey({ kind: 'prepare', table: testTable(8, 'blue', { blue: [], green: [] }) });
    Atomics.store(bench.plane.memory.pointer, 0, 8);
    plane.obey({ kind: 'forget', version: 7 });
    t.ok(await becomes(() => gaugesOf(bench.plane).endpointConnections === 0));
    t.ok(await becomes(() => bench.origin.connections.size === 0));
  });
});
