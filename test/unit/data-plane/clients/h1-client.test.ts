// One HTTP/1.1 client connection on a real socket, with fakes behind it: requests in order, its
// deadlines, how it stops and goes on reading, and how it ends.

import type { Arrival } from '../../../../src/data-plane/clients/arrival.ts';
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { LINGER_MS, LINGER_SILENCE_MS, PIPELINED_BYTES_MAX } from '../../../../src/base/limits.ts';
import type { ClientServices } from '../../../../src/data-plane/clients/client-services.ts';
import { Crowd } from '../../../../src/data-plane/base/crowd.ts';
import { H1Client } from '../../../../src/data-plane/clients/h1-client.ts';
import { HoldQueue } from '../../../../src/data-plane/routing/hold-queue.ts';
import {
  ACCEPT_OPTIONS,
  takeConnections,
} from '../../../../src/data-plane/transport/accepted-socket.ts';
import type { SettingsPatch } from '../../../support/plane.ts';
import { connectRaw, turns, type RawPeer } from '../../../support/raw-peer.ts';
import { becomes } from '../../../support/shared-counters.ts';
import { GET, HALF, OK, POST } from '../support/exchange-texts.ts';
import { ExchangeWorld } from '../support/exchange-world.ts';
import type { FakeTarget } from '../support/fake-streams.ts';
import { listenOn } from '../support/stream-pair.ts';

/** Nothing was asked of the connection. */
const PLAIN: Arrival = {
  isPreview: false,
  redirectPort: undefined,
  ends: undefined,
  isSecure: false,
  certificateFields: '',
};

/** More than it takes a socket of this process to read what has been sent to it. */
const TURNS_TO_READ = 8;
/** More than the system takes of one socket that nothing reads from. */
const MUCH_BYTES = 16_777_216;

interface Scene {
  readonly world: ExchangeWorld;
  readonly peer: RawPeer;
  readonly refused: string[];
  /** How often the worker was told that the connection has closed. */
  readonly closes: () => number;
  /** Resolves with the stream that carries request number `count`, from 1, once that has come. */
  readonly target: (count: number) => Promise<FakeTarget>;
  readonly stop: () => void;
}

async function open(t: Test, patch: SettingsPatch = {}): Promise<Scene> {
  const world = new ExchangeWorld({ patch, blue: [1] });
  for (const pool of world.pools) pool.mode = 'reuse';
  const refused: string[] = [];
  let closes = 0;
  let isStopping = false;
  const { settings, tally, wheel, clientBuffer, forwarder, viaFields, health } = world;
  const { accessLog, nowhere, requestHead, decided, sightings, clientSightings } = world;
  const { ids, responseBuffer } = world;
  const services: ClientServices = {
    settings,
    tally,
    wheel,
    clientBuffer,
    forwarder,
    viaFields,
    ids,
    responseBuffer,
    health,
    sightings,
    clientSightings,
    accessLog,
    nowhere,
    requestHead,
    holdQueue: new HoldQueue(tally),
    crowd: new Crowd(),
    get isStopping() {
      return isStopping;
    },
    idleMaxMs: settings.client.keepAliveTimeoutMs,
    isTrusted: () => false,
    addressHash: (_head, peer) => peer.addressHash,
    decide: () => decided,
    poolsNow: (side) => side.pools,
    moveOver: () => undefined,
    refused: (code) => refused.push(code),
    clientClosed: () => closes++,
    doorstepLeft: () => {},
    contained: (error) => t.fail(`nothing breaks here: ${String(error)}`),
    shadowOf: () => undefined,
    rescuerOf: () => world.rescuerOf(),
    longLivedBegan: (exchange) => world.longLivedBegan(exchange),
  };
  const server = createServer(ACCEPT_OPTIONS);
  takeConnections(server, (accepted) => {
    const client = new H1Client(services, accepted, PLAIN);
    t.teardown(() => client.cut());
  });
  const address = await listenOn(t, server, 'tcp');
  const peer = await connectRaw(address.kind === 'tcp' ? address.port : 0);
  t.teardown(() => {
    peer.socket.destroy();
    server.close();
  });
  return {
    world,
    peer,
    refused,
    closes: () => closes,
    target: async (count) => {
      await becomes(() => world.targets.length >= count);
      return world.targets[count - 1]!;
    },
    stop: () => {
      isStopping = true;
    },
  };
}

await t.test('pipelined requests are answered in their order, one at a time', async (t) => {
  const { world, peer, target } = await open(t);
  peer.send(GET.replace('/', '/1') + GET.replace('/', '/2') + GET.replace('/', '/3'));
  for (const count of [1, 2, 3]) {
    const one = await target(count);
    t.match(one.text, new RegExp(`^GET /${count} `));
    await turns(TURNS_TO_READ);
    t.equal(world.targets.length, count, 'the next one waits for the response');
    one.says(OK.replace('ok', `n${count}`));
  }
  await peer.until('three responses', () => (peer.text.endsWith('n3') ? true : undefined));
  t.strictSame(peer.text.match(/n\d/g), ['n1', 'n2', 'n3']);
  t.strictSame(world.counted, []);
});

await t.test('a connection that is idle for too long is closed, a busy one is not', async (t) => {
  const { world, peer, target } = await open(t, { client: { keepAliveTimeoutMs: 5_000 } });
  peer.send(GET);
  const busy = await target(1);
  world.passTime(10_000);
  await turns(TURNS_TO_READ);
  t.equal(peer.ending, undefined);
  busy.says(OK);
  await peer.until('response', () => (peer.text === OK ? true : undefined));
  world.passTime(3_000);
  peer.send(GET);
  (await target(2)).says(OK);
  await peer.until('second', () => (peer.text === OK + OK ? true : undefined));
  world.passTime(3_000);
  await turns(TURNS_TO_READ);
  t.equal(peer.ending, undefined, 'each response begins the time anew');
  world.passTime(5_000);
  t.equal(await peer.ended(), 'end');
});

await t.test('a head that does not come in time is refused, however it trickles', async (t) => {
  const { world, peer, refused, closes } = await open(t, { client: { headTimeoutMs: 5_000 } });
  peer.send('GET / HT');
  await turns(TURNS_TO_READ);
  world.passTime(3_000);
  peer.send('TP/1.1');
  await turns(TURNS_TO_READ);
  world.passTime(3_000);
  await peer.until('refusal', () => (peer.text.includes('408') ? true : undefined));
  t.strictSame(refused, ['REQUEST_TIMEOUT']);
  t.equal(await peer.ended(), 'end');
  peer.end();
  t.ok(await becomes(() => closes() === 1));
});

await t.test('what follows a bad head is read and dropped, for a moment', async (t) => {
  const { world, peer, closes } = await open(t);
  peer.send('no HTTP\r\n\r\n');
  t.equal(await peer.ended(), 'end', 'our side ends');
  t.match(peer.text, /^HTTP\/1.1 400 [^]*BAD_REQUEST/);
  peer.send(GET);
  await turns(TURNS_TO_READ);
  t.equal(world.targets.length, 0);
  t.equal(closes(), 0);
  world.passTime(LINGER_SILENCE_MS);
  t.ok(await becomes(() => closes() === 1));
});

/** Resolves once the other side has read all that was sent. */
async function taken(peer: RawPeer): Promise<void> {
  await becomes(() => peer.socket.writableLength === 0);
  await turns(TURNS_TO_READ);
}

await t.test(
  'a client that goes on sending is read and dropped, for so long at most',
  async (t) => {
    const { peer, world, closes } = await open(t);
    peer.send('no HTTP\r\n\r\n');
    await peer.ended();
    const stepMs = LINGER_SILENCE_MS - 1_000;
    for (let passedMs = 0; passedMs + stepMs < LINGER_MS; passedMs += stepMs) {
      peer.send('x'.repeat(PIPELINED_BYTES_MAX));
      await taken(peer);
      world.passTime(stepMs);
      t.equal(closes(), 0);
    }
    peer.send('x'.repeat(PIPELINED_BYTES_MAX));
    await taken(peer);
    world.passTime(stepMs);
    t.ok(await becomes(() => closes() === 1));
  },
);

await t.test('a client that does not read makes its target wait until it does', async (t) => {
  const { peer, target } = await open(t);
  peer.socket.pause();
  peer.send(GET);
  const one = await target(1);
  one.says(`HTTP/1.1 200 OK\r\nContent-Length: ${MUCH_BYTES + 4}\r\n\r\n${'x'.repeat(MUCH_BYTES)}`);
  t.ok(one.isPaused);
  peer.socket.resume();
  t.ok(await becomes(() => !one.isPaused));
  one.says('last');
  await peer.until('all', () => (peer.text.endsWith('xlast') ? true : undefined));
});

await t.test('a client that asks without reading the responses gets no more of them', async (t) => {
  const { world, peer, target } = await open(t);
  peer.socket.pause();
  peer.send(GET);
  (await target(1)).says(
    `HTTP/1.1 200 OK\r\nContent-Length: ${MUCH_BYTES}\r\n\r\n${'x'.repeat(MUCH_BYTES)}`,
  );
  peer.send(GET);
  await turns(TURNS_TO_READ);
  t.equal(world.targets.length, 1);
  peer.socket.resume();
  (await target(2)).says(OK);
  await peer.until('second', () => (peer.text.endsWith(OK) ? true : undefined));
});

await t.test('a client that sends far ahead is not read until it is its turn', async (t) => {
  const { world, peer, target } = await open(t);
  peer.send(GET);
  const one = await target(1);
  const ahead = Math.ceil(MUCH_BYTES / GET.length);
  peer.send(GET.repeat(ahead));
  const { socket } = peer;
  await becomes(() => socket.writableLength > 0 && socket.bytesWritten > PIPELINED_BYTES_MAX);
  await turns(TURNS_TO_READ);
  t.ok(socket.writableLength > 0, 'the system is full');
  t.equal(world.targets.length, 1);
  one.says(OK);
  t.match((await target(2)).text, /^GET /);
  socket.destroy();
});

await t.test('a body that comes faster than the target reads is not read', async (t) => {
  const { world, peer, target } = await open(t);
  peer.send(POST.replace('10', `${MUCH_BYTES}`));
  const one = await target(1);
  one.hasRoom = false;
  peer.send('x'.repeat(MUCH_BYTES));
  t.ok(await becomes(() => one.sentBody.length > 0));
  await turns(TURNS_TO_READ);
  t.ok(one.sentBody.length < MUCH_BYTES);
  one.gives(true);
  t.ok(await becomes(() => one.sentBody.length === MUCH_BYTES));
  one.says(OK);
  await peer.until('response', () => (peer.text === OK ? true : undefined));
  t.strictSame(world.counted, []);
});

await t.test(
  'after its last response a connection is closed, and no request is begun',
  async (t) => {
    const { world, peer, target } = await open(t, { client: { requestsMax: 2 } });
    peer.send(GET.repeat(3));
    (await target(1)).says(OK);
    (await target(2)).says(OK);
    t.equal(await peer.ended(), 'end');
    t.equal(peer.text.split('Connection: close').length, 2, 'it is announced once');
    t.equal(world.targets.length, 2);
  },
);

await t.test('a worker that stops announces the close with the next response', async (t) => {
  const { peer, target, stop } = await open(t);
  peer.send(GET);
  stop();
  (await target(1)).says(OK);
  t.equal(await peer.ended(), 'end');
  t.match(peer.text, /Connection: close/);
});

await t.test('a client that leaves within a response takes its request along', async (t) => {
  const { world, peer, target, closes } = await open(t);
  peer.send(GET);
  const one = await target(1);
  one.says(HALF);
  await peer.until('half', () => (peer.text.endsWith('half') ? true : undefined));
  peer.reset();
  t.ok(await becomes(() => closes() === 1));
  t.ok(one.isClosed);
  t.strictSame(world.counted, []);
  t.strictSame(world.failures, { CLIENT_GONE: 1 });
});
