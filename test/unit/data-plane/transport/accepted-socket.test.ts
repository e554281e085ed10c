// Accepted sockets are read in two ways: into a shared buffer, and where Node's inside looks
// different, by `data` events. Every wire case must come out alike both ways, uncut and cut.

import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { once } from 'node:events';
import t from 'tap';
import {
  ACCEPT_OPTIONS,
  readEvents,
  readInto,
} from '../../../../src/data-plane/transport/accepted-socket.ts';
import { openTestPlane, type TestPlane } from '../../../support/plane.ts';
import { connectRaw } from '../../../support/raw-peer.ts';
import { parseWireCases, type WireCase } from '../../../support/wire-case.ts';
import { cutsOf, WireBench } from '../../../support/wire-run.ts';

const WIRE = new URL('../../../wire/', import.meta.url);

/** Cuts tried for each case beside none at all; all of them are tried by the wire tests. */
const CUTS_PER_CASE = 4;

interface Handled {
  _handle: { useUserBuffer: unknown } | null;
}

/** While `run` opens servers, their sockets look as if Node had changed inside. */
async function withoutUserBuffer<T>(count: () => void, run: () => Promise<T>): Promise<T> {
  const { createServer } = net;
  const patched = (options: net.ServerOpts): net.Server => {
    const server = createServer(options);
    server.on('connection', (socket) => {
      const { _handle: handle } = socket as unknown as Handled;
      if (handle !== null) handle.useUserBuffer = undefined;
      count();
    });
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
  const bench = await WireBench.open();
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
    const { port } = await planeFor(wireCase);
    const cuts = cutsOf(wireCase);
    const step = Math.max(1, Math.floor(cuts.length / CUTS_PER_CASE));
    const some = cuts.filter((_, index) => index % step === 0);
    for (const cut of [undefined, ...some]) {
      const fault = await bench.run(port, wireCase, cut);
      runs++;
      if (fault !== undefined) t.fail(`${wireCase.name}: ${fault}`);
    }
  }
  t.ok(accepted >= runs, `${accepted} connections were read by events`);
  await Promise.all([...planes.values()].map((plane) => plane.stop()));
  await bench.origin.close();
});

for (const way of ['buffer', 'events'] as const) {
  await t.test(`bytes, pauses and the end arrive through ${way}`, async (t) => {
    const buffer = Buffer.alloc(1_000);
    const server = net.createServer(ACCEPT_OPTIONS);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const received: string[] = [];
    const receive = (bytes: Buffer, length: number): boolean => {
      received.push(bytes.toString('latin1', 0, length));
      return true;
    };
    const taken = Promise.withResolvers<net.Socket>();
    server.once('connection', (accepted) => {
      const socket =
        way === 'buffer'
          ? readInto(accepted, () => buffer, receive)
          : readEvents(accepted, receive);
      taken.resolve(socket);
    });
    const client = await connectRaw((server.address() as net.AddressInfo).port);
    const socket = await taken.promise;
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
    if (way === 'buffer') t.ok(received.every((part) => part.length <= 1_000));
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
}

async function wait(look: () => boolean): Promise<void> {
  while (!look()) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
