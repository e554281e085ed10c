// Event streams at a switch: each ends after a whole event, as if the target had ended it, so that
// the client comes back without having lost one.

import { constants, createGzip, gunzipSync, type Gzip } from 'node:zlib';
import t from 'tap';
import { GET } from '../support/fault-bench.ts';
import { readResponse, type Message } from '../support/message.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { chunk, CHUNKED, EventBody, GET_EVENTS, streamHead } from '../support/sse-events.ts';
import { ending, startRawBench, until, type RawPair } from '../support/ws-raw-bench.ts';

const STREAMS = 20;
/** From one piece of a busy stream to the next. */
const PIECE_MS = 5;
const WHOLE = 'data: whole\n\n';
const HALF = 'data: half\n';

const seed = Date.now() % 2 ** 31;
t.comment(`seed ${seed}`);

/** Returns the answer to a GET that begins at `from`, as far as it has come. */
function answer(client: RawPeer, from = 0): Message | undefined {
  return readResponse(client.text, from, { method: 'GET', hasEnded: client.ending === 'end' });
}

/** Resolves with the whole answer. */
async function wholeAnswer(client: RawPeer, from = 0): Promise<Message> {
  await until(client, 'whole answer', () => answer(client, from)?.isComplete === true);
  return answer(client, from)!;
}

await t.test('busy streams end after a whole event, and their connections go on', async (t) => {
  const bench = await startRawBench(t, { 'drain-long-lived': 'spread', 'drain-streams': '1s' });
  const streams: (RawPair & { readonly body: EventBody })[] = [];
  for (let i = 0; i < STREAMS; i++) {
    const pair = await bench.answered(GET_EVENTS, streamHead(CHUNKED));
    streams.push({ ...pair, body: new EventBody(seed + i) });
  }
  const timer = setInterval(() => {
    for (const { target, body } of streams) {
      if (target.ending === undefined) target.send(chunk(body.next()));
    }
  }, PIECE_MS);
  t.teardown(() => clearInterval(timer));
  for (const { client } of streams) {
    await until(client, 'events', () => client.text.length > 1_000);
  }
  await bench.change();
  for (const { client, target, body } of streams) {
    const { body: got, trailers, end } = await wholeAnswer(client);
    const isWhole = got.length > 0 && body.isWhole(got) && trailers.length === 0;
    t.ok(isWhole, `${got.length} of ${body.sent.length} bytes, up to the end of an event`);
    client.send(GET);
    t.equal((await wholeAnswer(client, end)).body, 'ok', 'green answers on the same connection');
    await ending(target);
  }
});

await t.test(
  'a stream between two events ends at once, one within an event after it',
  async (t) => {
    const bench = await startRawBench(t);
    const between = await bench.answered(GET_EVENTS, streamHead(CHUNKED));
    const within = await bench.answered(GET_EVENTS, streamHead(CHUNKED));
    between.target.send(chunk(WHOLE));
    within.target.send(chunk(WHOLE + HALF));
    await until(between.client, 'event', () => answer(between.client)?.body === WHOLE);
    await until(within.client, 'event', () => answer(within.client)?.body === WHOLE + HALF);
    await bench.leave();
    t.equal((await wholeAnswer(between.client)).body, WHOLE);
    t.notOk(answer(within.client)!.isComplete, 'the other one goes on');
    within.target.send(chunk('data: other half\n\ndata: next\n\n'));
    t.equal((await wholeAnswer(within.client)).body, `${WHOLE}${HALF}data: other half\n\n`);
  },
);

await t.test('a stream whose event never ends is cut, not ended', async (t) => {
  const bench = await startRawBench(t);
  const { client, target } = await bench.answered(GET_EVENTS, streamHead(CHUNKED));
  target.send(chunk(HALF));
  await until(client, 'half an event', () => answer(client)?.body === HALF);
  await bench.leave();
  t.equal(await ending(client), 'end', 'behind what had come of it');
  t.notOk(answer(client)!.isComplete);
  t.equal(answer(client)!.body, HALF);
});

/** Compresses `text` to the last byte, as a server that streams does. */
async function gzipped(gzip: Gzip, text: string): Promise<string> {
  gzip.write(text);
  const { promise, resolve } = Promise.withResolvers<void>();
  gzip.flush(constants.Z_SYNC_FLUSH, resolve);
  await promise;
  return (gzip.read() as Buffer).toString('latin1');
}

await t.test('a compressed stream ends after a silence', async (t) => {
  const bench = await startRawBench(t);
  const head = streamHead(`${CHUNKED}Content-Encoding: gzip\r\n`);
  const { client, target } = await bench.answered(GET_EVENTS, head);
  const gzip = createGzip();
  const first = await gzipped(gzip, WHOLE);
  const second = await gzipped(gzip, 'data: more\n\n');
  target.send(chunk(first));
  await until(client, 'event', () => answer(client)?.body === first);
  const leftMs = performance.now();
  await bench.leave();
  target.send(chunk(second));
  const { body } = await wholeAnswer(client);
  const waitedMs = performance.now() - leftMs;
  const bytes = Buffer.from(body, 'latin1');
  const text = gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString();
  // On a machine that stands still the second one is too late for the silence.
  t.ok([WHOLE, `${WHOLE}data: more\n\n`].includes(text), text);
  t.ok(waitedMs > 250, `ended after ${waitedMs.toFixed(0)} ms`);
});

await t.test('a client of HTTP/1.0 gets whole events and the end of the connection', async (t) => {
  const bench = await startRawBench(t);
  const request = GET_EVENTS.replace('HTTP/1.1', 'HTTP/1.0');
  const { client, target, received } = await bench.answered(request, streamHead(CHUNKED));
  target.send(chunk(WHOLE + HALF));
  await until(client, 'event', () => received() === WHOLE + HALF);
  await bench.leave();
  target.send(chunk('\ndata: next\n\n'));
  t.equal(await ending(client), 'end');
  t.equal(received(), `${WHOLE}${HALF}\n`);
});

await t.test('a stream that ends with its connection ends after a whole event', async (t) => {
  const bench = await startRawBench(t);
  const { client, target } = await bench.answered(GET_EVENTS, streamHead('Connection: close\r\n'));
  target.send(WHOLE + HALF);
  await until(client, 'event', () => answer(client)?.body === WHOLE + HALF);
  await bench.leave();
  target.send('\ndata: next\n\n');
  const { body, end } = await wholeAnswer(client);
  t.equal(body, `${WHOLE}${HALF}\n`);
  client.send(GET);
  t.equal((await wholeAnswer(client, end)).body, 'ok');
});

await t.test('a stream of a known length is left alone', async (t) => {
  const bench = await startRawBench(t);
  const head = streamHead(`Content-Length: ${3 * WHOLE.length}\r\n`);
  const { client, target } = await bench.answered(GET_EVENTS, head);
  target.send(WHOLE);
  await until(client, 'event', () => answer(client)?.body === WHOLE);
  await bench.leave();
  target.send(WHOLE);
  await until(client, 'second event', () => answer(client)?.body === WHOLE + WHOLE);
  target.send(WHOLE);
  t.equal((await wholeAnswer(client)).body, WHOLE + WHOLE + WHOLE);
});

await t.test('a stream that lingers goes on until its deadline', async (t) => {
  const bench = await startRawBench(t, { 'drain-long-lived': 'linger', 'drain-streams': '3s' });
  const { client, target } = await bench.answered(GET_EVENTS, streamHead(CHUNKED));
  target.send(chunk(WHOLE));
  await until(client, 'event', () => answer(client)?.body === WHOLE);
  const calledMs = performance.now();
  await bench.change();
  target.send(chunk(WHOLE));
  await until(client, 'second event', () => answer(client)?.body === WHOLE + WHOLE);
  t.equal((await wholeAnswer(client)).body, WHOLE + WHOLE);
  const stayedMs = performance.now() - calledMs;
  t.ok(stayedMs >= 3_000, `it stayed for ${stayedMs.toFixed(0)} ms`);
});

await t.test('a stream that begins on a side that drains already ends as well', async (t) => {
  const bench = await startRawBench(t);
  const { client, target } = await bench.ask(GET_EVENTS);
  await bench.leave();
  target.send(streamHead(CHUNKED) + chunk(WHOLE + HALF));
  await until(client, 'event', () => answer(client)?.body === WHOLE + HALF);
  target.send(chunk(`\n${WHOLE}`));
  t.equal((await wholeAnswer(client)).body, `${WHOLE}${HALF}\n`);
});
