// Probes of targets over TLS: each one makes a whole handshake and verifies as connections for traffic do,
// and the reason of a failure says what to mend.

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import https from 'node:https';
import { createServer, type AddressInfo, type Server } from 'node:net';
import t, { type Test } from 'tap';
import type { UpstreamTerms } from '../../../../src/contract/certificates.ts';
import { TargetTls } from '../../../../src/contract/target-tls.ts';
import { proberWithin } from '../../../../src/control-plane/targets/probe.ts';
import { authority, pemsOf } from '../../../support/certificates.ts';
import { upstreamTerms } from '../../../support/plane.ts';

const HEALTH = {
  path: '/healthz',
  host: '',
  statusMin: 200,
  statusMax: 399,
  intervalMs: 1_000,
  timeoutMs: 10_000,
  rise: 1,
  fall: 1,
} as const;

const ca = authority(t);
const other = authority(t);
const { cert: caPem } = pemsOf(ca);
const good = pemsOf(ca.sign('app'));
const terms = upstreamTerms(caPem);

async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

function endpointAt(port: number) {
  return {
    slot: 0,
    deployment: 1,
    url: `https://localhost:${port}`,
    address: { kind: 'tcp', host: '127.0.0.1', port },
    authority: `localhost:${port}`,
    tls: { name: 'localhost', service: 'default' },
  } as const;
}

/** Asks the target at `port` once in each way; resolves with the reasons of the failures. */
async function reasons(
  port: number,
  upstream: UpstreamTerms,
  { timeoutMs } = HEALTH as { readonly timeoutMs: number },
): Promise<string[]> {
  const prober = proberWithin(() => [], new TargetTls({ upstreams: [upstream] }));
  const kinds = ['http', 'tcp'] as const;
  return Promise.all(
    kinds.map((kind) => prober(endpointAt(port), { ...HEALTH, kind, timeoutMs }).ask()),
  );
}

await t.test(
  'a target that shows what it should is well, each time by a whole handshake',
  async (t) => {
    let resumed = 0;
    const server = https.createServer(good, (_request, response) => response.end('ok'));
    server.on('secureConnection', (socket) => {
      if (socket.isSessionReused()) resumed++;
    });
    const port = await listen(t, server);
    t.strictSame(await reasons(port, terms), ['', '']);
    t.strictSame(await reasons(port, terms), ['', '']);
    t.equal(resumed, 0);
  },
);

const FAILURES: readonly (readonly [string, https.ServerOptions, UpstreamTerms, RegExp])[] = [
  ['expired', pemsOf(ca.sign('old', { isExpired: true })), terms, /its certificate has expired/],
  [
    'of another authority',
    pemsOf(other.sign('app')),
    terms,
    /not known: name it in upstreamTls.ca/,
  ],
  ['signed by itself', pemsOf(other), terms, /signed by itself/],
  [
    'for another name',
    good,
    { ...terms, serverName: 'shop.test' },
    /is for 127\.0\.0\.1, localhost, and not for shop\.test: see upstreamTls\.serverName/,
  ],
];

for (const [what, pems, upstream, reason] of FAILURES) {
  await t.test(`a certificate ${what}`, async (t) => {
    const server = https.createServer(pems, (_request, response) => response.end('ok'));
    for (const told of await reasons(await listen(t, server), upstream)) t.match(told, reason);
  });
}

await t.test('a target that wants a certificate of ours', async (t) => {
  const options = { ...good, ca: caPem, requestCert: true };
  const server = https.createServer(options, (_request, response) => response.end('ok'));
  const port = await listen(t, server);
  const [told] = await reasons(port, terms);
  t.match(told, /wants a certificate of Turnout: set upstreamTls.cert/);
  const own = pemsOf(ca.sign('turnout'));
  t.strictSame(await reasons(port, { ...terms, chain: own.cert, key: own.key }), ['', '']);
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  await t.test(`${maxVersion}: a target that refuses the certificate of ours`, async (t) => {
    const server = https.createServer({ ...good, ca: caPem, requestCert: true, maxVersion });
    const port = await listen(t, server);
    const wrong = pemsOf(other.sign('turnout'));
    // It says nothing, and hangs up: sooner or later than we think that we are connected.
    const refusals =
      /closed the connection (during|right behind) the handshake of TLS: it may want a certificate/;
    for (const told of await reasons(port, { ...terms, chain: wrong.cert, key: wrong.key })) {
      t.match(told, refusals);
    }
    for (const told of await reasons(port, terms)) {
      t.match(told, /wants? a certificate of Turnout/, 'nothing was shown');
    }
  });
}

await t.test('a target that is asked in plain HTTP and speaks TLS', async (t) => {
  const silent = https.createServer(good, (_request, response) => response.end('ok'));
  const port = await listen(t, silent);
  const plain = proberWithin(() => [], new TargetTls({ upstreams: [] }));
  const { tls: _without, ...unsecured } = endpointAt(port);
  t.equal(
    await plain(unsecured, { ...HEALTH, kind: 'http' }).ask(),
    'it speaks TLS: name it with https://',
  );
});

await t.test('a handshake that does not end is told as that', async (t) => {
  const port = await listen(
    t,
    createServer((socket) => socket.resume()),
  );
  for (const told of await reasons(port, terms, { timeoutMs: 200 })) {
    t.equal(told, 'timeout after 200ms: the handshake of TLS did not end');
  }
});

await t.test(
  'the certificate that was accepted last is known, and until when it is good',
  async (t) => {
    const server = https.createServer(good, (_request, response) => response.end('ok'));
    const port = await listen(t, server);
    const prober = proberWithin(() => [], new TargetTls({ upstreams: [terms] }));
    const { validToDate } = new X509Certificate(good.cert);
    for (const kind of ['http', 'tcp'] as const) {
      const probe = prober(endpointAt(port), { ...HEALTH, kind });
      t.equal(probe.certificate, undefined);
      t.equal(await probe.ask(), '');
      t.equal(probe.certificate?.endsAtMs, validToDate.getTime());
    }
  },
);

await t.test('a target that speaks plain HTTP', async (t) => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  for (const told of await reasons(await listen(t, server), terms)) {
    t.match(told, /speaks no TLS: name it with http:\/\//);
  }
});
