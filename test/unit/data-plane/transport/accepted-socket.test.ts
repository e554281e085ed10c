// Accepted connections become sockets in three ways: around the handle that the server gives, around
// the handle of the socket that Node has made, and where Node's inside looks different, by `data`
// events. Every wire case must come out alike by events, uncut and cut.

import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { once } from 'node:events';
import { constants as osConstants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { PLAIN } from '../../../support/wire-transport.ts';
import t from 'tap';
import {
  ACCEPT_OPTIONS,
  readInto,
  refuse,
  takeConnections,
  type Accepted,
} from '../../../../src/data-plane/transport/accepted-socket.ts';
import { openTestPlane, type TestPlane } from '../../../support/plane.ts';
import { connectRaw } from '../../../support/raw-peer.ts';
import { parseWireCases, type WireCase } from '../../../support/wire-case.ts';
import { cutsOf, WireBench } from '../../../support/wire-run.ts';

const WIRE = new URL('../../../wire/', import.meta.url);

/** Cuts tried for each case beside none at all; all of them are tried by the wire tests. */
const CUTS_PER_CASE = 4;

type OnConnection = (error: number, accepted: { useUserBuffer: unknown }) => void;

interface Inside {
  readonly _handle: { onconnection: OnConnection | undefined };
}

/** Lets the connections of `server` look as if Node had changed inside. */
function hideUserBuffer(server: net.Server, count: () => void): void {
  server.once('listening', () => {
    // After all who listen for the same event.
    queueMicrotask(() => {
      const { _handle: handle } = server as unknown as Inside;
      const before = handle.onconnection!;
      handle.onconnection = function onConnection(error, accepted) {
        accepted.useUserBuffer = undefined;
        count();
        before.call(this, error, accepted);
      };
    });
  });
}

/** Lets the handle of `server` look as if Node called something else when a client comes in. */
function hideOnConnection(server: net.Server): void {
  server.prependOnceListener('listening', () => {
    const { _handle: handle } = server as unknown as Inside;
    const { onconnection } = handle;
    handle.onconnection = undefined;
    queueMicrotask(() => {
      handle.onconnection = onconnection;
    });
  });
}

/** While `run` opens servers, their connections have no user buffer. */
async function withoutUserBuffer<T>(count: () => void, run: () => Promise<T>): Promise<T> {
  const { createServer } = net;
  const patched = (options: net.ServerOpts): net.Server => {
    const server = createServer(options);
    hideUserBuffer(server, count);
    return server;
  };
  net.createServer = patched as typeof net.createServer;
  try {
    return await run();
  } finally {
    net.createServer = createServer;
  }
}

const files = readdirSync(WIRE).filter((name) => name.endsWith('.md') && name !== 'README.md');
const cases = files.flatMap((file) =>
  parseWireCases(file, readFileSync(new URL(file, WIRE), 'utf8')),
);

await t.test(`${cases.length} wire cases come out alike through data events`, async (t) => {
  const bench = await WireBench.open(PLAIN);
  const planes = new Map<string, TestPlane>();
  let accepted = 0;
  const planeFor = async (wireCase: WireCase): Promise<TestPlane> => {
    const key = JSON.stringify(wireCase.settings);
    const known = planes.get(key);
    if (known !== undefined) return known;
    const targets = { blue: [bench.origin.port], green: [] };
    const plane = await withoutUserBuffer(
      () => accepted++,
      () => openTestPlane(targets, wireCase.settings),
    );
    planes.set(key, plane);
    return plane;
  };
  let runs = 0;
  for (const wireCase of cases) {
    const plane = await planeFor(wireCase);
    const cuts = cutsOf(wireCase);
    const step = Math.max(1, Math.floor(cuts.length / CUTS_PER_CASE));
    const some = cuts.filter((_, index) => index % step === 0);
    for (const cut of [undefined, ...some]) {
      const fault = await bench.run(plane, wireCase, cut);
      runs++;
      if (fault !== undefined) t.fail(`${wireCase.name}: ${fault}`);
    }
  }
  t.ok(accepted >= runs, `${accepted} connections were read by events`);
  await Promise.all([...planes.values()].map((plane) => plane.stop()));
  await bench.origin.close();
});

const WAYS = ['handle', 'socket', 'events'] as const;

/** A server whose connections come in as `way` says, and the first of them. */
async function openServer(
  way: (typeof WAYS)[number],
  where: net.ListenOptions,
): Promise<{ readonly server: net.Server; readonly accepted: Promise<Accepted> }> {
  const server = net.createServer({ ...ACCEPT_OPTIONS, noDelay: true });
  const { promise, resolve } = Promise.withResolvers<Accepted>();
  takeConnections(server, resolve);
  if (way === 'socket') hideOnConnection(server);
  if (way === 'events') hideUserBuffer(server, () => {});
  server.listen(where);
  await once(server, 'listening');
  return { server, accepted: promise };
}

const TCP = { host: '127.0.0.1', port: 0 };

for (const way of WAYS) {
  await t.test(`bytes, pauses and the end arrive (${way})`, async (t) => {
    const buffer = Buffer.alloc(1_000);
    const { server, accepted } = await openServer(way, TCP);
    const received: string[] = [];
    const client = await connectRaw((server.address() as net.AddressInfo).port);
    const socket = await accepted.then((found) => {
      t.equal(found instanceof net.Socket, way !== 'handle');
      return readInto(
        found,
        () => buffer,
        (bytes, length) => {
          received.push(bytes.toString('latin1', 0, length));
          return true;
        },
      );
    });
    t.equal(socket.remotePort, client.socket.localPort);
    client.send('one');
    await wait(() => received.length === 1);
    socket.pause();
    client.send('two');
    socket.write('ping');
    await client.until('ping', () => (client.text === 'ping' ? true : undefined));
    t.strictSame(received, ['one'], 'nothing is read while paused');
    socket.resume();
    client.send('x'.repeat(5_000));
    await wait(() => received.join('').length === 5_006);
    if (way !== 'events') t.ok(received.every((part) => part.length <= 1_000));
    t.equal(received.join(''), `onetwo${'x'.repeat(5_000)}`);
    const ended = once(socket, 'end');
    client.end();
    await ended;
    t.equal(socket.writable, true, 'the other half is still open');
    const closed = once(socket, 'close');
    socket.end('bye');
    await closed;
    await client.until('bye', () => (client.text === 'pingbye' ? true : undefined));
    client.socket.destroy();
    server.close();
  });

  await t.test(`what was sent before the socket is made is not lost (${way})`, async (t) => {
    const { server, accepted } = await openServer(way, TCP);
    const client = await connectRaw((server.address() as net.AddressInfo).port);
    const found = await accepted;
    client.send('early');
    await turn();
    const text = new Promise<string>((resolve) => {
      const socket = readInto(
        found,
        () => Buffer.alloc(100),
        (bytes, length) => {
          resolve(bytes.toString('latin1', 0, length));
          socket.destroy();
          return true;
        },
      );
    });
    t.equal(await text, 'early');
    client.socket.destroy();
    server.close();
  });

  await t.test(`a connection that is refused ends for the client (${way})`, async (t) => {
    const { server, accepted } = await openServer(way, TCP);
    const client = await connectRaw((server.address() as net.AddressInfo).port);
    refuse(await accepted);
    t.ok(await client.until('end', () => client.ending));
    client.socket.destroy();
    server.close();
  });

  await t.test(`a Unix socket is read as well (${way})`, async (t) => {
    const path = join(mkdtempSync(join(tmpdir(), 'accepted-')), 's');
    const { server, accepted } = await openServer(way, { path });
    const client = net.connect(path);
    client.write('hello');
    const found = await accepted;
    const text = new Promise<string>((resolve) => {
      readInto(
        found,
        () => Buffer.alloc(100),
        (bytes, length) => {
          resolve(bytes.toString('latin1', 0, length));
          return true;
        },
      ).end('bye');
    });
    t.equal(await text, 'hello');
    const [answer] = (await once(client, 'data')) as [Buffer];
    t.equal(answer.toString(), 'bye');
    client.end();
    server.close();
  });
}

await t.test('an error of accepting is still one of the server', async (t) => {
  const { server } = await openServer('handle', TCP);
  const failed = once(server, 'error') as Promise<[NodeJS.ErrnoException]>;
  const { _handle: handle } = server as unknown as Inside;
  const { errno } = osConstants;
  handle.onconnection!(-errno.EMFILE, undefined as never);
  const [error] = await failed;
  t.equal(error.code, 'EMFILE');
  t.equal(error.syscall, 'accept');
  server.close();
});

async function turn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

async function wait(look: () => boolean): Promise<void> {
  while (!look()) await turn();
}
