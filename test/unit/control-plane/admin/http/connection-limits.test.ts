// Room for connections: who leaves when it is full, and what ends a connection that asks nothing.

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import t, { type Test } from 'tap';
import { OPERATOR_DESCRIPTORS_MAX } from '../../../../../src/config/descriptors.ts';
import {
  ConnectionLimits,
  CONNECTION_LIMITS,
  type Limits,
} from '../../../../../src/control-plane/admin/http/connection-limits.ts';
import {
  ADMIN_CONNECTIONS_LOCAL_MAX,
  ADMIN_CONNECTIONS_OTHERS_MAX,
  DRAIN_WAITERS_MAX,
  HASHES_AT_ONCE,
  HASHES_WAITING_MAX,
  SWITCH_WAITERS_MAX,
} from '../../../../../src/control-plane/base/control-limits.ts';
import { TestLog } from '../../support/fixtures.ts';

const AT_ONCE: RequestListener = (_, answer) => answer.end('well');

async function open(t: Test, limits: Partial<Limits>, listener: RequestListener = AT_ONCE) {
  const log = new TestLog();
  const turnedAway = new Map<string, number>();
  const all = { ...CONNECTION_LIMITS, ...limits };
  const connections = new ConnectionLimits({ what: 'it', limits: all, turnedAway, log });
  const server = createServer({ keepAliveTimeout: 0, keepAliveTimeoutBuffer: 0 }, listener);
  connections.watch(server);
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  t.teardown(() => {
    connections.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;

  /** Connects; resolves when the server has taken it or has closed it. */
  async function come(from: string, asks = ''): Promise<Socket> {
    const isLocal = from.startsWith('127.');
    const socket = connect({ port, host: isLocal ? '127.0.0.1' : from, localAddress: from });
    socket.on('error', () => {});
    t.teardown(() => socket.destroy());
    if (asks !== '') socket.write(asks);
    await once(server, 'connection');
    return socket;
  }
  return { log, turnedAway, come };
}

const GET = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';

/** Resolves when a connection has been closed, in order or by a reset. */
async function ended(socket: Socket): Promise<void> {
  if (socket.closed) return;
  await new Promise((resolve) => {
    socket.resume().once('close', resolve);
  });
}

/** Tells whether a connection is open: it is asked something. */
async function isOpen(socket: Socket): Promise<boolean> {
  if (socket.closed) return false;
  const answered = once(socket, 'data').then(() => true);
  const closed = ended(socket).then(() => false);
  socket.write(GET);
  return Promise.race([answered, closed]).catch(() => false);
}

async function areOpen(sockets: readonly Socket[]): Promise<boolean[]> {
  return Promise.all(sockets.map(isOpen));
}

await t.test('who has most makes connections, the oldest first', async (t) => {
  const { come, turnedAway, log } = await open(t, { localMax: 4 });
  const greedy: Socket[] = [];
  for (let count = 0; count < 4; count++) greedy.push(await come('127.0.0.2'));
  const operator = await come('127.0.0.1');
  const another = await come('127.0.0.1');
  // Each address has two now, so a new connection takes the place of one of its own address.
  const third = await come('127.0.0.1');
  const all = [...greedy, operator, another, third];
  t.same(await areOpen(all), [false, false, true, true, false, true, true]);
  t.equal(turnedAway.get('too-many-connections'), 3);
  const [line] = await log.until(/it: too many connections/);
  t.match(line, { level: 'warn', fields: { count: 3, address: '127.0.0.1' } });
});

await t.test('whoever has none gets a place while others have one each', async (t) => {
  const { come } = await open(t, { localMax: 3 });
  const first = [await come('127.0.0.2'), await come('127.0.0.3'), await come('127.0.0.4')];
  const late = await come('127.0.0.1');
  t.same(await areOpen([...first, late]), [false, true, true, true]);
});

await t.test('an answer under way is not cut off for another connection of its own', async (t) => {
  const waiting: (() => void)[] = [];
  const { come, turnedAway } = await open(t, { localMax: 2 }, (_, answer) => {
    waiting.push(() => answer.end('late'));
  });
  const busy = [await come('127.0.0.2', GET), await come('127.0.0.2', GET)];
  while (waiting.length < 2) await new Promise(setImmediate);
  const more = await come('127.0.0.2');
  await ended(more);
  t.equal(turnedAway.get('too-many-connections'), 1);
  const answered = busy.map(async (socket) => once(socket, 'data'));
  for (const end of waiting) end();
  t.match(String(await Promise.all(answered)), /late.*late/s);
});

await t.test('but it is for somebody else who has none', async (t) => {
  const asking: unknown[] = [];
  const { come } = await open(t, { localMax: 2 }, (asked, answer) => {
    asking.push(asked);
    if (asked.socket.remoteAddress === '127.0.0.1') answer.end('well');
  });
  const busy = [await come('127.0.0.2', GET), await come('127.0.0.2', GET)];
  while (asking.length < 2) await new Promise(setImmediate);
  const operator = await come('127.0.0.1', GET);
  t.match(String(await once(operator, 'data')), /well/);
  await ended(busy[0]!);
  t.pass('the first one made connections');
});

await t.test('there are descriptors for every connection of both listeners', async (t) => {
  const each = ADMIN_CONNECTIONS_LOCAL_MAX + ADMIN_CONNECTIONS_OTHERS_MAX;
  t.ok(2 * each <= OPERATOR_DESCRIPTORS_MAX);
});

/** An address of this machine that others reach it by. */
const outside = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address;

await t.test(
  'nobody from elsewhere takes a place of this machine, nor the other way round',
  { skip: outside === undefined && 'this machine has no address but loopback' },
  async (t) => {
    const { come } = await open(t, { localMax: 2, othersMax: 1 });
    const local = [await come('127.0.0.1'), await come('127.0.0.1')];
    const others = [await come(outside!), await come(outside!), await come(outside!)];
    const more = await come('127.0.0.1');
    t.same(await areOpen([...local, more]), [false, true, true]);
    t.same(await areOpen(others), [false, false, true]);
  },
);

await t.test('empty lines between requests do not keep a connection', async (t) => {
  const { come } = await open(t, { waitMs: 1_000 });
  const socket = await come('127.0.0.1', GET);
  await once(socket, 'data');
  const timer = setInterval(() => socket.writable && socket.write('\r\n'), 50);
  t.teardown(() => clearInterval(timer));
  await ended(socket);
  t.pass('it was closed');
});

await t.test('who does not read his answer is closed, who waits for one is not', async (t) => {
  const late = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<boolean>();
  const { come } = await open(t, { answerMs: 500, waitMs: 500 }, (asked, answer) => {
    if (asked.url === '/late') void late.promise.then(() => answer.end('late'));
    else {
      answer.end('x'.repeat(50_000_000));
      answer.once('close', () => gone.resolve(answer.writableFinished));
    }
  });
  const patient = await come('127.0.0.1', GET.replace('/', '/late'));
  await come('127.0.0.1', GET);
  t.notOk(await gone.promise, 'it did not leave to its end');
  const heard = once(patient, 'data');
  late.resolve();
  t.match(String(await heard), /late/);
});

await t.test('waiting calls alone never fill the places of this machine', async (t) => {
  const waiting = DRAIN_WAITERS_MAX + SWITCH_WAITERS_MAX + HASHES_AT_ONCE + HASHES_WAITING_MAX;
  t.ok(waiting < ADMIN_CONNECTIONS_LOCAL_MAX);
  t.ok(waiting < ADMIN_CONNECTIONS_OTHERS_MAX);
});
