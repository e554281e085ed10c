// The listener that sends clients to https, over real sockets.

import t, { type Test } from 'tap';
import { requestCounts, Totals } from '../../../../src/control-plane/memory/totals.ts';
import { readResponse, type Message } from '../../../support/message.ts';
import { answering, openOrigin } from '../../../support/origin.ts';
import { openTestPlane, type ServicePatch } from '../../../support/plane.ts';
import { connectRaw, type RawPeer } from '../../../support/raw-peer.ts';
import { failureCounts } from '../../../support/shared-counters.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Returns a connection to a listener for redirects. */
async function open(t: Test, service: ServicePatch = {}): Promise<RawPeer> {
  return (await openBoth(t, service)).peer;
}

async function openBoth(t: Test, service: ServicePatch = {}) {
  const origin = await openOrigin(answering(OK));
  const plane = await openTestPlane(
    { blue: [origin.port], green: [] },
    {
      listener: { use: 'redirect', redirectPort: 443 },
      forwarding: { trustedProxies: ['127.0.0.0/8'] },
      service: { hosts: ['shop.test'], ...service },
    },
  );
  const peer = await connectRaw(plane.port);
  t.teardown(async () => {
    peer.reset();
    await plane.stop();
    await origin.close();
  });
  return { peer, memory: plane.memory };
}

/** Sends a request and returns the response. */
async function ask(peer: RawPeer, request: string, method = 'GET'): Promise<Message> {
  const from = peer.text.length;
  peer.send(request);
  return peer.until('response', () => {
    const hasEnded = peer.ending === 'end';
    const response = readResponse(peer.text, from, { method, hasEnded });
    return response?.isComplete === true ? response : undefined;
  });
}

const HOST = 'Host: shop.test\r\n';

await t.test('requests of one connection are each sent on', async (t) => {
  const peer = await open(t);
  for (const target of ['/a?b', '/c', '//evil.test']) {
    const response = await ask(peer, `GET ${target} HTTP/1.1\r\n${HOST}\r\n`);
    t.equal(response.start, 'HTTP/1.1 308 Permanent Redirect');
    t.ok(response.fields.includes(`Location: https://shop.test${target}`));
    t.ok(response.fields.includes('Cache-Control: no-store'), 'it can be taken back');
    t.notMatch(response.fields.join('\n'), /^connection/im);
  }
  const head = await ask(peer, `HEAD /d HTTP/1.1\r\n${HOST}\r\n`, 'HEAD');
  t.ok(head.fields.includes('Location: https://shop.test/d'));
  t.match(await ask(peer, `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`), { start: /308/ });
  const two = `GET /1 HTTP/1.1\r\n${HOST}\r\n`;
  t.match(await ask(peer, two + two), { start: /308/ });
  await peer.until('both', () =>
    peer.text.split('Location: https://shop.test/1').length === 3 ? true : undefined,
  );
  t.match(await ask(peer, 'GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n'), { start: /404/ });
  t.match(await ask(peer, `GET / HTTP/1.1\r\n${HOST}\r\n`), { start: /308/ }, 'it goes on');
});

await t.test('a body is not waited for', async (t) => {
  const peer = await open(t);
  const fields = `${HOST}Content-Length: 1000000\r\n`;
  const response = await ask(peer, `POST /a HTTP/1.1\r\n${fields}\r\nabc`, 'POST');
  t.match(response, { start: /308/ });
  t.ok(response.fields.includes('Location: https://shop.test/a'));
  t.ok(response.fields.includes('Connection: close'), 'the rest is no request');
});

await t.test('HTTP/1.0 without a host, and what is no host, are refused', async (t) => {
  for (const head of [
    'GET / HTTP/1.0\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: shop.test@evil.test\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: evil.test\\.shop.test\r\n\r\n',
    'GET http://shop.test@evil.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n',
    'GET http://evil.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: shop.test\r\nHost: evil.test\r\n\r\n',
    'GET evil.test:80 HTTP/1.1\r\nHost: shop.test\r\n\r\n',
  ]) {
    const peer = await open(t);
    const response = await ask(peer, head);
    t.match(response, { start: /^HTTP\/1\.1 40[04] / }, head);
    t.notMatch(response.fields.join('\n'), /location/i);
  }
});

await t.test('what a trusted proxy has got by https reaches the target', async (t) => {
  const peer = await open(t, { policy: { edge: { hstsMs: 60_000 } } });
  const response = await ask(peer, `GET / HTTP/1.1\r\n${HOST}X-Forwarded-Proto: https\r\n\r\n`);
  t.match(response, { start: /200/, body: 'ok' });
  t.ok(response.fields.includes('Strict-Transport-Security: max-age=60'));
  const plain = await ask(peer, `GET / HTTP/1.1\r\n${HOST}X-Forwarded-Proto: http\r\n\r\n`);
  t.match(plain, { start: /308/ });
  t.notMatch(plain.fields.join('\n'), /strict-transport/i, 'never over plain HTTP');
});

await t.test('redirects count as responses of ours, against no release', async (t) => {
  const { peer, memory } = await openBoth(t);
  for (const path of ['/a', '/b']) await ask(peer, `GET ${path} HTTP/1.1\r\n${HOST}\r\n`);
  t.match(await ask(peer, 'GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n'), { start: /404/ });
  const totals = new Totals(memory, 1);
  const [nowhere, blue, green] = [0, 1, 2].map((block) => requestCounts(totals.block(block)));
  t.match(
    nowhere!.map(({ status, count }) => [status, count]),
    [
      [308, 2],
      [404, 1],
    ],
  );
  t.strictSame([blue, green], [[], []]);
  t.strictSame(failureCounts({ memory }), { NO_ROUTE: 1 }, 'a redirect is no failure');
});
