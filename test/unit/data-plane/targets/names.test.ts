// Names as targets: where they lead changes while a table stays, and no request notices.

import t, { type Test } from 'tap';
import { HEALTH_WORD } from '../../../../src/contract/counters.ts';
import type { Endpoint, LiveEndpoint, RoutingTable } from '../../../../src/contract/table.ts';
import { GET, OK, doing, publish, responseOf } from '../../../support/fault-bench.ts';
import { valuesOf } from '../../../support/message.ts';
import { answering, openOrigin, type Origin, type OriginScript } from '../../../support/origin.ts';
import {
  openTestPlane,
  TEST_DEPLOYMENTS,
  testTable,
  type TestPlane,
} from '../../../support/plane.ts';
import { connectRaw, type RawPeer } from '../../../support/raw-peer.ts';
import {
  becomes,
  comesToRest,
  endpointCount,
  failureCounts,
} from '../../../support/shared-counters.ts';

const NAME_SLOT = 0;
const NAME: Endpoint = {
  slot: NAME_SLOT,
  deployment: TEST_DEPLOYMENTS.blue,
  url: 'http://app.test:3000',
  address: { kind: 'name', host: 'app.test', port: 3_000 },
  authority: 'app.test:3000',
};

/** Blue is one name, which leads nowhere at first. */
function named(version: number): RoutingTable {
  const table = testTable(version, 'blue', { blue: [], green: [] });
  const service = table.services[0]!;
  return { ...table, services: [{ ...service, blue: { ...service.blue, endpoints: [NAME] } }] };
}

interface Scene {
  readonly plane: TestPlane;
  readonly origins: readonly Origin[];
  /** Lets the name lead to these origins, by index. */
  readonly lead: (...to: number[]) => void;
  readonly connect: () => Promise<RawPeer>;
  readonly ask: (request?: string) => Promise<string>;
}

/** Opens a plane whose blue is a name, and one origin for each script. */
async function scene(
  t: Test,
  scripts: readonly OriginScript[],
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const origins = await Promise.all(scripts.map((script) => openOrigin(script)));
  // So long that no idle connection closes by itself while a test looks at it.
  const patch = { upstream: { idleTimeoutMs: 600_000 } };
  const plane = await openTestPlane({ blue: [], green: [] }, patch);
  const clients: RawPeer[] = [];
  let version = 0;
  const connect = async (): Promise<RawPeer> => {
    const client = await connectRaw(plane.port);
    clients.push(client);
    return client;
  };
  try {
    publish(plane, named(20));
    await body({
      plane,
      origins,
      connect,
      lead: (...to) => {
        const endpoints = to.map((index) => live(1 + index, origins[index]!.port));
        plane.plane.obey({
          kind: 'resolve',
          version: ++version,
          names: [{ slot: NAME_SLOT, endpoints }],
        });
      },
      ask: async (request = GET) => {
        const client = await connect();
        client.send(request);
        const { start, body: text } = await responseOf(client, { from: 0, method: 'GET' });
        return `${start.split(' ')[1]} ${text}`;
      },
    });
    for (const client of clients) client.socket.destroy();
    await comesToRest(t, plane);
  } finally {
    for (const client of clients) client.socket.destroy();
    await plane.stop();
    for (const origin of origins) await origin.close();
  }
}

function live(slot: number, port: number): LiveEndpoint {
  const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
  return { ...NAME, slot, address, place: `127.0.0.1:${port}` };
}

function saying(text: string): OriginScript {
  return answering(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
}

await t.test('a name that leads nowhere has no target; once it leads somewhere, it serves', (t) =>
  scene(t, [saying('a')], async ({ plane, lead, ask }) => {
    t.match(await ask(), /^503 /);
    t.strictSame(failureCounts(plane), { NO_TARGET: 1 });
    lead(0);
    t.equal(await ask(), '200 a');
    t.strictSame(plane.reports.at(-1), { kind: 'resolved', version: 1 });
    lead();
    t.match(await ask(), /^503 /);
  }),
);

await t.test('a target is told the configured name, not the address', (t) => {
  let host = '';
  const script = doing(async (connection) => {
    const request = await connection.nextRequest();
    host = valuesOf(request!.fields, 'host').join();
    connection.send(OK);
  });
  return scene(t, [script], async ({ lead, ask }) => {
    lead(0);
    await ask('GET / HTTP/1.0\r\n\r\n');
    t.equal(host, 'app.test:3000');
  });
});

await t.test('an address that goes gets no new request and keeps no idle connection', (t) =>
  scene(t, [saying('a'), saying('b')], async ({ plane, lead, ask, origins }) => {
    lead(0);
    t.equal(await ask(), '200 a');
    t.equal(origins[0]!.connections.size, 1);
    lead(1);
    t.ok(await becomes(() => origins[0]!.connections.size === 0));
    for (let round = 0; round < 20; round++) t.equal(await ask(), '200 b');
    t.equal(plane.plane.table().version, 20);
  }),
);

await t.test('a request that runs at an address that goes ends there', (t) => {
  const gate = Promise.withResolvers<void>();
  let began = 0;
  const slow = doing(async (connection) => {
    await connection.nextRequest();
    began++;
    await gate.promise;
    connection.send(OK);
    await connection.ended();
    connection.end();
  });
  return scene(t, [slow, saying('b')], async ({ lead, connect, ask, origins }) => {
    lead(0);
    const client = await connect();
    client.send(GET);
    await becomes(() => began === 1);
    lead(1);
    client.send(GET); // Pipelined: it begins after the change.
    t.equal(await ask(), '200 b');
    gate.resolve();
    const first = await responseOf(client, { from: 0, method: 'GET' });
    t.equal(first.body, 'ok', 'of the address that went');
    t.equal((await responseOf(client, { from: first.end, method: 'GET' })).body, 'b');
    t.ok(await becomes(() => origins[0]!.connections.size === 0), 'and then its connection closes');
  });
});

await t.test('an address that stays keeps its connections', (t) =>
  scene(t, [saying('a'), saying('b')], async ({ plane, lead, ask }) => {
    lead(0);
    await ask();
    for (let round = 0; round < 10; round++) {
      lead(...(round % 2 === 0 ? [0, 1] : [0]));
      plane.memory.health[1] = HEALTH_WORD.up; // The other one is not up yet.
      t.equal(await ask(), '200 a');
    }
    t.equal(endpointCount(plane, 'connects'), 1);
  }),
);

await t.test('a new address is used with the next requests, once it is up', (t) =>
  scene(t, [saying('a'), saying('b')], async ({ plane, lead, ask }) => {
    plane.memory.health[1] = HEALTH_WORD.up;
    lead(0);
    await ask();
    plane.memory.health[2] = HEALTH_WORD.unknown;
    lead(0, 1);
    t.equal(await ask(), '200 a');
    plane.memory.health[2] = HEALTH_WORD.up;
    const seen = new Set<string>();
    while (seen.size < 2) seen.add(await ask());
    t.strictSame([...seen].toSorted(), ['200 a', '200 b']);
  }),
);

await t.test('a retry goes to where the name leads by then', (t) => {
  const gate = Promise.withResolvers<void>();
  let requests = 0;
  const dying = doing(async (connection) => {
    while ((await connection.nextRequest()) !== undefined) {
      requests++;
      if (requests === 1) connection.send(OK);
      else await gate.promise.then(() => connection.reset());
    }
  });
  return scene(t, [dying, saying('b')], async ({ lead, connect, ask }) => {
    lead(0);
    await ask();
    const client = await connect();
    client.send(GET);
    await becomes(() => requests === 2);
    lead(1);
    gate.resolve();
    t.equal((await responseOf(client, { from: 0, method: 'GET' })).body, 'b');
  });
});

await t.test('an address that takes over the slot of another gets its own connections', (t) =>
  scene(t, [saying('a'), saying('b')], async ({ plane, lead, ask, origins }) => {
    lead(0);
    t.equal(await ask(), '200 a');
    const endpoints = [live(1, origins[1]!.port)];
    plane.plane.obey({ kind: 'resolve', version: 9, names: [{ slot: NAME_SLOT, endpoints }] });
    t.equal(await ask(), '200 b');
    t.ok(await becomes(() => origins[0]!.connections.size === 0));
  }),
);

await t.test('a table that comes later leads where the name leads', (t) =>
  scene(t, [saying('a')], async ({ plane, lead, ask }) => {
    lead(0);
    publish(plane, named(21));
    t.equal(await ask(), '200 a');
    plane.plane.obey({ kind: 'forget', version: 20 });
    t.equal(await ask(), '200 a');
    t.equal(endpointCount(plane, 'connects'), 1);
  }),
);

/** Which of three origins a round leads to; never none. */
const ROUNDS = [[0], [0, 1], [1, 2], [2], [0, 2], [1], [0, 1, 2]] as const;

await t.test('addresses come and go under load without a failed request', (t) =>
  scene(t, ['a', 'b', 'c'].map(saying), async ({ plane, lead, connect, origins }) => {
    lead(0);
    const responses = new Map<string, number>();
    const life = { isOver: false };
    const flow = async (): Promise<void> => {
      const client = await connect();
      while (!life.isOver) {
        client.text = '';
        client.send(GET);
        const { start, body } = await responseOf(client, { from: 0, method: 'GET' });
        const response = `${start} ${body}`;
        responses.set(response, (responses.get(response) ?? 0) + 1);
      }
    };
    const count = (): number => [...responses.values()].reduce((sum, one) => sum + one, 0);
    const flows = Array.from({ length: 16 }, flow);
    for (let round = 0; round < 300; round++) {
      const before = count();
      lead(...ROUNDS[round % ROUNDS.length]!);
      await becomes(() => count() >= before + 16);
    }
    lead(1);
    life.isOver = true;
    await Promise.all(flows);
    const ok = ['a', 'b', 'c'].map((text) => `HTTP/1.1 200 OK ${text}`);
    t.strictSame(
      [...responses.keys()].toSorted(),
      ok,
      'every response is one, and each origin gave some',
    );
    t.ok(count() >= 300 * 16, `${count()} responses`);
    t.strictSame(failureCounts(plane), {});
    t.equal(plane.plane.table().version, 20, 'without a new table');
    t.ok(await becomes(() => origins[0]!.connections.size + origins[2]!.connections.size === 0));
  }),
);

await t.test('ten thousand changes leave nothing behind', (t) =>
  scene(t, ['a', 'b', 'c'].map(saying), async ({ plane, lead, ask, origins }) => {
    for (let round = 0; round < 10_000; round++) {
      lead(...ROUNDS[round % ROUNDS.length]!);
      if (round % 100 === 0) t.match(await ask(), /^200 /);
    }
    lead(2);
    t.equal(await ask(), '200 c');
    t.ok(await becomes(() => origins[0]!.connections.size + origins[1]!.connections.size === 0));
    t.equal(origins[2]!.connections.size, 1);
    t.strictSame(failureCounts(plane), {});
  }),
);
