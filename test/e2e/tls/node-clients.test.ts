// Clients of Node over TLS, through a reload, a switch and an upgrade: fetch with kept connections,
// WebSockets and event streams. Those with a session stay on the release that drains; the others are
// told to come again, in order.

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { skipWithout } from '../../support/installed.ts';
import { serve } from '../../support/serving.ts';
import { HOST, openTlsScene, type Door } from './tls-scene.ts';

const skip = skipWithout('openssl');
const FETCHERS = 2;
const BIG = Buffer.alloc(8 * 1024 * 1024, 'frame ');

interface StreamApp {
  readonly url: string;
  /** Sends an event to all that listen. */
  emit(text: string): void;
}

/** Opens an app of events at `/events`, of WebSockets that say its color first, and of that color elsewhere. */
async function openStreamApp(t: Test, color: string): Promise<StreamApp> {
  const streams = new Set<ServerResponse>();
  const server = createServer((asked, answer) => {
    if (asked.url !== '/events') {
      asked.resume();
      asked.on('end', () => answer.end(color));
      return;
    }
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.write(`data: ${color}\n\n`);
    streams.add(answer);
    answer.on('close', () => streams.delete(answer));
  });
  const sockets = new WebSocketServer({ server, maxPayload: 2 * BIG.length });
  sockets.on('connection', (socket) => {
    socket.send(color);
    socket.on('message', (data, isBinary) => {
      if ((data as Buffer).toString('latin1', 0, 6) === 'leave ')
        socket.close(4_001, 'as you like');
      else socket.send(data, { binary: isBinary });
    });
    socket.on('error', () => {});
  });
  const { port } = await serve(t, server, sockets);
  return {
    url: `http://127.0.0.1:${port}`,
    emit(text) {
      for (const stream of streams) stream.write(`data: ${text}\n\n`);
    },
  };
}

/** A WebSocket that has heard its first word, the color. */
class Tunnel {
  readonly closed: Promise<string>;
  readonly #socket: WebSocket;
  readonly #messages: Buffer[] = [];

  private constructor(t: Test, { host, port, ca }: Door, cookie?: string) {
    const headers = { host: HOST, ...(cookie === undefined ? {} : { cookie }) };
    this.#socket = new WebSocket(`wss://${host}:${port}/`, { ca, headers });
    t.teardown(() => this.#socket.terminate());
    this.#socket.on('error', () => {}); // A close follows.
    this.#socket.on('message', (data) => this.#messages.push(data as Buffer));
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', (code, reason) => resolve(`${code} ${String(reason)}`.trim()));
    });
  }

  static async open(t: Test, door: Door, cookie?: string): Promise<[Tunnel, string]> {
    const tunnel = new Tunnel(t, door, cookie);
    return [tunnel, String(await tunnel.#next())];
  }

  async echo(data: string | Buffer): Promise<Buffer> {
    this.#socket.send(data);
    return this.#next();
  }

  async ping(text: string): Promise<string> {
    const pong = once(this.#socket, 'pong');
    this.#socket.ping(text);
    return String((await pong)[0]);
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  close(code: number): void {
    this.#socket.close(code);
  }

  async #next(): Promise<Buffer> {
    while (this.#messages.length === 0) {
      const which = await Promise.race([once(this.#socket, 'message'), this.closed]);
      if (typeof which === 'string') throw new Error(`closed: ${which}`);
    }
    return this.#messages.shift()!;
  }
}

/** An event stream that fetch reads. */
class Events {
  text = '';
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  private constructor(reader: ReadableStreamDefaultReader<Uint8Array>) {
    this.#reader = reader;
  }

  static async open(base: string, cookie?: string): Promise<Events> {
    const headers = { accept: 'text/event-stream', ...(cookie === undefined ? {} : { cookie }) };
    const answer = await fetch(`${base}/events`, { headers });
    return new Events(answer.body!.getReader());
  }

  /** Reads until `text` has come. */
  async until(text: string): Promise<void> {
    while (!this.text.includes(text)) {
      if (!(await this.#read())) throw new Error(`ended with ${this.text}`);
    }
  }

  /** Reads to the end; rejects where the stream was cut. */
  async rest(): Promise<string> {
    while (await this.#read());
    return this.text;
  }

  async #read(): Promise<boolean> {
    const { done, value } = await this.#reader.read();
    if (value !== undefined) this.text += Buffer.from(value).toString();
    return !done;
  }
}

/** Clients that fetch all the time over kept connections. */
class Fetchers {
  readonly failures = new Set<string>();
  readonly counts = new Map<string, number>();
  #isOver = false;
  readonly #all: Promise<unknown>;

  constructor(base: string) {
    this.#all = Promise.all(Array.from({ length: FETCHERS }, async () => this.#run(base)));
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#all;
  }

  async #run(base: string): Promise<void> {
    for (let count = 0; !this.#isOver && this.failures.size === 0; count++) {
      const options = count % 2 === 0 ? {} : { method: 'POST', body: BIG.subarray(0, 100_000) };
      try {
        const answer = await fetch(base, options);
        const text = `${answer.status} ${await answer.text()}`;
        this.counts.set(text, (this.counts.get(text) ?? 0) + 1);
      } catch (error) {
        this.failures.add(`${String(error)}: ${String((error as Error).cause)}`);
      }
    }
  }
}

await t.test('through a reload, a switch and an upgrade', { skip }, async (t) => {
  const [blue, green] = [await openStreamApp(t, 'blue'), await openStreamApp(t, 'green')];
  const scene = await openTlsScene(t, {
    targets: [blue.url, green.url],
    service: { drain: { longLived: 'cut' } },
    stopDeadline: '2s',
  });
  const { door, plain } = scene;
  // fetch takes no authority for itself.
  tls.setDefaultCACertificates([door.ca]);
  const base = `https://${door.host}:${door.port}`;

  await t.test('frames, pings and closes pass', async (t) => {
    const [one, color] = await Tunnel.open(t, door);
    t.equal(color, 'blue');
    t.ok((await one.echo(BIG)).equals(BIG), 'a frame of 8 MiB');
    t.equal(String(await one.echo('small')), 'small');
    t.equal(await one.ping('are you there'), 'are you there');
    one.send('leave now');
    t.equal(await one.closed, '4001 as you like', 'closed by the app');
    // The one that is built in.
    const own = new globalThis.WebSocket(base.replace('https', 'wss'));
    const [{ data }] = (await once(own, 'message')) as [MessageEvent];
    t.equal(data, 'blue');
    own.close(4_003);
    const [closed] = (await once(own, 'close')) as [CloseEvent];
    t.match(closed, { code: 4_003, wasClean: true });
    const [two] = await Tunnel.open(t, door);
    two.close(4_002);
    t.equal(await two.closed, '4002', 'closed by the client');
  });

  const redirected = await fetch(`http://${plain.host}:${plain.port}/x`);
  t.match([redirected.url, redirected.redirected], [`${base}/x`, true]);
  const cookie = redirected.headers.get('set-cookie')?.split(';', 1)[0];
  t.match(cookie, /^__Host-/);

  const fetchers = new Fetchers(base);
  const [stranger] = await Tunnel.open(t, door);
  const [guest, guestColor] = await Tunnel.open(t, door, cookie);
  const [news, guestNews] = [await Events.open(base), await Events.open(base, cookie)];
  await Promise.all([news.until('data: blue\n\n'), guestNews.until('data: blue\n\n')]);
  t.equal(guestColor, 'blue');

  await scene.reload([], { client: { headSize: '40KiB' } });
  blue.emit('reloaded');
  await Promise.all([news.until('data: reloaded\n\n'), guestNews.until('data: reloaded\n\n')]);
  t.equal(String(await stranger.echo('reloaded')), 'reloaded');
  t.equal(String(await guest.echo('reloaded')), 'reloaded');

  await scene.switchTo('green');
  t.equal(await news.rest(), 'data: blue\n\ndata: reloaded\n\n', 'without a session: ended whole');
  t.equal(await stranger.closed, '1012 service restart');
  t.equal((await Tunnel.open(t, door))[1], 'green');
  blue.emit('switched');
  await guestNews.until('data: switched\n\n');
  t.equal(String(await guest.echo('switched')), 'switched', 'with a session: on blue');
  t.equal((await Tunnel.open(t, door, cookie))[1], 'blue', 'a new one of the session, too');
  t.equal(await (await fetch(base, { headers: { cookie: cookie! } })).text(), 'blue');

  await scene.upgrade();
  const again = await Events.open(base, cookie);
  await again.until('data: blue\n\n');
  t.equal(
    (await Tunnel.open(t, door, cookie))[1],
    'blue',
    'the session goes on in the new process',
  );
  t.equal(await guest.closed, '1012 service restart', 'the old process asks to come again');
  t.match(await guestNews.rest(), /^(data: \w+\n\n)+$/, 'and ends streams after a whole event');
  await fetchers.end();
  t.strictSame([...fetchers.failures], []);
  t.strictSame([...fetchers.counts.keys()].toSorted(), ['200 blue', '200 green']);
  t.comment(JSON.stringify(Object.fromEntries(fetchers.counts)));
});
