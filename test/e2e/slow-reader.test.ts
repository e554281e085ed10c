// Bodies of 1 GiB between sides of different speed: every byte arrives, and the proxy holds next to
// nothing of it. The plane runs in a process of its own, whose memory is measured.

import { createHash } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { LINGER_MS } from '../../src/base/limits.ts';
import { BodyReader } from '../support/body-reader.ts';
import { openMemoryPlane, peakDuring, type MemoryPlane } from '../support/memory-plane.ts';
import { connectRaw } from '../support/raw-peer.ts';
import { pump } from '../support/pump.ts';
import { doing, withBench } from '../support/fault-bench.ts';
import { becomes, failureCounts, gaugesOf } from '../support/shared-counters.ts';

// Half a minute where nothing else runs; gigabytes take their time on a busy machine.
t.setTimeout(180_000);

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const GROWTH_MAX = 32 * MIB;
/** The chunks of an upload are copied, and V8 collects such copies at about 32 MiB. */
const GROWTH_COPIED_MAX = 64 * MIB;

/** A piece that shows a lost, doubled or moved byte: no two of its 4-byte words are alike. */
const PIECE = Buffer.from(
  Uint32Array.from({ length: 16_384 }, (_, index) => index * 2_654_435_761).buffer,
);

const HASH = hashOf(GIB);

const FRAMINGS = ['length', 'chunked', 'until close'] as const;
type Framing = (typeof FRAMINGS)[number];

/** Turns of the loop in which all that can move between the sockets has moved. */
const TURNS_TO_SETTLE = 3_000;

/** Less than what a plane holds of an answer, so that no critical length is stepped over. */
const STEP_BYTES = 48 * 1_024;
const LATE_BYTES_MAX = 32 * MIB;

/** Bytes that are read so slowly that everything on the way fills up first. */
const TRICKLE_BYTES = 8 * MIB;

for (const framing of FRAMINGS) {
  await t.test(`an answer of 1 GiB (${framing}) reaches a slow reader whole`, async (t) => {
    const port = await openSource(t, framing);
    const plane = await openMemoryPlane(t, port, {});
    const before = (await plane.measure()).rssBytes;
    const work = readSlowly(plane.port, framing);
    const { result, peakBytes } = await peakDuring(plane, work);
    const { hash, length } = result;
    t.equal(length, GIB, 'every byte');
    t.equal(hash, HASH, 'in its place');
    checkGrowth(t, { before, peakBytes, isCopied: false });
    await isEmpty(t, plane);
  });
}

for (const framing of ['length', 'chunked'] as const) {
  await t.test(`an upload of 256 MiB (${framing}) reaches a slow target whole`, async (t) => {
    const total = 256 * MIB;
    const target = await openSink(t, framing === 'length' ? total : undefined);
    const plane = await openMemoryPlane(t, target.port, {});
    const before = (await plane.measure()).rssBytes;
    const client = connect({ port: plane.port, host: '127.0.0.1' });
    await once(client, 'connect');
    const isChunked = framing === 'chunked';
    const coding = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${total}`;
    client.write(`POST / HTTP/1.1\r\nHost: a\r\n${coding}\r\n\r\n`);
    const upload = async (): Promise<string> => {
      const answered = once(client, 'data') as Promise<[Buffer]>;
      if (isChunked) {
        const head = `${PIECE.length.toString(16)}\r\n`;
        const chunk = Buffer.concat([Buffer.from(head), PIECE, Buffer.from('\r\n')]);
        await pump(client, chunk, chunk.length * (total / PIECE.length));
        client.write('0\r\n\r\n');
      } else {
        await pump(client, PIECE, total);
      }
      return String((await answered)[0]);
    };
    const { result, peakBytes } = await peakDuring(plane, upload());
    client.destroy();
    t.match(result, /^HTTP\/1\.1 200 /);
    if (!isChunked) t.equal(target.hash(), hashOf(total), 'every byte in its place');
    t.ok(target.received() >= total, 'every byte');
    checkGrowth(t, { before, peakBytes, isCopied: framing === 'chunked' });
    await isEmpty(t, plane);
  });
}

await t.test('a reader that comes back late gets the last bytes before the close', async (t) => {
  await t.test('an answer of known length', async (t) => {
    await checkLateReader(t, { framing: 'length', version: '1.1' });
  });
  await t.test('an answer that ends with the connection', async (t) => {
    await checkLateReader(t, { framing: 'until close', version: '1.0' });
  });
});

/**
 * Asks for longer and longer answers without reading, up to the first one that the sockets can't
 * hold: on the way there is one whose last bytes wait in the plane while its exchange is over.
 */
async function checkLateReader(
  t: Test,
  options: { readonly framing: 'length' | 'until close'; readonly version: string },
): Promise<void> {
  const { framing, version } = options;
  let length = 0;
  let askedCount = 0;
  const script = doing(async (connection) => {
    await connection.nextRequest();
    askedCount++;
    const field = framing === 'length' ? `Content-Length: ${length}\r\n` : '';
    connection.send(`HTTP/1.1 200 OK\r\n${field}\r\n${'x'.repeat(length)}`);
    connection.end();
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    let fits = true;
    for (length = STEP_BYTES; fits && length < LATE_BYTES_MAX; length += STEP_BYTES) {
      const client = await connectRaw(bench.plane.port);
      client.socket.pause();
      client.send(`GET / HTTP/${version}\r\nHost: a\r\nConnection: close\r\n\r\n`);
      await becomes(() => askedCount === length / STEP_BYTES);
      let looks = 0;
      await becomes(() => gaugesOf(bench.plane).inflight === 0 || ++looks > TURNS_TO_SETTLE);
      fits = gaugesOf(bench.plane).inflight === 0;
      bench.passTime(2 * LINGER_MS);
      client.socket.resume();
      const ending = await client.ended();
      const count = client.text.split('x').length - 1;
      client.socket.destroy();
      if (ending !== 'end' || count !== length) {
        t.fail(`${count} of ${length} bytes came, then ${ending}`);
        break;
      }
    }
    t.notOk(fits, `${length} bytes are more than the sockets hold`);
    t.strictSame(failureCounts(bench.plane), {});
  });
}

/** Reads `TRICKLE_BYTES` in small sips, then the rest as fast as it comes. */
async function readSlowly(
  port: number,
  framing: Framing,
): Promise<{ readonly hash: string; readonly length: number }> {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const hash = createHash('sha1');
  const reader = new BodyReader(framing !== 'length', (part) => hash.update(part));
  let received = 0;
  for await (const part of socket as AsyncIterable<Buffer>) {
    received += part.length;
    reader.push(part);
    if (received < TRICKLE_BYTES) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
  }
  return { hash: hash.digest('hex'), length: reader.isWhole ? reader.length : -1 };
}

/** Serves 1 GiB of `PIECE`s to every client. */
async function openSource(t: Test, framing: Framing): Promise<number> {
  const head = `${PIECE.length.toString(16)}\r\n`;
  const chunk = Buffer.concat([Buffer.from(head), PIECE, Buffer.from('\r\n')]);
  return await listen(t, (socket) => {
    socket.once('data', () => {
      void serve(socket);
    });
  });

  async function serve(socket: Socket): Promise<void> {
    const field = {
      length: `Content-Length: ${GIB}\r\n`,
      chunked: 'Transfer-Encoding: chunked\r\n',
      'until close': '',
    };
    socket.write(`HTTP/1.1 200 OK\r\n${field[framing]}\r\n`);
    if (framing === 'chunked') {
      await pump(socket, chunk, chunk.length * (GIB / PIECE.length));
      socket.end('0\r\n\r\n');
    } else {
      await pump(socket, PIECE, GIB);
      socket.end();
    }
  }
}

interface Sink {
  readonly port: number;
  received(): number;
  hash(): string;
}

/** Takes an upload, slowly at first, and answers at its end; hashes a plain body of `length`. */
async function openSink(t: Test, length: number | undefined): Promise<Sink> {
  const hash = createHash('sha1');
  let received = 0;
  let headLength = -1;
  const port = await listen(t, (socket) => {
    socket.on('data', (bytes) => {
      let body = bytes;
      if (headLength < 0) {
        headLength = bytes.indexOf('\r\n\r\n') + 4;
        body = bytes.subarray(headLength);
      }
      received += body.length;
      hash.update(body);
      const isLast =
        length === undefined ? body.subarray(-5).toString() === '0\r\n\r\n' : received === length;
      if (isLast) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      if (received > TRICKLE_BYTES) return;
      socket.pause();
      setImmediate(() => socket.resume());
    });
  });
  return { port, received: () => received, hash: () => hash.digest('hex') };
}

async function listen(t: Test, serve: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

function hashOf(total: number): string {
  const hash = createHash('sha1');
  for (let at = 0; at < total; at += PIECE.length) hash.update(PIECE);
  return hash.digest('hex');
}

interface Growth {
  readonly before: number;
  readonly peakBytes: number;
  readonly isCopied: boolean;
}

function checkGrowth(t: Test, seen: Growth): void {
  const grown = seen.peakBytes - seen.before;
  const bound = seen.isCopied ? GROWTH_COPIED_MAX : GROWTH_MAX;
  t.ok(grown < bound, `the proxy grew by ${(grown / MIB).toFixed(1)} MiB at most`);
}

async function isEmpty(t: Test, plane: MemoryPlane): Promise<void> {
  const { gauges, failures } = await plane.measure();
  t.equal(gauges.inflight, 0);
  t.equal(gauges.endpointInflight, 0);
  t.strictSame(failures, {});
}
