// Targets over TLS, by a whole data plane: what is verified, what clients are told when that fails, and
// that all that works over plain connections works over these.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { request, type IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { UpstreamTerms } from '../../../../src/contract/certificates.ts';
import { authority, pemsOf } from '../../../support/certificates.ts';
import { upstreamTerms, type TestPlane } from '../../../support/plane.ts';
import {
  ask,
  BIG,
  certify,
  listen,
  planeTo,
  rawTarget,
  target,
  receipt,
  UPLOAD,
} from '../../../support/tls-target.ts';

/** Asserts that requests fail and the client hears `detail`. */
async function fails(t: Test, plane: TestPlane, detail: RegExp): Promise<void> {
  const answer = await ask(plane.port);
  t.equal(answer.status, 502);
  t.match(answer.body, detail);
  t.notMatch(
    answer.body,
    /127\.0\.0\.1|localhost|upstreamTls|ERR_|CERT_/,
    'nothing of what is inside',
  );
}

const ca = authority(t);
const { cert: caPem } = pemsOf(ca);
const good = pemsOf(ca.sign('app'));
const terms = upstreamTerms(caPem);

await t.test('requests, answers, uploads and tunnels go by TLS', async (t) => {
  const { port, seen } = await target(t, good);
  const plane = await planeTo(t, port, terms);
  t.match(await ask(plane.port), { status: 200, body: receipt(Buffer.alloc(0)), isWhole: true });
  const big = await ask(plane.port, '/big');
  t.ok(big.isWhole && big.body === BIG.toString('latin1'));
  t.match(await ask(plane.port, '/', UPLOAD), { status: 200, body: receipt(UPLOAD) });
  t.strictSame([...seen.names], ['localhost']);
  t.strictSame([...seen.alpn], ['http/1.1']);
  t.equal(seen.connections, 1, 'one connection is kept for all of them');

  const asked = request({ port: plane.port, headers: { connection: 'upgrade', upgrade: 'echo' } });
  asked.end();
  const [, socket] = (await once(asked, 'upgrade')) as [IncomingMessage, Socket];
  socket.write('hello');
  const [echo] = (await once(socket, 'data')) as [Buffer];
  t.equal(echo.toString(), 'hello');
  socket.destroy();
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  await t.test(`${maxVersion}: a new connection goes on with the session before`, async (t) => {
    const { port, seen } = await target(t, { ...good, maxVersion });
    const plane = await planeTo(t, port, terms);
    for (let count = 1; count <= 5; count++) {
      t.equal((await ask(plane.port, '/last')).status, 200);
      t.equal(seen.connections, count);
    }
    t.equal(seen.resumed, 4);
    certify(plane, terms);
    await ask(plane.port, '/last');
    t.equal(seen.resumed, 5, 'also where a set says the same as the one before');
    certify(plane, { ...terms, authorities: caPem + caPem });
    await ask(plane.port, '/last');
    t.equal(seen.resumed, 5, 'and not where other authorities count');
  });
}

await t.test('a certificate for another name, expired, or of an unknown authority', async (t) => {
  const other = authority(t);
  const cases: readonly (readonly [
    string,
    { readonly cert: string; readonly key: string },
    UpstreamTerms,
  ])[] = [
    ['another name', good, upstreamTerms(caPem, { serverName: 'shop.test' })],
    ['expired', pemsOf(ca.sign('old', { isExpired: true })), terms],
    ['of another authority', pemsOf(other.sign('app')), terms],
    ['signed by itself', pemsOf(other), terms],
    ['not of the system', good, upstreamTerms('')],
  ];
  for (const [what, pems, asked] of cases) {
    await t.test(what, async (t) => {
      const { port, seen } = await target(t, pems);
      const plane = await planeTo(t, port, asked);
      await fails(t, plane, /its certificate is not accepted/);
      t.equal(seen.resumed, 0);
    });
  }
});

await t.test('a name in the settings counts instead of the one in the URL', async (t) => {
  const { port, seen } = await target(t, pemsOf(ca.sign('named', { names: ['DNS:shop.test'] })));
  const plane = await planeTo(t, port, upstreamTerms(caPem, { serverName: 'shop.test' }));
  t.equal((await ask(plane.port)).status, 200);
  t.strictSame([...seen.names], ['shop.test']);
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  await t.test(
    `${maxVersion}: a target that wants a certificate gets it, or says so`,
    async (t) => {
      const { port } = await target(t, { ...good, ca: caPem, requestCert: true, maxVersion });
      const own = pemsOf(ca.sign('turnout'));
      const plane = await planeTo(t, port, terms);
      await fails(t, plane, /does not accept the certificate of Turnout|TLS did not come about/);
      certify(plane, { ...terms, chain: own.cert, key: own.key });
      t.equal((await ask(plane.port)).status, 200, 'new connections go by the new terms');
    },
  );
}

await t.test('a target that speaks plain HTTP there', async (t) => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const plane = await planeTo(t, await listen(t, server), terms);
  await fails(t, plane, /TLS did not come about/);
});

await t.test('a handshake that never ends is a connection that is not made in time', async (t) => {
  const server = createServer((socket) => socket.resume());
  const plane = await planeTo(t, await listen(t, server), terms, { connectTimeoutMs: 300 });
  const answer = await ask(plane.port);
  t.equal(answer.status, 504);
  t.match(answer.body, /did not accept in time/);
});

const HEAD = 'HTTP/1.1 200 OK\r\n';
const ENDS: readonly (readonly [
  string,
  string,
  (secured: TLSSocket, below: Socket) => void,
  boolean,
])[] = [
  ['without a length, ended by its closing alert', `${HEAD}\r\nall`, (one) => one.end(), true],
  ['without a length, ended below TLS', `${HEAD}\r\nhalf`, (_one, below) => endBelow(below), false],
  ['without a length, reset', `${HEAD}\r\nhalf`, (_one, below) => below.resetAndDestroy(), false],
  ['with a length, ended early', `${HEAD}Content-Length: 9\r\n\r\nhalf`, (one) => one.end(), false],
  [
    'with a length, ended below TLS',
    `${HEAD}Content-Length: 3\r\n\r\nall`,
    (_one, below) => endBelow(below),
    true,
  ],
];

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const [what, text, end, isWhole] of ENDS) {
    await t.test(`${maxVersion}: an answer ${what} is ${isWhole ? 'whole' : 'cut'}`, async (t) => {
      const port = await rawTarget(t, { ...good, maxVersion } as typeof good, (secured, below) => {
        secured.once('data', () => secured.write(text, () => setImmediate(end, secured, below)));
      });
      const plane = await planeTo(t, port, terms);
      t.equal((await ask(plane.port)).isWhole, isWhole);
    });
  }
}

/** Ends the TCP connection, and says nothing in TLS. */
function endBelow(below: Socket): void {
  below.end();
}

await t.test('a slow reader gets all of a large answer', async (t) => {
  const { port } = await target(t, good);
  const plane = await planeTo(t, port, terms);
  const asked = request({ port: plane.port, path: '/big', agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    await new Promise(setImmediate);
  }
  t.equal(bytes, BIG.length);
});
