// Writes past the queue of a socket must look like ordinary ones from outside: the same bytes in
// the same order, the same events, the same errors. Each case runs in both ways, on TCP and on
// Unix sockets, against real peers.

import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import {
  fastWriting,
  plainWriting,
  writingFor,
  type SocketWriting,
} from '../../../../src/data-plane/transport/fast-write.ts';

/** More than any socket of a system takes without a reader. */
const FAR_TOO_MUCH = 24 * 1024 * 1024;
const PIECE = 'x'.repeat(15_000);

const fast = fastWriting();
t.ok(fast, 'this Node writes as it is known to');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

type Kind = 'tcp' | 'unix';

interface Pair {
  /** Ours. */
  readonly socket: net.Socket;
  /** Reads nothing until it is resumed. */
  readonly peer: net.Socket;
  readonly close: () => void;
}

async function openPair(kind: Kind): Promise<Pair> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  const path = join(mkdtempSync(join(tmpdir(), 'fast-write-')), 's');
  if (kind === 'unix') server.listen(path);
  else server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const where =
    kind === 'unix' ? { path } : { host: '127.0.0.1', port: portOf(server), noDelay: true };
  const socket = net.connect({ ...where, allowHalfOpen: true });
  const [peer] = (await once(server, 'connection')) as [net.Socket];
  if (socket.connecting) await once(socket, 'connect');
  peer.on('error', () => {});
  const close = (): void => {
    socket.destroy();
    peer.destroy();
    server.close();
  };
  return { socket, peer, close };
}

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}

/** Everything that comes until the other side ends. */
async function readAll(peer: net.Socket): Promise<string> {
  const parts: Buffer[] = [];
  peer.on('data', (bytes) => parts.push(bytes));
  peer.resume();
  await once(peer, 'end');
  return Buffer.concat(parts).toString('latin1');
}

/** Writes until the system has taken no more; returns what was written. */
function fill(writing: SocketWriting, socket: net.Socket): string {
  let written = '';
  while (socket.writableLength === 0) {
    const piece = `${written.length}:${PIECE}`;
    writing.write(socket, piece);
    written += piece;
    if (written.length > FAR_TOO_MUCH) throw new Error('expected the socket to be full');
  }
  return written;
}

const WAYS = [
  ['fast', fast ?? plainWriting],
  ['plain', plainWriting],
] as const;

for (const kind of ['tcp', 'unix'] as const) {
  for (const [way, writing] of WAYS) {
    const on = `${kind}, ${way}`;

    await t.test(`strings and buffers arrive as they are (${on})`, async (t) => {
      const { socket, peer, close } = await openPair(kind);
      const bytes = Buffer.from([0, 1, 127, 128, 255]);
      t.equal(writing.write(socket, 'a\xff\0'), true);
      t.equal(writing.write(socket, bytes), true);
      t.equal(writing.write(socket, ''), true);
      const isTaken = writing.writeView(socket, Buffer.from('view'), () => {});
      t.equal(isTaken, way === 'fast');
      t.equal(socket.writableLength, 0);
      t.equal(socket.bytesWritten, 12);
      socket.end('.');
      t.equal(await readAll(peer), `a\xff\0${bytes.toString('latin1')}view.`);
      close();
    });

    await t.test(
      `what the system does not take waits in the socket, in order (${on})`,
      async (t) => {
        const { socket, peer, close } = await openPair(kind);
        let written = fill(writing, socket);
        t.ok(socket.writableLength > 0, 'as much waits as an ordinary write counts');
        const late = 'y'.repeat(socket.writableHighWaterMark);
        t.equal(writing.write(socket, late), false, 'there is no room');
        t.equal(writing.write(socket, Buffer.from('z')), false);
        written += `${late}z`;
        t.equal(socket.bytesWritten, written.length);
        const drained = once(socket, 'drain');
        const arrived = readAll(peer);
        await drained;
        t.equal(socket.writableLength, 0);
        t.equal(writing.write(socket, 'again'), true, 'and it goes on');
        socket.end();
        t.equal(await arrived, `${written}again`);
        close();
      },
    );

    await t.test(`a socket is filled and drained again and again (${on})`, async (t) => {
      const { socket, peer, close } = await openPair(kind);
      const arrived = readAll(peer);
      let written = '';
      for (let round = 0; round < 5; round++) {
        peer.pause();
        written += fill(writing, socket);
        collectGarbage();
        const flushed = Promise.withResolvers<void>();
        const view = Buffer.alloc(100_000, `${round}`);
        t.equal(writing.writeView(socket, view, flushed.resolve), false);
        written += view.toString('latin1');
        peer.resume();
        await flushed.promise;
        // Inside the callback of a waiting write, the next one already takes its way.
        const first = once(socket, 'drain');
        writing.write(socket, `<${round}>`);
        written += `<${round}>`;
        if (socket.writableNeedDrain) await first;
      }
      socket.end();
      t.equal(await arrived, written);
      close();
    });

    await t.test(
      `a write from within the drain of another finds a free request (${on})`,
      async (t) => {
        const { socket, peer, close } = await openPair(kind);
        let written = fill(writing, socket);
        const late = 'y'.repeat(socket.writableHighWaterMark);
        writing.write(socket, late);
        written += late;
        const arrived = readAll(peer);
        let fills = 0;
        const refilled = new Promise<void>((resolve) => {
          const more = (): void => {
            written += fill(writing, socket);
            writing.write(socket, late);
            written += late;
            fills++;
            if (fills === 4) resolve();
            else socket.once('drain', more);
          };
          socket.once('drain', more);
        });
        await refilled;
        socket.end();
        t.equal(await arrived, written);
        close();
      },
    );

    await t.test(`a view that waits is told of when it has been taken (${on})`, async (t) => {
      const { socket, peer, close } = await openPair(kind);
      const view = Buffer.alloc(FAR_TOO_MUCH, 'v');
      let calls = 0;
      const flushed = new Promise<void>((resolve) => {
        const isTaken = writing.writeView(socket, view, () => {
          calls++;
          resolve();
        });
        t.equal(isTaken, false);
      });
      t.equal(socket.writableLength, view.length);
      collectGarbage();
      const arrived = readAll(peer);
      await flushed;
      t.equal(socket.writableLength, 0);
      socket.end();
      t.equal((await arrived).length, view.length);
      t.equal(calls, 1);
      close();
    });

    await t.test(`an end comes after all that waits (${on})`, async (t) => {
      const { socket, peer, close } = await openPair(kind);
      const written = fill(writing, socket);
      let isFinished = false;
      socket.end(() => {
        isFinished = true;
      });
      t.equal(isFinished, false);
      t.equal(await readAll(peer), written);
      t.equal(isFinished, true);
      close();
    });

    await t.test(
      `a socket that is corked sends nothing before it is uncorked (${on})`,
      async (t) => {
        const { socket, peer, close } = await openPair(kind);
        socket.cork();
        writing.write(socket, 'a');
        t.equal(socket.bytesWritten, 1);
        t.equal(socket.writableLength, 1, 'it waits');
        writing.write(socket, Buffer.from('b'));
        socket.uncork();
        writing.write(socket, 'c');
        socket.end();
        t.equal(await readAll(peer), 'abc');
        close();
      },
    );

    await t.test(`a destroyed socket drops what waits, and says so once (${on})`, async (t) => {
      const { socket, close } = await openPair(kind);
      fill(writing, socket);
      const events: string[] = [];
      socket.on('error', () => events.push('error'));
      socket.on('drain', () => events.push('drain'));
      const flushed = new Promise((resolve) => {
        writing.writeView(socket, Buffer.from('v'), () => {
          events.push('flushed');
          resolve(undefined);
        });
      });
      const closed = once(socket, 'close');
      socket.destroy();
      collectGarbage();
      await Promise.all([closed, flushed]);
      t.strictSame(events, ['flushed']);
      t.equal(writing.write(socket, 'late'), false);
      close();
    });

    await t.test(`a peer that resets is an error of the socket (${on})`, async (t) => {
      const { socket, peer, close } = await openPair(kind);
      fill(writing, socket);
      const failed = once(socket, 'error') as Promise<[NodeJS.ErrnoException]>;
      peer.destroy();
      const [error] = await failed;
      t.match(error.code, /^(EPIPE|ECONNRESET)$/);
      if (!socket.closed) await once(socket, 'close');
      close();
    });

    await t.test(`an error at once is that of an ordinary write (${on})`, async (t) => {
      const { socket, peer, close } = await openPair(kind);
      // The peer is gone, and our side has not read that yet.
      socket.pause();
      const gone = once(peer, 'close');
      peer.destroy();
      await gone;
      const failed = once(socket, 'error') as Promise<[NodeJS.ErrnoException]>;
      const closed = new Promise<boolean>((resolve) => {
        socket.once('close', resolve);
      });
      // The first may still be taken; what comes back then makes the next one fail.
      let turns = 0;
      while (!socket.errored && turns < 1_000) {
        writing.write(socket, 'x');
        turns++;
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
      const [error] = await failed;
      t.match(error.code, /^(EPIPE|ECONNRESET)$/);
      t.equal(await closed, true, 'closed with an error');
      close();
    });

    await t.test(`progress of a waiting write puts the timeout off (${on})`, async (t) => {
      const { socket, peer, close } = await openPair(kind);
      let stalls = 0;
      socket.on('timeout', () => stalls++);
      writing.writeView(socket, Buffer.alloc(FAR_TOO_MUCH), () => {});
      peer.resume();
      while (peer.bytesRead < FAR_TOO_MUCH / 4) await once(peer, 'data');
      peer.pause();
      // Node's timer calls this; it looks whether less waits than when it last looked.
      const deadline = (): void => Reflect.apply(Reflect.get(socket, '_onTimeout'), socket, []);
      deadline();
      t.equal(stalls, 0);
      deadline();
      t.equal(stalls, 1, 'nothing was taken in between');
      close();
    });
  }

  await t.test(`both ways may be mixed on one socket (${kind})`, async (t) => {
    const { socket, peer, close } = await openPair(kind);
    let written = '';
    for (let count = 0; count < 200; count++) {
      const piece = `${count},${'m'.repeat((count * 7_919) % 40_000)}`;
      WAYS[count % 2]![1].write(socket, piece);
      written += piece;
    }
    socket.end();
    t.equal(await readAll(peer), written);
    close();
  });
}

await t.test('a socket that still connects takes the documented way', async (t) => {
  const server = net.createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = net.connect({ host: '127.0.0.1', port: portOf(server) });
  (fast ?? plainWriting).write(socket, 'early');
  t.equal(socket.writableLength, 5, 'it waits for the connection');
  const [peer] = (await once(server, 'connection')) as [net.Socket];
  socket.end();
  t.equal(await readAll(peer), 'early');
  peer.destroy();
  server.close();
});

await t.test('the way is chosen by the kind of socket', async (t) => {
  t.not(writingFor(new net.Socket()), plainWriting);
  const encrypted = Object.assign(new net.Socket(), { encrypted: true });
  t.equal(writingFor(encrypted), plainWriting, 'TLS does more than write');
});

type Change = (this: net.Socket, piece: string | Buffer) => boolean;

function passPlain(this: net.Socket, piece: string | Buffer): boolean {
  const { _handle: handle } = this as unknown as {
    _handle: Record<string, (request: unknown, piece: unknown) => number>;
  };
  handle[typeof piece === 'string' ? 'writeLatin1String' : 'writeBuffer']!({}, piece);
  return true;
}

await t.test('where Node goes about it otherwise, there is no fast way', async (t) => {
  const changes: Readonly<Record<string, Change>> = {
    'throws on an unknown handle': () => {
      throw new Error('no such handle');
    },
    'writes later': () => true,
    'passes something plain': passPlain,
  };
  for (const [name, change] of Object.entries(changes)) {
    // Reported only afterwards: the report may go through a socket as well.
    Object.defineProperty(net.Socket.prototype, 'write', { configurable: true, value: change });
    const found = fastWriting();
    Reflect.deleteProperty(net.Socket.prototype, 'write');
    t.equal(found, undefined, name);
  }
  t.ok(fastWriting());
});
