// A client that takes all the connections it can get, in every way that costs it little, keeps no
// operator from switching, and each of its connections ends.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import t, { type Test } from 'tap';
import { openMetricsServer } from '../../src/control-plane/admin/http/metrics-server.ts';
import type { ListenAddress } from '../../src/contract/worker-settings.ts';
import {
  ADMIN_CONNECTIONS_LOCAL_MAX,
  ADMIN_GOODBYE_MS,
  ADMIN_LOOK_EVERY_MS,
  ADMIN_REQUEST_TIMEOUT_MS,
} from '../../src/control-plane/base/control-limits.ts';
import { authority, pemsOf } from '../support/certificates.ts';
import { skipWithout } from '../support/installed.ts';
import { ask, openAdmin, post } from '../unit/control-plane/support/admin.ts';
import { LOOPBACK, TestLog } from '../unit/control-plane/support/fixtures.ts';

const HEAD = 'POST /v1/switch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';

/** `[what, bytes at first, byte by byte afterwards]` */
const WAYS: readonly (readonly [string, string, string])[] = [
  ['idle', '', ''],
  ['a slow head', HEAD, 'x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy'],
  ['a slow body', `${HEAD}content-length: 1000\r\n\r\n`, ' '.repeat(1_000)],
  ['a slow chunked body', `${HEAD}transfer-encoding: chunked\r\n\r\n`, '1\r\n \r\n'.repeat(100)],
  ['empty lines', '', '\r\n'.repeat(200)],
  ['bytes that are no request', 'POST x\r\n\r\n', 'POST x\r\n\r\n'.repeat(100)],
];

interface Slow {
  readonly what: string;
  readonly socket: Socket;
  /** Resolves when it has ended, with the ms that it lasted. */
  readonly ended: Promise<number>;
}

/** Opens a connection that sends a byte now and then, and never closes its own end. */
function openSlow(t: Test, port: number, [what, first, rest]: (typeof WAYS)[number]): Slow {
  const socket = connect({
    port,
    host: '127.0.0.1',
    localAddress: '127.0.0.2',
    allowHalfOpen: true,
  });
  const sinceMs = performance.now();
  const ended = Promise.withResolvers<number>();
  socket.on('error', () => {});
  socket.on('data', () => {});
  if (first !== '') socket.write(first);
  let at = 0;
  let next = rest;
  // Only a write shows that the other side is gone.
  socket.once('end', () => (next = 'x'.repeat(1_000)));
  const timer = setInterval(() => {
    if (at < next.length && socket.writable) socket.write(next.charAt(at++));
  }, 100);
  socket.once('close', () => {
    clearInterval(timer);
    ended.resolve(performance.now() - sinceMs);
  });
  t.teardown(() => socket.destroy());
  return { what, socket, ended: ended.promise };
}

function portOf(address: ListenAddress): number {
  return address.kind === 'tcp' ? address.port : 0;
}

await t.test('a client that takes all connections keeps no operator from switching', async (t) => {
  const { address, turnedAway, log, switchboard } = await openAdmin(t);
  const slow: Slow[] = [];
  const open = (): void => {
    for (const way of WAYS) slow.push(openSlow(t, portOf(address), way));
  };
  while (slow.length < 3 * ADMIN_CONNECTIONS_LOCAL_MAX) open();
  await log.until(/admin API: too many connections; .* 127\.0\.0\.2/);
  // The client never stops.
  const flood = setInterval(open, 20);
  t.teardown(() => clearInterval(flood));
  for (const to of ['green', 'blue', 'green']) {
    const switched = await post(address, '/v1/switch', { to });
    t.match(switched, { status: 200, json: { to } });
  }
  t.equal(switchboard.table.services[0]?.active, 'green');
  t.ok((turnedAway.get('too-many-connections') ?? 0) >= slow.length / 3, 'each is counted');
  const lines = log.lines.filter(({ message }) => message.includes('too many connections'));
  t.equal(lines.length, 1, 'and told once a minute');
});

await t.test(
  'a client that takes all connections of its address keeps out no operator at another',
  async (t) => {
    const { address } = await openAdmin(t);
    const slow: Slow[] = [];
    while (slow.length < 2 * ADMIN_CONNECTIONS_LOCAL_MAX) {
      for (const way of WAYS) slow.push(openSlow(t, portOf(address), way));
    }
    const from = '127.0.0.2';
    const headers = { 'content-type': 'application/json' };
    const asking = { method: 'POST', body: '{"to":"green"}', from, headers };
    t.match(await ask(address, '/v1/switch', asking), { status: 200 });
  },
);

/** What lasts longer was not ended by the limit. */
const LATE_MS = ADMIN_REQUEST_TIMEOUT_MS + 2 * ADMIN_LOOK_EVERY_MS + ADMIN_GOODBYE_MS + 5_000;

async function checkEnds(t: Test, slow: readonly Slow[]): Promise<void> {
  for (const { what, ended } of slow) {
    const tookMs = await ended;
    t.ok(tookMs < LATE_MS, `${what} ended after ${Math.round(tookMs)} ms`);
  }
}

const LONG = { timeout: 60_000 };

await t.test('slow heads and bodies for the admin API have an end', LONG, async (t) => {
  const { address } = await openAdmin(t);
  await checkEnds(
    t,
    WAYS.map((way) => openSlow(t, portOf(address), way)),
  );
});

await t.test('those for the metrics listener as well', LONG, async (t) => {
  const server = await openMetricsServer(
    { listen: LOOPBACK, hosts: [] },
    {
      isReady: () => true,
      store: { fault: undefined },
      outages: { count: 0 },
      metrics: async () => 'a 1\n',
      turnedAway: new Map(),
      log: new TestLog(),
    },
  );
  t.teardown(async () => server.close());
  await checkEnds(
    t,
    WAYS.map((way) => openSlow(t, portOf(server.address), way)),
  );
});

await t.test(
  'and those of TLS, from the first byte of the handshake',
  { ...LONG, skip: skipWithout('openssl') },
  async (t) => {
    const ca = authority(t);
    const tls = { ...ca.sign('server'), clientCa: undefined, clients: [] };
    const { address } = await openAdmin(t, { tls });
    const port = portOf(address);
    // The beginning of a ClientHello.
    const hello = ['a slow handshake', '\u0016\u0003\u0001\u0000\u00ff', 'x'.repeat(100)] as const;
    const slow = [WAYS[0]!, WAYS[1]!, hello].map((way) => openSlow(t, port, way));
    const secure = connectSecure({ port, host: '127.0.0.1', ca: pemsOf(ca).cert });
    secure.on('error', () => {});
    secure.write(HEAD);
    const sinceMs = performance.now();
    const closed = once(secure.resume(), 'close').then(() => performance.now() - sinceMs);
    await checkEnds(t, [...slow, { what: 'a slow head', socket: secure, ended: closed }]);
  },
);

await t.test(
  'a client that takes all connections with TLS keeps no operator from switching',
  { skip: skipWithout('openssl') },
  async (t) => {
    const ca = authority(t);
    const tls = { ...ca.sign('server'), clientCa: undefined, clients: [] };
    const { address, turnedAway } = await openAdmin(t, { tls });
    const port = portOf(address);
    const crowd = Array.from({ length: 2 * ADMIN_CONNECTIONS_LOCAL_MAX }, (_, index) => {
      const options = { port, host: '127.0.0.1', localAddress: '127.0.0.2' };
      const socket =
        index % 2 === 0
          ? connect(options)
          : connectSecure({ ...options, ca: pemsOf(ca).cert, servername: 'localhost' });
      socket.on('error', () => {});
      t.teardown(() => socket.destroy());
      return socket;
    });
    while ((turnedAway.get('too-many-connections') ?? 0) < crowd.length / 2) {
      await new Promise(setImmediate);
    }
    const secure = connectSecure({ port, host: '127.0.0.1', ca: pemsOf(ca).cert });
    secure.end(`GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
    let text = '';
    for await (const part of secure) text += String(part);
    t.match(text, /^HTTP\/1\.1 200 /);
  },
);
