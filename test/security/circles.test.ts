// Requests that come round again: a target that leads back to Turnout through something that it can't
// know. The mark that counts the rounds can't be taken away or made smaller by a client.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { HOPS_MAX } from '../../src/base/limits.ts';
import { openMetricsServer } from '../../src/control-plane/admin/http/metrics-server.ts';
import { ask, openAdmin } from '../unit/control-plane/support/admin.ts';
import { LOOPBACK, TestLog } from '../unit/control-plane/support/fixtures.ts';
import { responseOf } from '../support/fault-bench.ts';
import { statusOf } from '../support/message.ts';
import { responseTo, withNodeTarget, type NodeTarget } from '../support/node-target.ts';
import { openTestPlane, type SettingsPatch } from '../support/plane.ts';
import { connectRaw } from '../support/raw-peer.ts';
import { comesToRest, failureCounts } from '../support/shared-counters.ts';

/** Opens a port forward, as of a container or a balancer; it counts what comes through. */
async function openForward(t: Test) {
  const forward = { port: 0, to: 0, connectionCount: 0 };
  const server = createServer((from) => {
    forward.connectionCount++;
    const onward = connect(forward.to, '127.0.0.1');
    from.on('error', () => onward.destroy()).pipe(onward);
    onward.on('error', () => from.destroy()).pipe(from);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  forward.port = (server.address() as AddressInfo).port;
  return forward;
}

const ROUNDS: Readonly<Record<string, SettingsPatch>> = {
  'by default': {},
  'with Via and Forwarded': { forwarding: { via: 'edge', forwarded: true } },
  'with every peer trusted': { forwarding: { trustedProxies: ['127.0.0.1'] } },
};

const REQUESTS: readonly string[] = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET / HTTP/1.0\r\nHost: a\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: x-turnout-hops\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nX_Turnout_Hops: 0\r\nx-turnout-hops: 0\r\n\r\n',
];

for (const [how, patch] of Object.entries(ROUNDS)) {
  await t.test(`a request that goes in circles ends after some rounds: ${how}`, async (t) => {
    for (const request of REQUESTS) {
      const forward = await openForward(t);
      const plane = await openTestPlane({ blue: [forward.port], green: [] }, patch);
      forward.to = plane.port;
      const before = forward.connectionCount;
      const client = await connectRaw(plane.port);
      client.send(request);
      const answer = await responseOf(client, { from: 0, method: request.split(' ', 1)[0]! });
      t.equal(statusOf(answer.start), 508, request);
      t.match(answer.body, 'LOOP_DETECTED');
      // Each round takes one connection; one may have been opened ahead.
      t.ok(forward.connectionCount - before <= HOPS_MAX + 1, `${forward.connectionCount}`);
      t.match(failureCounts(plane), { LOOP_DETECTED: 1 }, 'it is counted once');
      client.socket.destroy();
      await comesToRest(t, plane);
      await plane.stop();
    }
  });
}

/** Resolves with the marks that the target sees. */
async function marksOf(target: NodeTarget, fields: string): Promise<string[]> {
  const client = await target.connect();
  target.readings.length = 0;
  client.send(`GET /m HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n`);
  await client.until('answer', () => (client.text.includes(responseTo('/m')) ? true : undefined));
  const { rawHeaders } = target.readings[0]!;
  return rawHeaders.filter((_, index) => /^x.turnout.hops$/i.test(rawHeaders[index - 1] ?? ''));
}

await t.test('every target sees one mark, whatever the client says of it', async (t) => {
  const cases: Readonly<Record<string, string>> = {
    'A: b': '1',
    'Connection: x-turnout-hops': '1',
    'x-turnout-hops: 0': '1',
    'X-TURNOUT-HOPS: 4': '5',
    'x-turnout-hops:\t 8 \t': '9',
    'x-turnout-hops: 9': '10',
    'x-turnout-hops: 3\r\nConnection: X-Turnout-Hops': '4',
    'Connection: close, x-turnout-hops\r\nx-turnout-hops: 3': '4',
    'X_Turnout_Hops: 7': '1',
    'x-turnout_hops: 7': '1',
    'x.turnout.hops: 7': '1',
    'x-turnout-hops-: 7': '1',
  };
  for (const trustedProxies of [[], ['127.0.0.1']]) {
    await withNodeTarget(t, { forwarding: { trustedProxies } }, async (target) => {
      for (const [fields, mark] of Object.entries(cases)) {
        t.strictSame(await marksOf(target, fields), [mark], fields);
      }
    });
  }
});

await t.test('a mark that no Turnout writes counts as too many rounds', async (t) => {
  const values = [
    '10',
    '00',
    '01',
    '+1',
    '-1',
    '1.5',
    '1 2',
    '1, 2',
    '1e0',
    '0x1',
    'a',
    '',
    '\xb2',
  ];
  const fields = [
    ...values.map((value) => `x-turnout-hops: ${value}`),
    `x-turnout-hops: ${'9'.repeat(400)}`,
    'x-turnout-hops: 1\r\nx-turnout-hops: 1',
    'x-turnout-hops: 0\r\nX-Turnout-Hops: 0',
    'x-turnout-hops: 99\r\nConnection: x-turnout-hops',
  ];
  await withNodeTarget(t, {}, async (target) => {
    for (const field of fields) {
      const client = await target.connect();
      client.send(`GET / HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`);
      const answer = await responseOf(client, { from: 0, method: 'GET' });
      t.equal(statusOf(answer.start), 508, field);
    }
    t.strictSame(target.readings, [], 'no target was asked');
  });
});

await t.test('a mark in the trailers counts for nothing and goes nowhere', async (t) => {
  await withNodeTarget(t, {}, async (target) => {
    const client = await target.connect();
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
    client.send(`${head}0\r\nx-turnout-hops: 0\r\n\r\n`);
    await client.until('answer', () => (client.text.includes('\r\n\r\n') ? true : undefined));
    const told = target.readings.map(({ headers }) => headers['x-turnout-hops']);
    t.notOk(told.some((mark) => mark !== '1'));
  });
});

await t.test('admin API and metrics refuse what a Turnout has passed on', async (t) => {
  const { address } = await openAdmin(t);
  const turnedAway = new Map<string, number>();
  const parts = {
    isReady: () => true,
    store: { fault: undefined },
    outages: { count: 0 },
    metrics: async () => 'a 1\n',
    turnedAway,
    log: new TestLog(),
  };
  const metrics = await openMetricsServer({ listen: LOOPBACK, hosts: [] }, parts);
  t.teardown(async () => metrics.close());
  const marks = ['x-turnout-hops', 'X-TURNOUT-HOPS', 'x_turnout_hops', 'x-turnout.hops'];
  for (const mark of marks) {
    for (const value of ['1', '', 'x', '99']) {
      const headers = { [mark]: value, connection: `close, ${mark}` };
      for (const path of ['/livez', '/readyz', '/metrics', '/v1/status', '/nowhere', '/%']) {
        const answer = await ask(address, path, { headers });
        t.match(answer, { status: path === '/%' ? 400 : 403 }, `${mark}: ${value} ${path}`);
      }
      const body = { method: 'POST', body: '{"to":"green"}' };
      const json = { ...headers, 'content-type': 'application/json' };
      const answer = await ask(address, '/v1/switch', { ...body, headers: json });
      t.match(answer, { status: 403, json: { code: 'came-through-turnout' } });
      for (const path of ['/livez', '/readyz', '/metrics']) {
        const told = await ask(metrics.address, path, { headers });
        t.match(told, { status: 403, json: { code: 'came-through-turnout' } }, path);
      }
    }
  }
  t.match(await ask(metrics.address, '/metrics'), { status: 200 });
  t.match(await ask(address, '/livez'), { status: 200 });
});
