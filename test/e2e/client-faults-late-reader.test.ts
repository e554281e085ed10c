// A client that asks for much and reads late. Answers of different sizes wait for it in a row; once
// it reads, all of them arrive, and the connection is as good as any other.

import t from 'tap';
import { doing, holdsNoSocket, responseOf, withBench } from '../support/fault-bench.ts';
import { pump } from '../support/pump.ts';
import { becomes, failureCounts } from '../support/shared-counters.ts';

/** Together far more than the buffers of both sockets hold. */
const PAIRS = 600;
const LARGE_BYTES = 40_000;
const CHUNK = Buffer.from(`8000\r\n${'c'.repeat(0x8000)}\r\n`);
const CHUNKS = 512;
/** Much shorter than the answer of the slow target takes. */
const SEND_IDLE_MS = 300;
const SLOW_ANSWER_MS = 3 * SEND_IDLE_MS;

const STILL_TURNS = 1_000;

const script = doing(async (connection) => {
  for (;;) {
    const request = await connection.nextRequest();
    if (request === undefined) return;
    const path = request.start.split(' ')[1];
    if (path === '/large') {
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE_BYTES}\r\n\r\n`);
      connection.send('l'.repeat(LARGE_BYTES));
    } else if (path === '/chunked') {
      connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      await pump(connection.socket, CHUNK, CHUNK.length * CHUNKS);
      connection.send('0\r\n\r\n');
    } else {
      if (path === '/slow') {
        await new Promise((resolve) => {
          setTimeout(resolve, SLOW_ANSWER_MS);
        });
      }
      connection.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmall');
    }
  }
});

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

await t.test('answers that waited for a late reader leave the connection whole', async (t) => {
  await withBench(t, { script, patch: { client: { sendIdleTimeoutMs: 5_000 } } }, async (bench) => {
    const client = await bench.connect();
    client.socket.pause();
    client.send((get('/large') + get('/small')).repeat(PAIRS));
    await comesToAStop(() => client.socket.bytesWritten + bench.plane.plane.tally.connectionsOpen);
    client.socket.resume();
    const total =
      PAIRS *
      (`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE_BYTES}\r\n\r\n`.length +
        LARGE_BYTES +
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmall'.length);
    t.ok(
      await becomes(() => client.text.length === total),
      `all ${total} bytes of ${2 * PAIRS} answers`,
    );
    for (let round = 0; round < 5; round++) {
      client.text = '';
      client.socket.pause();
      client.send(get('/chunked'));
      await comesToAStop(() => client.socket.bytesRead);
      client.socket.resume();
      t.ok(await becomes(() => client.text.endsWith('\r\n0\r\n\r\n')), 'the last chunk came');
      const response = await responseOf(client, { from: 0, method: 'GET' });
      t.equal(response.body.length, CHUNKS * 0x8000);
    }
    t.strictSame(failureCounts(bench.plane), {});
  });
});

await t.test('a client that has read all may wait for a slow target', async (t) => {
  const patch = { client: { sendIdleTimeoutMs: SEND_IDLE_MS } };
  await withBench(t, { script, patch }, async (bench) => {
    const client = await bench.connect();
    for (let round = 0; round < 3; round++) {
      client.text = '';
      client.socket.pause();
      client.send((get('/large') + get('/small')).repeat(PAIRS / 4));
      await comesToAStop(() => client.socket.bytesWritten);
      client.socket.resume();
      await becomes(() => client.text.split('small').length === PAIRS / 4 + 1);
      const from = client.text.length;
      client.send(get('/slow'));
      t.equal((await responseOf(client, { from, method: 'GET' })).body, 'small');
    }
    t.strictSame(failureCounts(bench.plane), {});
  });
});

await t.test('after all of this the process holds no socket', holdsNoSocket);

/** Resolves when `measure` has not changed for many turns of the loop. */
async function comesToAStop(measure: () => number): Promise<void> {
  let seen = measure();
  let still = 0;
  await becomes(() => {
    const now = measure();
    still = now === seen ? still + 1 : 0;
    seen = now;
    return still > STILL_TURNS;
  });
}
