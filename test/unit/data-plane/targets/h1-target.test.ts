// One HTTP/1.1 connection to a target on a real socket, with a fake pool and fake requests: reuse,
// deadlines, where responses end, and what a request is told when a connection is lost.

import { createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { INFORMATIONAL_MAX } from '../../../../src/base/limits.ts';
import { NO_CERTIFICATES } from '../../../../src/contract/certificates.ts';
import { TargetTls } from '../../../../src/contract/target-tls.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import { endpointOffset, ENDPOINT_ROW, workerRegion } from '../../../../src/contract/counters.ts';
import { Tally } from '../../../../src/data-plane/base/tally.ts';
import { Wheel } from '../../../../src/data-plane/base/wheel.ts';
import { H1Target, type TargetOwner } from '../../../../src/data-plane/targets/h1-target.ts';
import { ReadBuffers } from '../../../../src/data-plane/targets/read-buffer.ts';
import { ResponseHead } from '../../../../src/http/heads/response-head.ts';
import { testSettings, type SettingsPatch } from '../../../support/plane.ts';
import { RawPeer, turns } from '../../../support/raw-peer.ts';
import { becomes } from '../../../support/shared-counters.ts';
import { GET, HALF, OK, SWITCHING } from '../support/exchange-texts.ts';
import { FakeRequest } from '../support/fake-request.ts';
import { listenOn } from '../support/stream-pair.ts';

/** More than it takes a socket of this process to read what has been sent to it. */
const TURNS_TO_READ = 8;
const HINTS = 'HTTP/1.1 103 Early Hints\r\n\r\n';

/** A pool of one connection, which writes down what it is told. */
class OnePool implements TargetOwner {
  readonly endpoint;
  readonly told: string[] = [];
  /** The next call throws. */
  isBroken = false;

  constructor(address: TargetOwner['endpoint']['address']) {
    this.endpoint = { address, slot: 0 };
  }

  release(connection: H1Target): void {
    this.#heard('released');
    connection.rest();
  }

  closed(): void {
    this.#heard('closed');
  }

  #heard(word: string): void {
    this.told.push(word);
    if (!this.isBroken) return;
    this.isBroken = false;
    throw new Error('the pool is broken');
  }
}

interface Scene {
  readonly pool: OnePool;
  readonly target: H1Target;
  readonly request: FakeRequest;
  /** The end of the target. */
  readonly peer: RawPeer;
  readonly errors: unknown[];
  /** Requests that the target answered, and that it failed. */
  counted(): readonly [answered: number, failed: number];
  passTime(ms: number): void;
}

/** Opens a connection that carries a GET, and resolves once the target has got it. */
async function open(t: Test, patch: SettingsPatch = {}): Promise<Scene> {
  const settings = testSettings(patch);
  const wheel = new Wheel();
  const errors: unknown[] = [];
  const region = workerRegion(allocateSharedMemory(1).counters, 0);
  const services = {
    settings,
    wheel,
    tally: new Tally(region),
    responseHead: new ResponseHead(settings.upstream),
    readBuffers: new ReadBuffers(),
    targetTls: new TargetTls(NO_CERTIFICATES),
    contained: (error: unknown) => errors.push(error),
  };
  const server = createServer({ allowHalfOpen: true });
  const accepted = new Promise<Socket>((resolve) => {
    server.once('connection', resolve);
  });
  const pool = new OnePool(await listenOn(t, server, 'tcp'));
  const request = new FakeRequest(GET);
  const target = new H1Target(services, pool, request);
  const peer = new RawPeer(await accepted);
  t.teardown(() => {
    target.close();
    peer.socket.destroy();
    server.close();
  });
  await peer.until('request', () => (peer.text === GET ? true : undefined));
  return {
    pool,
    target,
    request,
    peer,
    errors,
    counted: () =>
      [ENDPOINT_ROW.answered, ENDPOINT_ROW.failed].map(
        (row) => region[endpointOffset(0) + row]!,
      ) as [number, number],
    passTime: (ms) => wheel.advance(Math.ceil(ms / 100) + 2),
  };
}

/** Lets the target say `text` and resolves once the request was told `last`. */
async function says({ peer, request }: Scene, text: string, last: string): Promise<void> {
  peer.send(text);
  if (!(await becomes(() => request.told.at(-1) === last))) {
    throw new Error(`expected ${last} at last, got ${request.told.join(', ')}`);
  }
}

await t.test('a connection serves one request after the other', async (t) => {
  const scene = await open(t);
  await says(scene, OK, 'whole');
  t.strictSame(scene.request.told, ['head 200', 'body ok', 'whole']);
  t.strictSame(scene.pool.told, ['released']);
  t.equal(scene.request.stream, undefined);
  const next = new FakeRequest(GET);
  scene.target.carry(next);
  await scene.peer.until('second', () => (scene.peer.text === GET + GET ? true : undefined));
  await says({ ...scene, request: next }, OK, 'whole');
  t.strictSame(scene.pool.told, ['released', 'released']);
  t.equal(scene.request.told.length, 3, 'the first one hears nothing of it');
});

await t.test('bytes on an idle connection close it', async (t) => {
  const scene = await open(t);
  await says(scene, OK, 'whole');
  scene.peer.send(OK);
  t.ok(await becomes(() => scene.pool.told.includes('closed')));
  t.equal(scene.request.told.length, 3);
});

await t.test('bytes behind a response close it: they answer no request', async (t) => {
  const scene = await open(t);
  await says(scene, OK + OK, 'whole');
  t.strictSame(scene.request.told, ['head 200', 'body ok', 'whole']);
  t.strictSame(scene.pool.told, ['closed']);
});

await t.test('an idle connection is closed after its time, or what the target says', async (t) => {
  for (const [keepAlive, afterMs] of [
    ['', 4_000],
    ['Keep-Alive: timeout=3\r\n', 2_000],
  ] as const) {
    const scene = await open(t, { upstream: { idleTimeoutMs: 4_000 } });
    await says(scene, OK.replace('\r\n', `\r\n${keepAlive}`), 'whole');
    scene.passTime(1_000);
    t.strictSame(scene.pool.told, ['released']);
    scene.passTime(afterMs - 1_000);
    t.strictSame(scene.pool.told, ['released', 'closed']);
  }
});

await t.test('a body without a length ends with the connection', async (t) => {
  const scene = await open(t);
  await says(scene, 'HTTP/1.1 200 OK\r\n\r\npart', 'body part');
  scene.peer.end();
  t.ok(await becomes(() => scene.request.told.at(-1) === 'whole'));
  t.strictSame(scene.request.told, ['head 200', 'body part', 'body ', 'whole']);
  t.strictSame(scene.pool.told, ['closed']);
});

await t.test('hints are handed on, up to a bound', async (t) => {
  const few = await open(t);
  await says(few, HINTS.repeat(INFORMATIONAL_MAX) + OK, 'whole');
  t.equal(few.request.told.filter((one) => one === 'informational 103').length, INFORMATIONAL_MAX);
  const many = await open(t);
  await says(many, HINTS.repeat(INFORMATIONAL_MAX + 1), 'failed UPSTREAM_BAD_RESPONSE');
  t.strictSame(many.pool.told, ['closed']);
});

await t.test('a head may come in any pieces', async (t) => {
  const scene = await open(t);
  for (const piece of OK) {
    scene.peer.send(piece);
    await turns(TURNS_TO_READ);
  }
  t.ok(await becomes(() => scene.request.told.at(-1) === 'whole'));
  t.equal(scene.request.body, 'ok');
});

await t.test('a request is told why its connection was lost', async (t) => {
  const patch = { upstream: { headTimeoutMs: 1_000, bodyIdleTimeoutMs: 1_000 } };
  const late = await open(t, patch);
  late.passTime(1_000);
  t.strictSame(late.request.told, ['failed UPSTREAM_TIMEOUT']);
  const stalled = await open(t, patch);
  await says(stalled, HALF, 'body half');
  stalled.passTime(1_000);
  t.equal(stalled.request.told.at(-1), 'failed UPSTREAM_STALLED');
  const closed = await open(t);
  closed.peer.end();
  t.ok(await becomes(() => closed.request.told.at(-1) === 'closed, fresh'));
  const aborted = await open(t);
  await says(aborted, HALF, 'body half');
  aborted.peer.reset();
  t.ok(await becomes(() => aborted.request.told.at(-1) === 'failed UPSTREAM_ABORTED'));
  const stale = await open(t);
  await says(stale, OK, 'whole');
  const next = new FakeRequest(GET);
  stale.target.carry(next);
  stale.peer.reset();
  t.ok(await becomes(() => next.told.at(-1) === 'closed, stale'));
  for (const { pool } of [late, stalled, closed, aborted, stale])
    t.equal(pool.told.at(-1), 'closed');
  t.strictSame(late.counted(), [0, 1]);
  t.strictSame(
    stalled.counted(),
    [1, 0],
    'it has answered: what became of the rest is not counted',
  );
  t.strictSame(closed.counted(), [0, 1]);
  t.strictSame(stale.counted(), [1, 0], 'a used connection that closes says nothing');
});

await t.test('each response counts once for its target, by its status', async (t) => {
  for (const [text, last, counted] of [
    [OK, 'whole', [1, 0]],
    [OK.replace('200', '404'), 'whole', [1, 0]],
    [HINTS + OK.replace('200', '503'), 'whole', [0, 1]],
    ['no HTTP\r\n\r\n', 'failed UPSTREAM_BAD_RESPONSE', [0, 1]],
    [SWITCHING, 'failed UPSTREAM_BAD_RESPONSE', [0, 1]],
  ] as const) {
    const scene = await open(t);
    await says(scene, text, last);
    t.strictSame(scene.counted(), counted, text);
  }
});

await t.test('a request that is given up counts for nothing', async (t) => {
  const scene = await open(t);
  scene.target.abandon(true);
  t.ok(await becomes(() => scene.pool.told.includes('closed')));
  t.strictSame(scene.counted(), [0, 0]);
});

await t.test('a client that is slow is no fault of the target', async (t) => {
  const scene = await open(t, { upstream: { bodyIdleTimeoutMs: 1_000 } });
  scene.request.isFull = true;
  await says(scene, HALF, 'body half');
  scene.passTime(5_000);
  scene.peer.send(' done');
  await turns(TURNS_TO_READ);
  t.equal(scene.request.body, 'half', 'it is not read meanwhile');
  scene.request.isFull = false;
  scene.target.resumeReading();
  t.ok(await becomes(() => scene.request.told.at(-1) === 'whole'));
  t.equal(scene.request.body, 'half done');
});

await t.test('a target that switches protocols unasked is refused', async (t) => {
  const scene = await open(t);
  await says(scene, SWITCHING, 'failed UPSTREAM_BAD_RESPONSE');
});

for (const [name, text, last] of [
  ['a whole response', OK, 'whole'],
  ['no response', 'no HTTP\r\n\r\n', 'failed UPSTREAM_BAD_RESPONSE'],
] as const) {
  await t.test(`a pool that throws keeps no request from hearing of ${name}`, async (t) => {
    const scene = await open(t);
    scene.pool.isBroken = true;
    await says(scene, text, last);
    t.match(scene.errors, [{ message: 'the pool is broken' }]);
    t.ok(await becomes(() => scene.peer.ending !== undefined), 'the connection is closed');
  });
}
