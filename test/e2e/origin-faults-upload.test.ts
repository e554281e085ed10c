// Uploads to a target that reads slowly, answers early or not at all. What the client sends waits
// in bounded memory, and an early answer arrives whatever becomes of the upload.

import t from 'tap';
import type { OriginScript } from '../support/origin.ts';
import { GET, responseOf, withBench, holdsNoSocket, doing } from '../support/fault-bench.ts';
import { statusOf } from '../support/message.ts';
import { pump } from '../support/pump.ts';
import { becomes, failureCounts } from '../support/shared-counters.ts';

const GIB = 2 ** 30;
const PIECE = Buffer.alloc(65_536, 'a');

await t.test('a target that never reads stops the upload, costs a 504 and no memory', async (t) => {
  const script = doing((connection) => {
    connection.socket.pause();
  });
  const patch = { upstream: { headTimeoutMs: 400 } };
  await withBench(t, { script, patch }, async (bench) => {
    const before = process.memoryUsage().external;
    const client = await bench.connect();
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${GIB}\r\n\r\n`);
    const pumped = pump(client.socket, PIECE, GIB);
    await client.until('504', () => (client.text.includes('HTTP/1.1 504 ') ? true : undefined));
    const grown = process.memoryUsage().external - before;
    client.socket.destroy();
    const taken = await pumped;
    t.ok(taken < 64 * 2 ** 20, `the client could send ${taken} bytes before it had to wait`);
    t.ok(grown < 8 * 2 ** 20, `buffers grew by ${grown} bytes`);
    t.strictSame(failureCounts(bench.plane), { UPSTREAM_TIMEOUT: 1 });
  });
});

for (const framing of ['length', 'chunked'] as const) {
  await t.test(`an early answer reaches the client, which stays (${framing})`, async (t) => {
    const script = doing(async (connection) => {
      await connection.nextHead();
      connection.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig');
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      const client = await bench.connect();
      const isChunked = framing === 'chunked';
      const head = isChunked ? 'Transfer-Encoding: chunked' : 'Content-Length: 100000';
      client.send(`POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n`);
      const response = await responseOf(client, { from: 0, method: 'POST' });
      t.equal(statusOf(response.start), 413);
      const body = 'b'.repeat(100_000);
      client.send(isChunked ? `186a0\r\n${body}\r\n0\r\n\r\n` : body);
      client.send(GET);
      const next = await responseOf(client, { from: response.end, method: 'GET' });
      t.equal(statusOf(next.start), 413, 'the next request gets its own answer');
      t.strictSame(failureCounts(bench.plane), {});
    });
  });
}

/** Far more than the sockets on the way hold. */
const LARGE_BYTES = 48 * 2 ** 20;

const EARLY_REFUSALS: Readonly<Record<string, OriginScript>> = {
  'the target, which keeps its connection': doing(async (connection) => {
    await connection.nextHead();
    connection.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig');
  }),
  'the target, which ends its side and reads on': doing(async (connection) => {
    await connection.nextHead();
    connection.send(
      'HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig',
    );
    connection.end();
  }),
  'the target, which closes and leaves the rest unread': doing(async (connection) => {
    await connection.nextHead();
    connection.socket.pause();
    connection.send(
      'HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig',
    );
    connection.socket.destroySoon();
  }),
  'Turnout, by its own limit': doing(() => undefined),
};

for (const [by, script] of Object.entries(EARLY_REFUSALS)) {
  await t.test(`a client that reads once all is written sees a refusal by ${by}`, async (t) => {
    const patch = by.startsWith('Turnout') ? { client: { bodyBytesMax: 1_048_576 } } : {};
    await withBench(t, { script, patch }, async (bench) => {
      const client = await bench.connect();
      client.socket.pause();
      client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${LARGE_BYTES}\r\n\r\n`);
      t.equal(await pump(client.socket, PIECE, LARGE_BYTES), LARGE_BYTES);
      client.socket.resume();
      const response = await responseOf(client, { from: 0, method: 'POST' });
      t.equal(statusOf(response.start), 413);
      t.equal(await client.ended(), 'end');
    });
  });
}

await t.test('an early answer survives a fault in the rest of the upload', async (t) => {
  const script = doing(async (connection) => {
    await connection.nextHead();
    connection.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly');
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    await client.until('answer', () => (client.text.endsWith('early') ? true : undefined));
    client.send('no chunk\r\n');
    t.equal(await client.ended(), 'end', 'closed without a reset, which could destroy the answer');
  });
});

await t.test('an early answer with a close reaches the client', async (t) => {
  const script = doing(async (connection) => {
    await connection.nextHead();
    connection.send(
      'HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig',
    );
    connection.end();
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${GIB}\r\n\r\n`);
    const pumped = pump(client.socket, PIECE, GIB);
    t.equal(statusOf((await responseOf(client, { from: 0, method: 'POST' })).start), 413);
    client.socket.destroy();
    await pumped;
    t.strictSame(failureCounts(bench.plane).UPSTREAM_CLOSED, undefined);
  });
});

await t.test('a target that reads slowly slows the client down', async (t) => {
  const total = 32 * 2 ** 20;
  let received = 0;
  const script = doing((connection) => {
    const { socket } = connection;
    socket.removeAllListeners('data');
    socket.on('data', (bytes: Buffer) => {
      received += bytes.length;
      if (received >= total) {
        connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        return;
      }
      // One piece a turn, so that the client is always the faster one.
      socket.pause();
      setImmediate(() => socket.resume());
    });
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`);
    t.equal(await pump(client.socket, PIECE, total), total);
    await becomes(() => client.text.endsWith('ok'));
    t.match(client.text, /^HTTP\/1\.1 200 /);
    t.ok(received >= total, 'the whole body and its head arrived');
  });
});

await t.test('a client that leaves in the middle of an upload ends it at the target', async (t) => {
  const script = doing(async (connection) => {
    const { ending } = connection;
    t.equal(ending, undefined);
    await connection.nextRequest();
    connection.reset();
  });
  for (const leave of ['end', 'reset'] as const) {
    await withBench(t, { script, patch: {} }, async (bench) => {
      const client = await bench.connect();
      client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345');
      await becomes(() => [...bench.origin.connections].some(({ text }) => text.endsWith('12345')));
      client[leave]();
      t.ok(await becomes(() => failureCounts(bench.plane).CLIENT_GONE === 1));
      t.ok(await becomes(() => bench.origin.connections.size === 0), 'the target has let go');
    });
  }
});

await t.test('after all of this the process holds no socket', holdsNoSocket);
