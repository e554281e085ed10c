// Bodies over TLS, both ways: large ones with a slow end, 100-continue, HEAD, pipelined requests,
// trailers, clients that vanish within a body, and such that have said that they send no more.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, createServer as createSecureServer, request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import tls, { type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { skipWithout } from '../../support/installed.ts';
import { serve } from '../../support/serving.ts';
import { pki } from '../../unit/control-plane/support/pki.ts';
import { HOST, openTlsScene, type Door } from './tls-scene.ts';

const skip = skipWithout('openssl');
const PIECE = randomBytes(1024 * 1024);
const PIECES = 50;
/** How many reads a slow end makes between two pauses. */
const READS_AT_ONCE = 4;

/** No two are the same: bytes in the wrong place show. */
function* pieces(count: number): Generator<Buffer> {
  for (let i = 0; i < count; i++) {
    yield Buffer.concat([PIECE.subarray(i * 1_001), PIECE.subarray(0, i * 1_001)]);
  }
}

function hashOfPieces(count: number): string {
  const hash = createHash('sha256');
  for (const piece of pieces(count)) hash.update(piece);
  return hash.digest('hex');
}

/** Reads all with pauses, and returns a hash of it. */
async function slowHash(stream: IncomingMessage): Promise<string> {
  const hash = createHash('sha256');
  let reads = 0;
  for await (const part of stream) {
    hash.update(part as Buffer);
    if (++reads % READS_AT_ONCE === 0) for (let i = 0; i < 10; i++) await turn();
  }
  return hash.digest('hex');
}

class App {
  /** Requests of which a part has come. */
  readonly #begun = new Set<string>();
  /** Requests whose client went away before their end. */
  readonly #gone = new Set<string>();
  readonly #news = new EventTarget();

  readonly answer = (asked: IncomingMessage, answer: ServerResponse): void => {
    const path = asked.url ?? '';
    const closed = (): void => {
      if (!answer.writableFinished) this.#note(this.#gone, path);
    };
    answer.on('close', closed);
    asked.once('data', () => this.#note(this.#begun, path));
    asked.on('error', () => {});
    this.#answer(path, asked, answer).catch(() => answer.destroy());
  };

  async untilBegun(path: string): Promise<void> {
    while (!this.#begun.has(path)) await once(this.#news, 'news');
  }

  async untilGone(path: string): Promise<void> {
    while (!this.#gone.has(path)) await once(this.#news, 'news');
  }

  #note(where: Set<string>, path: string): void {
    where.add(path);
    this.#news.dispatchEvent(new Event('news'));
  }

  async #answer(path: string, asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    if (path.startsWith('/big')) {
      answer.setHeader('content-length', PIECE.length * PIECES);
      Readable.from(pieces(PIECES)).pipe(answer);
    } else if (path.startsWith('/echo')) {
      answer.flushHeaders();
      asked.pipe(answer);
    } else if (path.startsWith('/hash')) {
      const hash = await slowHash(asked);
      answer.setHeader('trailer', 'x-after');
      answer.write(`${hash} ${asked.trailers['x-sum'] ?? ''}`);
      answer.addTrailers({ 'x-after': 'all of it' });
      answer.end();
    } else answer.end(`at ${path}`);
  }
}

const app = new App();

interface Raw {
  readonly socket: TLSSocket;
  /** The TCP connection under it. */
  readonly below: Socket;
}

/** How clients leave. */
const LEAVING: Readonly<Record<string, (raw: Raw) => void>> = {
  'says-goodbye': ({ socket }) => socket.end(),
  closes: ({ socket }) => socket.destroy(),
  'closes-without-a-word': ({ below }) => below.destroy(),
  resets: ({ below }) => below.resetAndDestroy(),
};

/** Opens a raw connection that may say that it sends no more, and read on. */
async function rawTo(t: Test, { host, port, servername, ca }: Door): Promise<Raw> {
  const below = connect({ host, port, allowHalfOpen: true });
  t.teardown(() => below.destroy());
  const socket = tls.connect({ socket: below, servername, ca });
  await once(socket, 'secureConnect');
  return { socket, below };
}

/** Resolves with all that comes, and how it ended. */
async function allOf(socket: TLSSocket): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('latin1');
}

function get(path: string, more = ''): string {
  return `GET ${path} HTTP/1.1\r\nhost: ${HOST}\r\n${more}\r\n`;
}

function post(path: string, length: number): string {
  return get(path, `content-length: ${length}\r\n`).replace('GET', 'POST');
}

const CLOSE = 'connection: close\r\n';

await t.test('bodies over TLS', { skip }, async (t) => {
  const { port } = await serve(t, createServer(app.answer));
  const { cert, certText, keyText } = pki(t).issue('target.test', { names: 'IP:127.0.0.1' });
  const secure = await serve(t, createSecureServer({ cert: certText, key: keyText }, app.answer));
  const scene = await openTlsScene(t, {
    targets: [`http://127.0.0.1:${port}`, `https://127.0.0.1:${secure.port}`],
    service: { upstreamTls: { ca: cert } },
    workers: 1,
  });
  const { door } = scene;
  const agent = new Agent({ ...door, keepAlive: true });
  t.teardown(() => agent.destroy());
  const expected = hashOfPieces(PIECES);
  const begin = (method: string, path: string, headers: Record<string, string> = {}) =>
    request({ ...door, agent, method, path, headers: { host: HOST, ...headers } });

  const large = async (t: Test): Promise<void> => {
    await t.test('50 MiB to a client that reads slowly', async (t) => {
      const asked = begin('GET', '/big').end();
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      t.equal(await slowHash(answer), expected);
    });

    await t.test('50 MiB to a target that reads slowly, with trailers both ways', async (t) => {
      const asked = begin('POST', '/hash', { 'transfer-encoding': 'chunked', trailer: 'x-sum' });
      asked.addTrailers([['x-sum', 'mine']]);
      Readable.from(pieces(PIECES)).pipe(asked);
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      let text = '';
      for await (const part of answer) text += String(part);
      t.equal(text, `${expected} mine`);
      t.match(answer.trailers, { 'x-after': 'all of it' });
    });

    await t.test('both ways at once', async (t) => {
      const asked = begin('POST', '/echo');
      Readable.from(pieces(16)).pipe(asked);
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      t.equal(await slowHash(answer), hashOfPieces(16));
    });
  };
  await t.test('large ones, from and to http', async (t) => large(t));
  await scene.switchTo('green');
  await t.test('large ones, from and to https', async (t) => large(t));

  await t.test('a client that waits for 100-continue', async (t) => {
    const asked = begin('POST', '/hash', { expect: '100-continue', 'content-length': '5' });
    asked.flushHeaders();
    await once(asked, 'continue');
    asked.end('hello');
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    t.equal(await slowHash(answer).then(() => answer.statusCode), 200);
  });

  await t.test('HEAD and GET, twenty pipelined requests, in their order', async (t) => {
    const { socket } = await rawTo(t, door);
    const paths = Array.from({ length: 20 }, (_, index) => `/${index}`);
    const head = get('/big').replace('GET', 'HEAD');
    socket.write(head + paths.map((path) => get(path)).join('') + get('/last', CLOSE));
    const text = await allOf(socket);
    t.match(text, /^HTTP\/1\.1 200 OK\r\ncontent-length: 52428800\r\n/i);
    const bodies = [...text.matchAll(/\r\n\r\n(at \/(?:\d+|last))/g)].map(([, body]) => body);
    t.strictSame(
      bodies,
      [...paths, '/last'].map((path) => `at ${path}`),
    );
    t.equal(text.split('HTTP/1.1 200').length, 23);
  });

  await t.test('a client that has said that it sends no more gets its answer', async (t) => {
    const { socket: small } = await rawTo(t, door);
    small.end(get('/half', CLOSE));
    t.match(await allOf(small), /^HTTP\/1\.1 200 [^]*at \/half$/);
    const { socket: kept } = await rawTo(t, door);
    kept.end(get('/one') + get('/two'));
    t.match(await allOf(kept), /^HTTP\/1\.1 200 [^]*at \/oneHTTP\/1\.1 200 [^]*at \/two$/);
    const { socket: large } = await rawTo(t, door);
    large.end(get('/big?half'));
    const text = await allOf(large);
    const body = Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1');
    t.equal(createHash('sha256').update(body).digest('hex'), expected);
  });

  await t.test('a client that vanishes within a body', async (t) => {
    for (const [name, leave] of Object.entries(LEAVING)) {
      const down = await rawTo(t, door);
      down.socket.on('error', () => {});
      down.socket.write(get(`/big?${name}`));
      await once(down.socket, 'data');
      down.socket.pause();
      if (name === 'says-goodbye') down.socket.destroy();
      else leave(down);
      await app.untilGone(`/big?${name}`);
      const up = await rawTo(t, door);
      up.socket.on('error', () => {});
      up.socket.write(post(`/hash?${name}`, PIECE.length));
      up.socket.write(PIECE.subarray(0, PIECE.length / 2));
      await app.untilBegun(`/hash?${name}`);
      leave(up);
      await app.untilGone(`/hash?${name}`);
    }
    const asked = begin('GET', '/after').end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    t.equal(answer.statusCode, 200);
    answer.resume();
  });
});
