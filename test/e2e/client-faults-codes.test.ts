// Every failure code is produced here once, and counted in the shared memory under its own name
// and no other.

import t, { type Test } from 'tap';
import { FAILURES, FAILURE_CODES, type FailureCode } from '../../src/base/failures.ts';
import type { RoutingTable, Service } from '../../src/contract/table.ts';
import { openBlackHole } from '../support/black-hole.ts';
import {
  GET,
  OK,
  publish,
  responseOf,
  withBench,
  type Bench,
  holdsNoSocket,
} from '../support/fault-bench.ts';
import { readResponse, statusOf, valuesOf } from '../support/message.ts';
import { answering, openOrigin, type OriginScript } from '../support/origin.ts';
import { testTable, type SettingsPatch } from '../support/plane.ts';
import { testPolicy } from '../support/policy.ts';
import { pump } from '../support/pump.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { becomes, failureCounts } from '../support/shared-counters.ts';

interface Scenario {
  readonly script: OriginScript;
  readonly patch: SettingsPatch;
  /** Makes the failure happen; returns the status the client saw, 0 for a cut connection. */
  readonly run: (bench: Bench, t: Test) => Promise<number>;
}

const hanging: OriginScript = () => {};

/** A request that the proxy refuses by itself. */
function refused(request: string, patch: SettingsPatch = {}): Scenario {
  return { script: answering(OK), patch, run: (bench) => statusFor(bench, request) };
}

/** An origin that does `script` when asked with a plain GET. */
function fails(script: OriginScript, patch: SettingsPatch = {}): Scenario {
  return { script, patch, run: (bench) => statusFor(bench, GET) };
}

/** A GET that gets no whole answer; `act` does what ends it. */
function cut(script: OriginScript, patch: SettingsPatch, act: Scenario['run']): Scenario {
  return { script, patch, run: act };
}

/** A GET while another has the only connection to the target; the other one is answered after it. */
function behindAnother(upstream: SettingsPatch['upstream']): Scenario {
  return {
    script: hanging,
    patch: { upstream: { ...upstream, connectionsMax: 1 } },
    async run(bench) {
      const first = await bench.connect();
      first.send(GET);
      await becomes(() => bench.origin.connections.size === 1);
      const status = await statusFor(bench, GET);
      for (const connection of bench.origin.connections) connection.send(OK);
      await first.until('answer', () => (first.text.endsWith('ok') ? true : undefined));
      return status;
    },
  };
}

const SCENARIOS: Partial<Record<FailureCode, Scenario>> = {
  BAD_REQUEST: refused('GET / HTTP/1.1\r\n\r\n'),
  BAD_REQUEST_BODY: refused(
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n',
  ),
  LOOP_DETECTED: refused('GET / HTTP/1.1\r\nHost: a\r\nx-turnout-hops: 10\r\n\r\n'),
  REQUEST_TIMEOUT: {
    script: answering(OK),
    patch: {},
    async run(bench) {
      const client = await bench.connect();
      // The answer to the first request says that the beginning of the second has been read too.
      client.send(`${GET}GET / HTTP/1.1\r\nHost: `);
      await client.until('first answer', () => (client.text.endsWith('ok') ? true : undefined));
      const from = client.text.length;
      bench.passTime(30_000);
      return statusOf((await responseOf(client, { from, method: 'GET' })).start);
    },
  },
  BODY_TOO_LARGE: refused('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n', {
    client: { bodyBytesMax: 10 },
  }),
  TARGET_TOO_LONG: refused(`GET /${'a'.repeat(8_192)} HTTP/1.1\r\nHost: a\r\n\r\n`),
  HEAD_TOO_LARGE: refused(`GET / HTTP/1.1\r\nHost: a\r\nA: ${'a'.repeat(32_768)}\r\n\r\n`),
  NOT_IMPLEMENTED: refused('BREW / HTTP/1.1\r\nHost: a\r\n\r\n'),
  VERSION_NOT_SUPPORTED: refused('GET / HTTP/2.0\r\nHost: a\r\n\r\n'),
  NO_ROUTE: {
    script: answering(OK),
    patch: {},
    async run(bench) {
      const table = testTable(8, 'blue', { blue: [bench.origin.port], green: [] });
      const services = table.services.map((service) => ({ ...service, hosts: ['known.test'] }));
      publish(bench.plane, { ...table, services });
      return await statusFor(bench, GET);
    },
  },
  CLIENT_GONE: cut(hanging, {}, async (bench) => {
    const client = await bench.connect();
    client.send(GET);
    await becomes(() => [...bench.origin.connections].some(({ text }) => text !== ''));
    client.reset();
    await becomes(() => failureCounts(bench.plane).CLIENT_GONE === 1);
    return 499;
  }),
  CONNECT_FAILED: {
    script: hanging,
    patch: {},
    async run(bench) {
      const gone = await openOrigin(hanging);
      await gone.close();
      publish(bench.plane, testTable(8, 'blue', { blue: [gone.port], green: [] }));
      return await statusFor(bench, GET);
    },
  },
  CONNECT_TIMEOUT: {
    script: hanging,
    patch: { upstream: { connectTimeoutMs: 200 } },
    async run(bench, t) {
      const port = await openBlackHole(t);
      publish(bench.plane, testTable(8, 'blue', { blue: [port], green: [] }));
      return await statusFor(bench, GET);
    },
  },
  UPSTREAM_CLOSED: fails(async (connection) => {
    await connection.nextRequest();
    connection.end();
  }),
  UPSTREAM_BAD_RESPONSE: fails(async (connection) => {
    await connection.nextRequest();
    connection.send('SSH-2.0-OpenSSH_9.2\r\n');
  }),
  UPSTREAM_TIMEOUT: fails(hanging, { upstream: { headTimeoutMs: 200 } }),
  UPSTREAM_ABORTED: cut(
    async (connection) => {
      await connection.nextRequest();
      connection.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345');
      connection.end();
    },
    {},
    cutStatus,
  ),
  UPSTREAM_STALLED: cut(
    async (connection) => {
      await connection.nextRequest();
      connection.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345');
    },
    { upstream: { bodyIdleTimeoutMs: 200 } },
    cutStatus,
  ),
  CLIENT_STALLED: cut(
    async (connection) => {
      await connection.nextRequest();
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n`);
      await pump(connection.socket, Buffer.alloc(65_536, 'a'), 1_000_000_000);
    },
    { client: { sendIdleTimeoutMs: 200 } },
    async (bench) => {
      const client = await bench.connect();
      client.socket.pause();
      client.send(GET);
      await becomes(() => failureCounts(bench.plane).CLIENT_STALLED === 1);
      return 499;
    },
  ),
  CLIENT_TOO_SLOW: {
    script: hanging,
    patch: {},
    async run(bench) {
      const client = await uploading(bench);
      const fromMs = Date.now();
      const quiet = { fromMs, byMs: fromMs + 2_000 };
      const hold = { methods: 'all', untilMs: Infinity, closesLongLived: true, quiet } as const;
      publish(bench.plane, tableWith(bench, { hold }));
      bench.plane.plane.obey({ kind: 'adopt', version: 8 });
      bench.passTime(1_000);
      return statusOf((await responseOf(client, { from: 0, method: 'POST' })).start);
    },
  },
  NO_TARGET: {
    script: hanging,
    patch: {},
    async run(bench) {
      publish(bench.plane, testTable(8, 'blue', { blue: [], green: [] }));
      return await statusFor(bench, GET);
    },
  },
  POOL_FULL: behindAnother({ waitingMax: 0 }),
  POOL_TIMEOUT: behindAnother({ connectTimeoutMs: 200 }),
  MAINTENANCE: {
    script: answering(OK),
    patch: {},
    async run(bench) {
      const maintenance = { message: '', retryAfterSeconds: 60 };
      publish(bench.plane, tableWith(bench, { maintenance }));
      return await statusFor(bench, GET);
    },
  },
  HOLD_FULL: {
    script: answering(OK),
    patch: {},
    async run(bench) {
      const hold = { methods: 'all', untilMs: Infinity, closesLongLived: false } as const;
      const policy = testPolicy({ hold: { requestsMax: 0 } });
      publish(bench.plane, tableWith(bench, { hold, policy }));
      return await statusFor(bench, GET);
    },
  },
  CLOSED_BY_HOLD: {
    script: hanging,
    patch: {},
    async run(bench) {
      const client = await uploading(bench);
      const hold = { methods: 'all', untilMs: Infinity, closesLongLived: true } as const;
      publish(bench.plane, tableWith(bench, { hold }));
      bench.plane.plane.obey({ kind: 'adopt', version: 8 });
      return statusOf((await responseOf(client, { from: 0, method: 'POST' })).start);
    },
  },
  STOPPED: {
    script: hanging,
    patch: {},
    async run(bench) {
      const status = cutStatus(bench);
      await becomes(() => [...bench.origin.connections].some(({ text }) => text !== ''));
      await bench.plane.stop();
      return await status;
    },
  },
  DRAIN_ENDED: {
    script: hanging,
    patch: {},
    async run(bench) {
      const response = statusFor(bench, GET);
      await becomes(() => [...bench.origin.connections].some(({ text }) => text !== ''));
      const [service] = testTable(8, 'blue', { blue: [bench.origin.port], green: [] }).services;
      const drain = { startedAtMs: 0, sessionsUntilMs: 0, endsAtMs: 0, longLived: 'cut' } as const;
      const draining = [{ ...drain, deployment: service!.blue }];
      publish(bench.plane, tableWith(bench, { active: 'green', draining }));
      bench.plane.plane.obey({ kind: 'adopt', version: 8 });
      return await response;
    },
  },
  RESCUE_FAILED: {
    script: answering('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno'),
    patch: {},
    async run(bench) {
      const gone = await openOrigin(hanging);
      await gone.close();
      const [service] = testTable(8, 'green', { blue: [], green: [gone.port] }).services;
      const policy = testPolicy({ skew: { rescue: ['/*'] } });
      const { green } = service!;
      const until = { startedAtMs: 0, sessionsUntilMs: Infinity, endsAtMs: Infinity } as const;
      const draining = [{ ...until, longLived: 'linger', deployment: green } as const];
      publish(bench.plane, tableWith(bench, { green, draining, policy }));
      return await statusFor(bench, GET);
    },
  },
  INTERNAL: {
    script: answering(OK),
    patch: {},
    async run(bench) {
      Atomics.store(bench.plane.memory.pointer, 0, 99); // No table of this generation was prepared.
      return await statusFor(bench, GET);
    },
  },
};

await t.test('every failure code has a scenario here', async (t) => {
  t.strictSame(Object.keys(SCENARIOS).toSorted(), [...FAILURE_CODES].toSorted());
});

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  const code = name as FailureCode;
  await t.test(`${code} is answered with ${FAILURES[code].status} and counted once`, async (t) => {
    await withBench(t, scenario, async (bench) => {
      t.equal(await scenario.run(bench, t), FAILURES[code].status);
      await becomes(() => failureCounts(bench.plane)[code] === 1);
      t.strictSame(failureCounts(bench.plane), { [code]: 1 });
    });
  });
}

await t.test('after all of this the process holds no socket', holdsNoSocket);

/** Returns a table in which blue serves, with `patch` laid over its only service. */
function tableWith(bench: Bench, patch: Partial<Service>): RoutingTable {
  const table = testTable(8, 'blue', { blue: [bench.origin.port], green: [] });
  return { ...table, services: table.services.map((service) => ({ ...service, ...patch })) };
}

/** A client that has sent the beginning of an upload, which has reached the origin. */
async function uploading(bench: Bench): Promise<RawPeer> {
  const client = await bench.connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx');
  await becomes(() => [...bench.origin.connections].some(({ text }) => text.endsWith('x')));
  return client;
}

async function statusFor(bench: Bench, request: string): Promise<number> {
  const response = await bench.ask(request);
  if (valuesOf(response.fields, 'x-turnout-failure').length !== 1) return -1;
  return statusOf(response.start);
}

/** The client has the head already, so the only way to tell it is to end the response too early. */
async function cutStatus(bench: Bench): Promise<number> {
  const client = await bench.connect();
  client.send(GET);
  const hasEnded = (await client.ended()) === 'end';
  const response = readResponse(client.text, 0, { method: 'GET', hasEnded });
  const [code] = Object.keys(failureCounts(bench.plane)) as FailureCode[];
  return response?.isComplete !== true && code !== undefined ? FAILURES[code].status : -1;
}
