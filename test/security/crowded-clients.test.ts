// One client address that takes all connections: it makes room for others, whatever it does with
// its own, and the log says so once a minute.

import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { GET, OK, withBench, type Bench } from '../support/fault-bench.ts';
import { answering } from '../support/origin.ts';
import { becomes, workerCount } from '../support/shared-counters.ts';

const ATTACKER = '127.0.0.9';

interface Client {
  readonly socket: Socket;
  text: string;
  isClosed: boolean;
}

function open(bench: Bench, localAddress: string): Client {
  const socket = connect({ port: bench.plane.port, host: '127.0.0.1', localAddress });
  const client: Client = { socket, text: '', isClosed: false };
  socket.on('data', (bytes: Buffer) => (client.text += bytes.toString('latin1')));
  socket.on('error', () => {});
  socket.on('close', () => (client.isClosed = true));
  return client;
}

/** Opens connections one after another, each with one answered request. */
async function openIdle(bench: Bench, count: number, address: string): Promise<Client[]> {
  const clients: Client[] = [];
  for (let i = 0; i < count; i++) {
    const client = open(bench, address);
    client.socket.write(GET);
    await becomes(() => client.text.endsWith('ok') || client.isClosed);
    clients.push(client);
  }
  return clients;
}

function end(clients: readonly Client[]): void {
  for (const { socket } of clients) socket.destroy();
}

const PATCH = { client: { connectionsMax: 20 } };

await t.test('idle connections of the address with most make room, the oldest first', async (t) => {
  await withBench(t, { script: answering(OK), patch: PATCH }, async (bench) => {
    const [honest] = await openIdle(bench, 1, '127.0.0.2');
    const held = await openIdle(bench, 19, ATTACKER);
    const others = await openIdle(bench, 5, '127.0.0.3');
    t.ok(
      others.every(({ text, isClosed }) => text.endsWith('ok') && !isClosed),
      'all are served',
    );
    await becomes(() => held.filter(({ isClosed }) => isClosed).length === 5);
    t.ok(held.slice(0, 5).every(({ isClosed }) => isClosed));
    t.notOk(honest!.isClosed, 'though it is idle for longest');
    t.equal(workerCount(bench.plane, 'connectionsDisplaced'), 5);
    t.equal(workerCount(bench.plane, 'connectionsRefused'), 0);
    end([honest!, ...held, ...others]);
  });
});

await t.test('the attacker takes from itself alone', async (t) => {
  await withBench(t, { script: answering(OK), patch: PATCH }, async (bench) => {
    const honest = await openIdle(bench, 5, '127.0.0.2');
    const held = await openIdle(bench, 60, ATTACKER);
    t.notOk(honest.some(({ isClosed }) => isClosed));
    t.equal(workerCount(bench.plane, 'connectionsDisplaced'), 45);
    end([...honest, ...held]);
  });
});

await t.test('connections that say nothing, or begin a head, are idle as well', async (t) => {
  await withBench(t, { script: answering(OK), patch: PATCH }, async (bench) => {
    const held = Array.from({ length: 20 }, () => open(bench, ATTACKER));
    for (const { socket } of held.slice(0, 10)) socket.write('GET / HTTP/1.1\r\nHost: ');
    await becomes(() => workerCount(bench.plane, 'connectionsOpen') === 20);
    const [other] = await openIdle(bench, 1, '127.0.0.3');
    t.ok(other!.text.endsWith('ok'));
    t.equal(workerCount(bench.plane, 'connectionsDisplaced'), 1);
    end([...held, other!]);
  });
});

await t.test('requests that run are not cut off for others', async (t) => {
  await withBench(t, { script: () => {}, patch: PATCH }, async (bench) => {
    const held = Array.from({ length: 20 }, () => open(bench, ATTACKER));
    for (const { socket } of held) socket.write(GET);
    await becomes(() => bench.origin.connections.size === 20);
    const other = open(bench, '127.0.0.3');
    await becomes(() => other.isClosed);
    t.equal(workerCount(bench.plane, 'connectionsRefused'), 1);
    t.notOk(held.some(({ isClosed }) => isClosed));
    end([...held, other]);
  });
});

await t.test('what has many clients behind it counts as many', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'crowd-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const path = join(dir, 'listen.sock');
  const patch = {
    ...PATCH,
    listen: { kind: 'unix', path } as const,
  };
  await withBench(t, { script: answering(OK), patch }, async () => {
    const held: Client[] = [];
    for (let i = 0; i < 25; i++) {
      const socket = connect(path);
      const client: Client = { socket, text: '', isClosed: false };
      socket.on('data', (bytes: Buffer) => (client.text += bytes.toString('latin1')));
      socket.on('close', () => (client.isClosed = true));
      socket.write(GET);
      await becomes(() => client.text.endsWith('ok'));
      held.push(client);
    }
    // Each gives way as one of many, and the longest idle does first.
    await becomes(() => held.filter(({ isClosed }) => isClosed).length === 5);
    t.ok(held.slice(0, 5).every(({ isClosed }) => isClosed));
    end(held);
  });
  const forwarding = { trustedProxies: ['127.0.0.8'] };
  await withBench(t, { script: answering(OK), patch: { ...PATCH, forwarding } }, async (bench) => {
    const proxied = await openIdle(bench, 15, '127.0.0.8');
    const held = await openIdle(bench, 5, ATTACKER);
    const others = await openIdle(bench, 4, '127.0.0.3');
    t.notOk(
      proxied.some(({ isClosed }) => isClosed),
      'the proxy has most, and is many',
    );
    t.equal(held.filter(({ isClosed }) => isClosed).length, 3);
    t.ok(others.every(({ text }) => text.endsWith('ok')));
    end([...proxied, ...held, ...others]);
  });
});

await t.test('a response that is still on its way is not cut off', async (t) => {
  const size = 3_000_000;
  const large = `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`;
  const patch = { client: { connectionsMax: 2 } };
  await withBench(t, { script: answering(large), patch }, async (bench) => {
    const slow = open(bench, ATTACKER);
    slow.socket.pause();
    slow.socket.write(GET);
    const idle = open(bench, ATTACKER);
    await becomes(() => workerCount(bench.plane, 'connectionsOpen') === 2);
    const other = open(bench, '127.0.0.3');
    await becomes(() => workerCount(bench.plane, 'connectionsDisplaced') === 1);
    await becomes(() => idle.isClosed);
    slow.socket.resume();
    await becomes(() => slow.text.length > size);
    end([slow, idle, other]);
  });
});

await t.test('operators are told once a minute, with all that happened', async (t) => {
  const patch = { client: { connectionsMax: 20, keepAliveTimeoutMs: 600_000 } };
  await withBench(t, { script: answering(OK), patch }, async (bench) => {
    const told = () => bench.plane.reports.filter(({ kind }) => kind === 'crowded');
    const news = { kind: 'crowded', refusedCount: 0, network: ATTACKER };
    const held = await openIdle(bench, 24, ATTACKER);
    t.strictSame(told(), [{ ...news, displacedCount: 1 }], 'at once');
    bench.passTime(59_000);
    const more = await openIdle(bench, 6, ATTACKER);
    t.equal(told().length, 1);
    bench.passTime(1_000);
    const last = await openIdle(bench, 2, ATTACKER);
    t.strictSame(told().slice(1), [{ ...news, displacedCount: 10 }]);
    end([...held, ...more, ...last]);
  });
});
