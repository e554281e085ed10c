// Upgraded connections: WebSocket with a real client and server through the plane, and what
// happens to a tunnel when one of its sides stalls, ends or dies.

import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer, type RawData, type ServerOptions } from 'ws';
import { LINGER_MS } from '../../src/base/limits.ts';
import { withBench, doing } from '../support/fault-bench.ts';
import type { OriginScript } from '../support/origin.ts';
import { openTestPlane, type TestPlane } from '../support/plane.ts';
import { pump } from '../support/pump.ts';
import { connectRaw } from '../support/raw-peer.ts';
import { becomes, comesToRest, failureCounts, gaugesOf } from '../support/shared-counters.ts';

const MIB = 2 ** 20;
const UPGRADE = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n';
const SWITCHED =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n';

interface WebSockets {
  readonly server: WebSocketServer;
  readonly plane: TestPlane;
  open(): Promise<WebSocket>;
}

/** Runs `body` with an echoing WebSocket server behind a plane. */
async function withWebSockets(
  t: Test,
  options: ServerOptions,
  body: (sockets: WebSockets) => Promise<void>,
): Promise<void> {
  const server = new WebSocketServer({ ...options, port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }));
  });
  const { port } = server.address() as AddressInfo;
  const plane = await openTestPlane(
    { blue: [port], green: [] },
    { upstream: { connectionsMax: 1_000 } },
  );
  const clients: WebSocket[] = [];
  try {
    await body({
      server,
      plane,
      async open() {
        const client = new WebSocket(`ws://127.0.0.1:${plane.port}/chat?room=1`);
        client.on('error', () => undefined);
        clients.push(client);
        await once(client, 'open');
        return client;
      },
    });
    for (const client of clients) client.terminate();
    await comesToRest(t, plane);
  } finally {
    for (const client of clients) client.terminate();
    for (const client of server.clients) client.terminate();
    await plane.stop();
    server.close();
  }
}

async function echoed(socket: WebSocket, message: Buffer): Promise<Buffer> {
  const answer = once(socket, 'message') as Promise<[RawData]>;
  socket.send(message);
  return (await answer)[0] as Buffer;
}

for (const perMessageDeflate of [false, true]) {
  const how = perMessageDeflate ? 'deflated' : 'plain';
  await t.test(`large messages pass both ways (${how})`, async (t) => {
    await withWebSockets(t, { perMessageDeflate, maxPayload: 64 * MIB }, async (sockets) => {
      const client = await sockets.open();
      t.equal(client.extensions !== '', perMessageDeflate);
      for (const size of [1, 125, 126, 65_535, 65_536, MIB, 16 * MIB]) {
        const message = Buffer.alloc(size);
        for (let i = 0; i < size; i++) message[i] = (i * 31 + (i >> 8)) & 255;
        t.ok((await echoed(client, message)).equals(message), `${size} bytes`);
      }
    });
  });
}

await t.test('ping, pong and close codes pass', async (t) => {
  await withWebSockets(t, {}, async (sockets) => {
    const client = await sockets.open();
    const pong = once(client, 'pong') as Promise<[Buffer]>;
    client.ping('are you there');
    t.equal(String((await pong)[0]), 'are you there');
    for (const code of [1000, 1012, 4321]) {
      const other = await sockets.open();
      const [server] = [...sockets.server.clients].slice(-1);
      const closed = once(other, 'close') as Promise<[number, Buffer]>;
      server!.close(code, 'because');
      const [seen, reason] = await closed;
      t.equal(seen, code);
      t.equal(String(reason), 'because');
    }
  });
});

await t.test('500 sockets at once are counted and all carry messages', async (t) => {
  await withWebSockets(t, {}, async (sockets) => {
    const clients = await Promise.all(Array.from({ length: 500 }, () => sockets.open()));
    t.equal(gaugesOf(sockets.plane).tunnels, 500);
    t.equal(gaugesOf(sockets.plane).inflight, 0, 'a tunnel is no request in flight');
    const answers = await Promise.all(
      clients.map((client, index) => echoed(client, Buffer.from(`message ${index}`))),
    );
    t.ok(answers.every((answer, index) => String(answer) === `message ${index}`));
    for (const client of clients) client.close();
    t.ok(await becomes(() => gaugesOf(sockets.plane).tunnels === 0));
    t.strictSame(failureCounts(sockets.plane), {});
  });
});

await t.test('a side that does not read holds the other one back', async (t) => {
  await withWebSockets(t, { maxPayload: 256 * MIB }, async (sockets) => {
    const client = await sockets.open();
    const [server] = [...sockets.server.clients];
    server!.removeAllListeners('message');
    const message = Buffer.alloc(MIB);
    for (const [from, to] of [
      [client, server!],
      [server!, client],
    ] as const) {
      to.pause();
      for (let i = 0; i < 64; i++) from.send(message);
      const before = from.bufferedAmount;
      t.ok(before > 32 * MIB, `${before} bytes wait at the sender`);
      let count = 0;
      to.on('message', () => count++);
      to.resume();
      t.ok(await becomes(() => count === 64), 'all arrive once it reads');
      to.removeAllListeners('message');
    }
  });
});

await t.test('either side that dies takes the tunnel with it', async (t) => {
  await withWebSockets(t, {}, async (sockets) => {
    const first = await sockets.open();
    const closed = once(first, 'close') as Promise<[number]>;
    [...sockets.server.clients][0]!.terminate();
    t.equal((await closed)[0], 1006, 'no close frame was seen');

    const second = await sockets.open();
    const [server] = [...sockets.server.clients].slice(-1);
    const gone = once(server!, 'close') as Promise<[number]>;
    second.terminate();
    t.equal((await gone)[0], 1006);
    t.ok(await becomes(() => gaugesOf(sockets.plane).tunnels === 0));
  });
});

/** Takes the upgrade, then does `then` with the raw connection. */
function switching(then: OriginScript): OriginScript {
  return async (connection) => {
    if ((await connection.nextRequest()) === undefined) return;
    connection.send(SWITCHED);
    await then(connection);
  };
}

await t.test('a silent tunnel is closed after its idle time, a busy one is not', async (t) => {
  await withBench(t, { script: switching(() => {}), patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(UPGRADE);
    await client.until('101', () => (client.text.endsWith('\r\n\r\n') ? true : undefined));
    const [target] = bench.origin.connections;
    for (let round = 0; round < 4; round++) {
      const [from, to] = round % 2 === 0 ? [client, target!] : [target!, client];
      from.send(`${round}`);
      await to.until('byte', () => (to.text.endsWith(`${round}`) ? true : undefined));
      bench.passTime(50_000);
      t.equal(gaugesOf(bench.plane).tunnels, 1);
    }
    bench.passTime(60_000);
    t.equal(await client.ended(), 'end');
    await target!.ended();
    t.strictSame(failureCounts(bench.plane), {});
  });
});

await t.test('the end of a tunnel waits for a client that asked for the close', async (t) => {
  await withBench(t, { script: switching(() => {}), patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(UPGRADE.replace('upgrade\r\n', 'close, upgrade\r\n'));
    await client.until('101', () => (client.text.endsWith('\r\n\r\n') ? true : undefined));
    bench.passTime(60_000);
    t.equal(await client.ended(), 'end');
    t.equal(gaugesOf(bench.plane).connectionsOpen, 1, 'what it still sends resets nothing');
    bench.passTime(LINGER_MS);
    t.ok(await becomes(() => gaugesOf(bench.plane).connectionsOpen === 0));
  });
});

await t.test('half a tunnel stays open when the other half has ended', async (t) => {
  const script = switching(async (connection) => {
    connection.send('question');
    connection.end();
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(UPGRADE);
    t.equal(await client.ended(), 'end');
    t.ok(client.text.endsWith('question'));
    const [target] = bench.origin.connections;
    client.send('answer');
    client.end();
    await target!.until('answer', () => (target!.text.endsWith('answer') ? true : undefined));
    t.equal(await target!.ended(), 'end');
  });
});

await t.test('the last bytes reach a slow target that has ended its half', async (t) => {
  const total = 16 * MIB;
  let received = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.end(SWITCHED);
      socket.pause();
      socket.on('data', (bytes) => {
        received += bytes.length;
        socket.pause();
        setImmediate(() => socket.resume());
      });
      setImmediate(() => socket.resume());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const plane = await openTestPlane({ blue: [port], green: [] }, {});
  const client = await connectRaw(plane.port);
  client.send(UPGRADE);
  t.equal(await client.ended(), 'end');
  await pump(client.socket, Buffer.alloc(65_536, 'b'), total);
  client.end();
  t.ok(await becomes(() => received === total), `${received} of ${total} bytes arrived`);
  client.socket.destroy();
  await comesToRest(t, plane);
  await plane.stop();
  server.close();
});

await t.test('bytes sent before the switch reach the target after it', async (t) => {
  const script = doing(async (connection) => {
    await connection.nextRequest();
    connection.send(SWITCHED);
    await connection.until('early bytes', () =>
      connection.text.endsWith('early') ? true : undefined,
    );
    connection.send('late');
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(`${UPGRADE}early`);
    await client.until('answer', () => (client.text.endsWith('late') ? true : undefined));
    t.ok(client.text.startsWith('HTTP/1.1 101 '));
  });
});

await t.test('a tunnel whose client resets ends at the target', async (t) => {
  await withBench(t, { script: switching(() => {}), patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(UPGRADE);
    await client.until('101', () => (client.text.endsWith('\r\n\r\n') ? true : undefined));
    const [target] = bench.origin.connections;
    client.reset();
    await target!.ended();
    t.equal(gaugesOf(bench.plane).tunnels, 0);
  });
});

await t.test('a target that ends and resets takes its client along', async (t) => {
  const script = switching((connection) => {
    connection.socket.write('x'.repeat(100), () => connection.reset());
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    // All at once: a client has some seconds to take what came before the reset is passed on.
    const takenAlong = async (): Promise<void> => {
      const client = await bench.connect();
      client.send(UPGRADE);
      await client.ended();
      client.socket.destroy();
    };
    await Promise.all(Array.from({ length: 50 }, takenAlong));
    t.ok(await becomes(() => gaugesOf(bench.plane).tunnels === 0));
  });
});
