// A target that gets copies may hang, flood, die, lie or break every rule: what clients get stays the
// same to the byte, no client waits, and what copies take is bounded and given back.

import { createServer } from 'node:net';
import t from 'tap';
import {
  SHADOW_CONNECTIONS_MAX,
  SHADOW_PAIRS_MAX,
} from '../../../../src/data-plane/shadow/shadows.ts';
import { COPY_GRACE_MS, PAIR_MS_MAX } from '../../../../src/data-plane/shadow/shadow-pair.ts';
import { becomes } from '../../../support/shared-counters.ts';
import { turns } from '../../../support/raw-peer.ts';
import { openBlackHole } from '../../../support/black-hole.ts';
import { listenOn } from '../support/stream-pair.ts';
import {
  greenAt,
  ok,
  sends,
  ShadowScene,
  type Deed,
  type Results,
} from '../support/shadow-scene.ts';

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const CHUNK = `10000\r\n${'x'.repeat(65_536)}\r\n`;

/** Sends `text` for as long as the other side is there. */
function floods(head: string, text: string): Deed {
  return async (connection) => {
    connection.send(head);
    while (connection.ending === undefined && !connection.socket.destroyed) {
      connection.send(text);
      await turns(1);
    }
  };
}

/** What a target does with a copy, and what that counts as. */
const DEEDS: Readonly<Record<string, readonly [Deed, 'same' | 'differed' | 'failed']>> = {
  'never answers': [() => undefined, 'failed'],
  'sends a body without end': [floods(CHUNKED, CHUNK), 'differed'],
  'sends a head without end': [
    floods('HTTP/1.1 200 OK\r\n', 'X-More: 1\r\n'.repeat(500)),
    'failed',
  ],
  'sends interim responses without end': [
    floods('', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(10)),
    'failed',
  ],
  'dies in the middle of a head': [
    (connection) => {
      connection.send('HTTP/1.1 200 OK\r\nContent-Le');
      connection.end();
    },
    'failed',
  ],
  'resets in the middle of a body': [
    async (connection) => {
      connection.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
      await turns(5);
      connection.reset();
    },
    'failed',
  ],
  'stops in the middle of a body': [
    sends('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
    'failed',
  ],
  'closes at once': [(connection) => connection.end(), 'failed'],
  'resets at once': [(connection) => connection.reset(), 'failed'],
  'sends garbage': [sends('\0\xff no HTTP\r\n\r\n'), 'failed'],
  'breaks its chunks': [sends(`${CHUNKED}no chunk\r\n`), 'failed'],
  'switches protocols': [
    sends('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nmore'),
    'failed',
  ],
  'answers twice': [sends(ok() + ok('two')), 'same'],
  'says more than it announced': [sends(`${ok()}more`), 'same'],
  'asks for a login of the connection': [
    sends('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 2\r\n\r\nno'),
    'differed',
  ],
  'begins an event stream': [
    sends('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n'),
    'failed',
  ],
  'closes instead of a length': [
    (connection) => {
      connection.send('HTTP/1.1 200 OK\r\n\r\nok');
      connection.end();
    },
    'same',
  ],
};

/** More than there are places for. */
const REQUESTS = 3 * SHADOW_CONNECTIONS_MAX;

for (const [name, [idle, result]] of Object.entries(DEEDS)) {
  await t.test(`a target that ${name} harms no client`, async (t) => {
    const scene = await ShadowScene.open(t, { idle });
    let mostPairs = 0;
    let mostConnections = 0;
    for (let i = 0; i < REQUESTS; i++) {
      // Each response comes although no copy has been answered: the connection goes on meanwhile.
      t.equal(await scene.ask(`/${i}`), ok(), 'the response is that of the live target');
      mostPairs = Math.max(mostPairs, scene.open.pairs);
      mostConnections = Math.max(mostConnections, scene.open.connections);
    }
    t.ok(mostConnections <= SHADOW_CONNECTIONS_MAX, `${mostConnections} connections`);
    t.ok(mostPairs <= SHADOW_PAIRS_MAX, `${mostPairs} copies at once`);
    const isOver = await becomes(() => {
      // What answers has as long as it takes.
      if (result === 'failed') scene.passTime(COPY_GRACE_MS);
      return scene.open.pairs === 0;
    });
    t.ok(isOver, 'each copy ends in time');
    t.strictSame(unexpected(scene.results, result), {}, 'what it counts as');
    await scene.leavesNothing(t);
  });
}

/** Returns what does not add up: each copy has one result, and each request was copied or dropped. */
function unexpected(results: Results, result: keyof Results): Results {
  const { sent = 0, dropped = 0, [result]: seen = 0, ...rest } = results;
  const isRight = sent > 0 && seen === sent && sent + dropped === REQUESTS;
  return isRight ? rest : results;
}

await t.test('a target that accepts no connection harms no client', async (t) => {
  const port = await openBlackHole(t);
  const scene = await ShadowScene.open(t, {
    change: (table) => greenAt(table, { kind: 'tcp', host: '127.0.0.1', port }),
  });
  for (let i = 0; i < REQUESTS; i++) t.equal(await scene.ask('/'), ok());
  t.strictSame(scene.results, {
    sent: SHADOW_CONNECTIONS_MAX,
    dropped: REQUESTS - SHADOW_CONNECTIONS_MAX,
  });
  scene.passTime(COPY_GRACE_MS);
  t.strictSame((await scene.settled()).connections, 0);
  t.equal(scene.results.failed, SHADOW_CONNECTIONS_MAX);
  await scene.leavesNothing(t);
});

await t.test('a target that is gone harms no client', async (t) => {
  const server = createServer();
  const address = await listenOn(t, server, 'tcp');
  await new Promise((resolve) => {
    server.close(resolve);
  });
  const scene = await ShadowScene.open(t, { change: (table) => greenAt(table, address) });
  for (let i = 1; i <= 5; i++) {
    t.equal(await scene.ask('/'), ok());
    await scene.becomes({ sent: i, failed: i });
  }
  t.strictSame(scene.results, { sent: 5, failed: 5 });
  await scene.leavesNothing(t);
});

await t.test('targets at Unix sockets are asked and bounded in the same way', async (t) => {
  let isSilent = false;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('data', () => isSilent || socket.write(ok()));
  });
  const address = await listenOn(t, server, 'unix');
  t.teardown(() => server.close());
  const scene = await ShadowScene.open(t, { change: (table) => greenAt(table, address) });
  t.equal(await scene.ask('/'), ok());
  t.strictSame(await scene.becomes({ sent: 1, same: 1 }), { sent: 1, same: 1 });
  isSilent = true;
  for (let i = 0; i < REQUESTS; i++) t.equal(await scene.ask('/'), ok());
  t.equal(scene.open.connections, SHADOW_CONNECTIONS_MAX);
  scene.passTime(COPY_GRACE_MS);
  t.strictSame(await scene.settled(), { pairs: 0, connections: 0 });
  await scene.leavesNothing(t);
});

await t.test('a client that leaves takes its copy with it', async (t) => {
  const scene = await ShadowScene.open(t, { live: () => undefined, idle: () => undefined });
  const client = await scene.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.ok(await scene.copied(1));
  client.reset();
  t.strictSame(await scene.settled(), { pairs: 0, connections: 0 });
  t.strictSame(scene.results, { sent: 1, unpaired: 1 });
  await scene.leavesNothing(t);
});

await t.test('a live response that is cut has nothing to be compared with', async (t) => {
  const scene = await ShadowScene.open(t, {
    live: async (connection) => {
      connection.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
      await turns(5);
      connection.reset();
    },
  });
  const client = await scene.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.ended();
  t.strictSame(await scene.becomes({ sent: 1, unpaired: 1 }), { sent: 1, unpaired: 1 });
  await scene.leavesNothing(t);
});

await t.test('a request that no target answers has nothing to be compared with', async (t) => {
  const scene = await ShadowScene.open(t, { live: (connection) => connection.end() });
  t.match(await scene.ask('/'), /^HTTP\/1\.1 502 /);
  t.strictSame(await scene.becomes({ sent: 1, unpaired: 1 }), { sent: 1, unpaired: 1 });
  await scene.leavesNothing(t);
});

await t.test('a live event stream is not compared', async (t) => {
  const scene = await ShadowScene.open(t, {
    live: sends(
      `${CHUNKED.replace('\r\n\r\n', '\r\nContent-Type: text/event-stream\r\n\r\n')}1\r\n:\r\n`,
    ),
  });
  const client = await scene.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until('event', () => client.text.includes('1\r\n:\r\n') || undefined);
  t.strictSame(await scene.becomes({ sent: 1, unpaired: 1 }), { sent: 1, unpaired: 1 });
  await scene.leavesNothing(t);
});

await t.test('a client that does not read holds no connection of a copy', async (t) => {
  const big = ok('x'.repeat(8_388_608));
  const scene = await ShadowScene.open(t, {
    live: sends(big),
    shadow: { bodyBytesMax: 1_048_576 },
  });
  const client = await scene.connect();
  client.socket.pause();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.ok(await scene.copied(1));
  t.ok(await becomes(() => scene.open.connections === 1));
  t.equal(await scene.ask('/other').then((text) => text.length), big.length);
  client.reset();
  scene.passTime(PAIR_MS_MAX);
  t.equal((await scene.settled()).pairs, 0);
  await scene.leavesNothing(t);
});

await t.test('what bodies take is bounded, whatever their size', async (t) => {
  const scene = await ShadowScene.open(t, {
    idle: () => undefined,
    shadow: { bodyBytesMax: 1_048_576 },
  });
  for (let i = 0; i < 10; i++) t.equal(await scene.ask('/'), ok());
  t.strictSame(scene.results, { sent: 2, dropped: 8 }, '4 MiB are two pairs of 1 MiB');
  await scene.leavesNothing(t);
});
