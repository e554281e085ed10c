// A hold as clients see it: whose requests wait, in which order they go on, and where to. Load is
// the business of hold-load.test.ts, bounds of hold-limits.test.ts.

import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { receiptOf } from '../support/hold-app.ts';
import {
  getOf,
  goOnAtGreen,
  heldCount,
  openHoldScene,
  responsesOf,
  responseAt,
} from '../support/hold-scene.ts';
import { statusOf, valuesOf } from '../support/message.ts';

t.setTimeout(180_000);

// Longer than any test takes: these holds end because a call ends them.
const LONG = { for: '60s' };
/** Time enough to send a request, and to see it wait, also on a busy machine. */
const SOON_MS = 5_000;
const SOON = { for: '5s' };

await t.test('requests wait, and go to the color that is active after the hold', async (t) => {
  const scene = await openHoldScene(t);
  const { change, journal, send } = scene;
  await change('/v1/hold', LONG);
  const held = await Promise.all(['/a', '/b', '/c'].map((path) => send(getOf(path))));
  await scene.waiting(3);
  t.equal(journal.activities.length, 0, 'no target has heard of them');
  t.match((await change('/v1/switch', { to: 'green' })).json, { to: 'green', changed: true });
  await scene.waiting(3);
  t.equal(journal.activities.length, 0, 'the hold of an operator outlasts a switch');
  t.match((await change('/v1/resume', {})).json, { changed: true });
  const responses = await Promise.all(held.map(({ response }) => response()));
  t.strictSame(
    responses.map(({ body }) => body),
    ['/a', '/b', '/c'].map((path) => receiptOf('green', 'GET', path)),
  );
  t.equal(await heldCount(scene.admin), -1);
  t.match(
    (await change('/v1/release', {})).json,
    { changed: false },
    'there is none to end any more',
  );
});

await t.test(
  'a release without a switch lets requests go where they would have gone',
  async (t) => {
    const { change, send, waiting } = await openHoldScene(t);
    await change('/v1/hold', LONG);
    const { response } = await send(getOf('/a'));
    await waiting(1);
    t.match((await change('/v1/release', {})).json, { changed: true });
    t.equal((await response()).body, receiptOf('blue', 'GET', '/a'));
  },
);

await t.test('who waits when the time of a hold is over goes to the old color', async (t) => {
  const { admin, change, send, waiting } = await openHoldScene(t);
  await change('/v1/hold', { for: '1s' });
  const held = await Promise.all(['/a', '/b'].map((path) => send(getOf(path))));
  for (const { response } of held) t.match((await response()).body, /^blue GET/);
  // Threads do not read the time at the same moment.
  await waiting(-1);
  t.match(
    (await (await send(getOf('/c'))).response()).body,
    /^blue GET/,
    'and nobody waits any more',
  );
  t.equal(await heldCount(admin), -1);
});

await t.test('requests are let go in the order in which they came', async (t) => {
  // Over one connection to the target their order can be seen there.
  const scene = await openHoldScene(t, ['--upstream-connections', '1']);
  const paths = Array.from({ length: 60 }, (_, index) => `/${index}`);
  await scene.change('/v1/hold', LONG);
  const held = [];
  for (const path of paths) {
    held.push(await scene.send(getOf(path)));
    await scene.waiting(held.length);
  }
  await goOnAtGreen(scene);
  await Promise.all(held.map(({ response }) => response()));
  t.strictSame(
    scene.journal.activities.map(({ path }) => path),
    paths,
  );
});

await t.test('pipelined requests wait in their order and are answered in it', async (t) => {
  const scene = await openHoldScene(t);
  const [clients, each] = [12, 25];
  const peers = await Promise.all(Array.from({ length: clients }, () => scene.connect()));
  const pathsOf = (client: number): string[] =>
    Array.from({ length: each }, (_, index) => `/${client}/${index}`);
  await scene.change('/v1/hold', LONG);
  for (const [client, peer] of peers.entries()) {
    // The last one comes in two pieces, as it does when a packet is full.
    const bytes = pathsOf(client)
      .map((path) => getOf(path))
      .join('');
    const cut = bytes.length - 20;
    peer.send(bytes.slice(0, cut));
    await scene.waiting(client + 1);
    peer.send(bytes.slice(cut));
  }
  await goOnAtGreen(scene);
  for (const [client, peer] of peers.entries()) {
    const paths = pathsOf(client);
    const responses = await responsesOf(peer, each);
    t.strictSame(
      responses.map(({ body }) => body),
      paths.map((path) => receiptOf('green', 'GET', path)),
    );
    t.equal(responses.at(-1)?.end, peer.text.length, 'and nothing comes behind');
  }
  const seen = scene.journal.activities.map(({ path }) => path);
  t.equal(new Set(seen).size, clients * each, 'every request arrived');
  t.equal(seen.length, clients * each, 'and arrived once');
});

await t.test(
  'what had begun before a hold runs on, and only then the next request waits',
  async (t) => {
    const { blue, change, connect, journal, waiting } = await openHoldScene(t);
    const peer = await connect();
    peer.send(getOf('/held') + getOf('/next'));
    await journal.arrived('/held', 1);
    await change('/v1/hold', LONG);
    blue.release();
    const first = await responseAt(peer, { from: 0, method: 'GET' });
    t.equal(first.body, 'blue', 'a request that ran is finished');
    await waiting(1);
    await goOnAtGreen({ change });
    const next = await responseAt(peer, { from: first.end, method: 'GET' });
    t.equal(next.body, receiptOf('green', 'GET', '/next'));
  },
);

await t.test('a hold of writes lets reads pass', async (t) => {
  const { change, connect, send, waiting } = await openHoldScene(t);
  await change('/v1/hold', { ...LONG, methods: 'writes' });
  const waits = ['POST', 'PUT', 'PATCH', 'DELETE'];
  const held = await Promise.all(
    waits.map((method) =>
      send(`${method} /w HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\n\r\nhi`),
    ),
  );
  await waiting(waits.length);
  const reader = await connect();
  let from = 0;
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'GET']) {
    reader.send(`${method} /r HTTP/1.1\r\nHost: shop.test\r\n\r\n`);
    const response = await responseAt(reader, { from, method });
    t.equal(statusOf(response.start), 200, `${method} is answered`);
    from = response.end;
  }
  await waiting(waits.length);
  await goOnAtGreen({ change });
  for (const [index, { response }] of held.entries()) {
    const content = { byteCount: 2, checksum: crc32('hi') };
    t.equal((await response()).body, receiptOf('green', waits[index]!, '/w', content));
  }
});

const BODY = Buffer.from(
  Uint32Array.from({ length: 256 * 1_024 }, (_, index) => index * 2_654_435_761).buffer,
).toString('latin1');

await t.test('bodies that were sent while their requests wait arrive whole', async (t) => {
  const { change, connect, journal, waiting } = await openHoldScene(t);
  const kinds = [40, 100 * 1_024, 1_024 * 1_024].flatMap((size) => [
    { path: `/length/${size}`, size, isChunked: false },
    { path: `/chunked/${size}`, size, isChunked: true },
  ]);
  await change('/v1/hold', LONG);
  const sent = [];
  for (const { path, size, isChunked } of kinds) {
    const peer = await connect();
    peer.send(postOf(path, BODY.slice(0, size), isChunked) + getOf(`/behind${path}`));
    sent.push({ path, size, peer });
  }
  await waiting(kinds.length);
  await goOnAtGreen({ change });
  for (const { path, size, peer } of sent) {
    const content = { byteCount: size, checksum: crc32(bytesOf(BODY.slice(0, size))) };
    const first = await responseAt(peer, { from: 0, method: 'POST' });
    t.equal(first.body, receiptOf('green', 'POST', path, content));
    const behind = await responseAt(peer, { from: first.end, method: 'GET' });
    t.equal(behind.body, receiptOf('green', 'GET', `/behind${path}`), 'so does what came behind');
    t.equal(journal.at(path).length, 1, 'and arrived once');
  }
});

await t.test('a large upload goes to the old color too when the time is over', async (t) => {
  const { change, send, waiting } = await openHoldScene(t);
  await change('/v1/hold', SOON);
  const content = BODY.slice(0, 300 * 1_024);
  const { response } = await send(postOf('/w', content, false));
  await waiting(1);
  const whole = { byteCount: content.length, checksum: crc32(bytesOf(content)) };
  t.equal((await response()).body, receiptOf('blue', 'POST', '/w', whole));
});

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function postOf(path: string, content: string, isChunked: boolean): string {
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${content.length}`;
  const head = `POST ${path} HTTP/1.1\r\nHost: shop.test\r\n${framing}\r\n\r\n`;
  return head + (isChunked ? inChunks(content) : content);
}

function inChunks(content: string): string {
  let bytes = '';
  for (let at = 0; at < content.length; at += 5_000) {
    const chunk = content.slice(at, at + 5_000);
    bytes += `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
  }
  return `${bytes}0\r\n\r\n`;
}

await t.test(
  'a client that asks first whether to send its body is asked after the hold',
  async (t) => {
    const { change, send, waiting } = await openHoldScene(t);
    await change('/v1/hold', LONG);
    const fields = 'Content-Length: 4\r\nExpect: 100-continue';
    const { peer } = await send(`POST /w HTTP/1.1\r\nHost: shop.test\r\n${fields}\r\n\r\n`);
    await waiting(1);
    await goOnAtGreen({ change });
    const interim = await responseAt(peer, { from: 0, method: 'POST' });
    t.equal(statusOf(interim.start), 100);
    peer.send('body');
    const response = await responseAt(peer, { from: interim.end, method: 'POST' });
    t.equal(
      response.body,
      receiptOf('green', 'POST', '/w', { byteCount: 4, checksum: crc32('body') }),
    );
  },
);

await t.test('health checks are answered while everything else waits', async (t) => {
  const { change, connect, journal, send, waiting } = await openHoldScene(t, [
    '--health-path',
    '/healthz?deep=1',
  ]);
  const before = journal.activities.length;
  await change('/v1/hold', LONG);
  const { response } = await send(getOf('/a'));
  await waiting(1);
  const probe = await connect();
  probe.send(getOf('/healthz') + getOf('/healthz?deep=1'));
  for (const answer of await responsesOf(probe, 2)) {
    t.equal(statusOf(answer.start), 200);
    t.match(answer.body, 'the service waits');
    t.strictSame(valuesOf(answer.fields, 'cache-control'), ['no-store']);
  }
  const head = await send('HEAD /healthz HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  t.equal(statusOf((await head.response()).start), 200);
  t.equal(journal.activities.length, before, 'by Turnout, not by a target');
  await change('/v1/release', {});
  await response();
});

await t.test('a hold that is made longer keeps those who wait', async (t) => {
  const { change, journal, send, waiting } = await openHoldScene(t);
  await change('/v1/hold', SOON);
  const { response } = await send(getOf('/early'));
  await waiting(1);
  await change('/v1/hold', LONG);
  await change('/v1/hold', { ...LONG, reason: 'and again' });
  // Had it gone at its first time, it would have been there long before this one.
  const { response: late } = await send(getOf('/late'));
  await waiting(2);
  await sleep(SOON_MS + 1_000);
  t.equal(journal.activities.length, 0, 'its first time is long over');
  await goOnAtGreen({ change });
  t.match((await response()).body, /^green/);
  t.match((await late()).body, /^green/);
});

await t.test('a hold that is made shorter, or one of writes alone, lets others go', async (t) => {
  const { change, send, waiting } = await openHoldScene(t);
  await change('/v1/hold', LONG);
  const read = await send(getOf('/r'));
  const write = await send('DELETE /w HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  await waiting(2);
  await change('/v1/hold', { ...LONG, methods: 'writes' });
  t.match((await read.response()).body, /^blue GET/);
  await waiting(1);
  await change('/v1/hold', { for: '100ms', methods: 'writes' });
  t.match((await write.response()).body, /^blue DELETE/);
});
