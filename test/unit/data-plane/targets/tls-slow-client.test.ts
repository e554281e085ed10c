// A client that takes the response of a target over TLS in bursts. What Node hands over while reading
// is stopped must neither overwrite what the client has not taken yet nor get lost, and whether the
// response is whole must show all the same.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import t from 'tap';
import { authority, pemsOf } from '../../../support/certificates.ts';
import { openTestPlane } from '../../../support/plane.ts';

/** Bytes of another place would show. */
const BODY = randomBytes(8_388_608);
const CHUNK = 50_000;

const ca = authority(t);
const pems = pemsOf(ca.sign('app'));

/** Opens a plane before a target that does `run` on each connection; returns its port. */
async function planeBefore(run: (secured: TLSSocket, below: Socket) => void): Promise<number> {
  const server = createServer((below) => {
    const secured = new TLSSocket(below, { ...pems, isServer: true });
    secured.on('error', () => {});
    secured.once('data', () => run(secured, below));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const plane = await openTestPlane(
    { blue: [port], green: [] },
    { targetAuthorities: pemsOf(ca).cert },
  );
  t.teardown(() => plane.stop());
  return plane.port;
}

interface Got {
  readonly head: string;
  readonly body: Buffer;
  /** The connection broke instead of ending. */
  readonly isBroken: boolean;
}

/** Sends `request`, and stops reading again and again while there is more. */
async function readInBursts(port: number, request: string): Promise<Got> {
  const socket = connect({ port, host: '127.0.0.1' });
  let isBroken = false;
  socket.on('error', () => {
    isBroken = true;
  });
  socket.write(request);
  const pieces: Buffer[] = [];
  let untilPause = 0;
  socket.on('data', (piece: Buffer) => {
    pieces.push(piece);
    untilPause -= piece.length;
    if (untilPause > 0) return;
    untilPause = 262_144;
    socket.pause();
    void untilFull().then(() => socket.resume());
  });
  await new Promise((resolve) => socket.once('close', resolve));
  const all = Buffer.concat(pieces);
  const at = all.indexOf('\r\n\r\n');
  return { head: all.toString('latin1', 0, at), body: all.subarray(at + 4), isBroken };
}

/** Turns enough for the proxy to fill the socket and to stop reading. */
async function untilFull(): Promise<void> {
  for (let i = 0; i < 50; i++) await turn();
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const UPGRADE = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n';

function chunks(): Buffer {
  const parts: (Buffer | string)[] = [];
  for (let at = 0; at < BODY.length; at += CHUNK) {
    const data = BODY.subarray(at, at + CHUNK);
    parts.push(`${data.length.toString(16)}\r\n`, data, '\r\n');
  }
  parts.push('0\r\n\r\n');
  return Buffer.concat(parts.map((part) => Buffer.from(part as string)));
}

/** Returns the data of a chunked body. */
function unchunked(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = body.indexOf('\r\n', at);
    const length = Number.parseInt(body.toString('latin1', at, lineEnd), 16);
    if (!(length > 0)) return Buffer.concat(parts);
    parts.push(body.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
}

await t.test('with a length', async (t) => {
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n`;
  const port = await planeBefore((secured) => {
    secured.write(head);
    secured.write(BODY);
  });
  t.ok((await readInBursts(port, GET)).body.equals(BODY));
});

await t.test('in chunks', async (t) => {
  const port = await planeBefore((secured) => {
    secured.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    secured.write(chunks());
  });
  t.ok(unchunked((await readInBursts(port, GET)).body).equals(BODY));
});

const UNTIL_CLOSE = 'HTTP/1.0 200 OK\r\n\r\n';

await t.test('until the target closes by an alert', async (t) => {
  const port = await planeBefore((secured) => {
    secured.write(UNTIL_CLOSE);
    secured.end(BODY);
  });
  const got = await readInBursts(port, GET.replace('1.1', '1.0'));
  t.ok(got.body.equals(BODY));
  t.notOk(got.isBroken, 'it is whole, and looks so');
});

await t.test('until the connection of the target ends without an alert', async (t) => {
  const port = await planeBefore((secured, below) => {
    secured.write(UNTIL_CLOSE);
    // The TCP connection ends once all is out, and TLS says nothing.
    secured.write(BODY, () => below.end());
  });
  const got = await readInBursts(port, GET.replace('1.1', '1.0'));
  t.ok(BODY.subarray(0, got.body.length).equals(got.body), 'what has come is right');
  t.ok(got.isBroken, 'anybody on the way could have ended it: it does not look whole');
});

await t.test('through a tunnel', async (t) => {
  const port = await planeBefore((secured) => {
    secured.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n',
    );
    secured.end(BODY);
  });
  t.ok((await readInBursts(port, UPGRADE)).body.equals(BODY));
});
