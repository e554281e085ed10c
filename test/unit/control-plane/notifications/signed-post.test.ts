// One signed POST over real sockets: what is sent, and each way in which a receiver can fail.

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer as createSecureServer } from 'node:https';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  parseRetryAfter,
  signatureOf,
  signedPost,
  urlName,
  type PostRequest,
  type PostResult,
} from '../../../../src/control-plane/notifications/signed-post.ts';
import { ownPlaces } from '../../../../src/control-plane/targets/own-places.ts';
import { authority, pemsOf } from '../../../support/certificates.ts';
import { openReceiver } from '../../../support/webhook-receiver.ts';

const WITHIN_MS = 10_000;
const nowhere = { addresses: async () => [] };
const post = signedPost({ isOurs: () => false, dns: nowhere });

function asked(url: string, more: Partial<PostRequest> = {}): PostRequest {
  return {
    url,
    body: '{"a":1}',
    attempt: 'evt-7',
    secretFile: '',
    withinMs: WITHIN_MS,
    ...more,
  };
}

function bodyOf(result: PostResult): string {
  return result.kind === 'answered' ? result.body : '';
}

/** A port that treats each connection as `talk` says. */
async function rawServer(t: Test, talk: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => talk(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

void t.test('a POST says what it is, and its signature covers time and body', async (t) => {
  const secretFile = join(t.testdir({ secret: 'hush\n' }), 'secret');
  const receiver = await openReceiver(t, (response) => {
    response.writeHead(202, { 'retry-after': '7' }).end('{"verdict":"later"}');
  });
  const result = await post(asked(receiver.url, { secretFile }));
  t.match(result, { kind: 'answered', status: 202, body: '{"verdict":"later"}', isCut: false });
  t.match(result, { retryAfterMs: 7_000 });
  const [got] = receiver.received;
  t.match(got, { method: 'POST', path: '/hook?key=s3cret', body: '{"a":1}' });
  t.match(got?.headers, { 'content-type': 'application/json', 'turnout-attempt': 'evt-7' });
  const [, time, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(
    String(got?.headers['turnout-signature']),
  )!;
  t.equal(mac, createHmac('sha256', 'hush').update(`${time}.{"a":1}`).digest('hex'));
});

void t.test('two lines of a secret file both sign, so that a secret can be replaced', async (t) => {
  const signature = signatureOf([Buffer.from('new'), Buffer.from('old')], 'x', 5_999);
  t.match(signature, /^t=5,v1=[0-9a-f]{64},v1=[0-9a-f]{64}$/);
  const dir = t.testdir({
    secret: 'new\r\nold\n',
    three: 'a\nb\nc\n',
    empty: '\n',
    long: 'x'.repeat(5_000),
  });
  const receiver = await openReceiver(t);
  await post(asked(receiver.url, { secretFile: join(dir, 'secret') }));
  t.equal(String(receiver.received[0]!.headers['turnout-signature']).split('v1=').length, 3);
  for (const [name, why] of [
    ['three', /more than 2 lines/],
    ['empty', /holds no secret/],
    ['long', /more than 4096 bytes/],
    ['absent', /a file is not there/],
  ] as const) {
    t.match(await post(asked(receiver.url, { secretFile: join(dir, name) })), {
      kind: 'failed',
      reason: why,
    });
  }
  t.equal(receiver.received.length, 1, 'nothing is sent unsigned in its place');
});

void t.test('a secret that any user may write is not used, nor what is no file', async (t) => {
  const dir = t.testdir({ secret: 'hush' });
  const secretFile = join(dir, 'secret');
  chmodSync(secretFile, 0o666);
  const receiver = await openReceiver(t);
  t.match(await post(asked(receiver.url, { secretFile })), {
    kind: 'failed',
    reason: /every user may write/,
  });
  mkdirSync(join(dir, 'folder'));
  t.match(await post(asked(receiver.url, { secretFile: join(dir, 'folder') })), { kind: 'failed' });
  t.equal(receiver.received.length, 0);
});

void t.test('the secret is read at each use', async (t) => {
  const secretFile = join(t.testdir({ secret: 'one' }), 'secret');
  const receiver = await openReceiver(t);
  await post(asked(receiver.url, { secretFile }));
  writeFileSync(secretFile, 'two');
  await post(asked(receiver.url, { secretFile }));
  const [time, mac] = String(receiver.received[1]!.headers['turnout-signature'])
    .split(/^t=|,v1=/)
    .slice(1);
  t.equal(mac, createHmac('sha256', 'two').update(`${time}.{"a":1}`).digest('hex'));
});

void t.test('a redirect is an answer and leads nowhere', async (t) => {
  const other = await openReceiver(t);
  const receiver = await openReceiver(t, (response) => {
    response.writeHead(307, { location: other.url }).end();
  });
  t.match(await post(asked(receiver.url)), { kind: 'answered', status: 307 });
  t.equal(other.received.length, 0);
});

void t.test('no listener of Turnout itself is asked, by address or by name', async (t) => {
  const receiver = await openReceiver(t);
  const listeners = () => [{ kind: 'tcp', host: '127.0.0.1', port: receiver.port } as const];
  const isOurs = ownPlaces(listeners);
  const dns = {
    addresses: async (_host: string, family: 4 | 6) => (family === 4 ? ['127.0.0.1'] : []),
  };
  const own = signedPost({ isOurs, dns });
  for (const host of [
    '127.0.0.1',
    '127.1',
    '0x7f.0.0.1',
    '0.0.0.0',
    '[::ffff:127.0.0.1]',
    'hooks.test',
  ]) {
    const result = await own(asked(`http://${host}:${receiver.port}/`));
    t.match(result, { kind: 'failed', reason: /a listener of Turnout itself/ }, host);
  }
  t.equal(receiver.received.length, 0);
  const elsewhere = await openReceiver(t);
  t.match(await own(asked(`http://hooks.test:${elsewhere.port}/`)), {
    kind: 'answered',
    status: 200,
  });
  t.equal(elsewhere.received[0]!.headers.host, `hooks.test:${elsewhere.port}`);
});

void t.test('a name that is not known, and a DNS that fails, are told apart', async (t) => {
  t.match(await post(asked('http://hooks.test/')), {
    kind: 'failed',
    reason: 'the name is not known',
  });
  const broken = signedPost({
    isOurs: () => false,
    dns: { addresses: async () => Promise.reject(new Error('hooks.test: no DNS server answered')) },
  });
  t.match(await broken(asked('http://hooks.test/')), {
    reason: 'hooks.test: no DNS server answered',
  });
});

void t.test('a receiver that hangs is left at the deadline, in each phase', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345';
  for (const said of ['', 'HTTP/1.1 200', head]) {
    const url = await rawServer(t, (socket) => void socket.write(said));
    t.match(await post(asked(url, { withinMs: 50 })), {
      kind: 'failed',
      reason: 'no answer after 50ms',
    });
  }
  const never = signedPost({
    isOurs: () => false,
    dns: { addresses: async () => new Promise(() => {}) },
  });
  t.match(await never(asked('http://hooks.test/', { withinMs: 50 })), {
    reason: 'no answer after 50ms',
  });
});

void t.test('a caller can call it off', async (t) => {
  const caller = new AbortController();
  const url = await rawServer(t, () => caller.abort());
  t.match(await post(asked(url, { signal: caller.signal })), {
    kind: 'failed',
    reason: 'called off',
  });
  t.match(await post(asked(url, { signal: caller.signal })), {
    kind: 'failed',
    reason: 'called off',
  });
});

void t.test('a receiver that refuses, dies, floods or speaks no HTTP fails in words', async (t) => {
  const cases: readonly [string, (socket: Socket) => void, RegExp][] = [
    ['dies at once', (socket) => void socket.destroy(), /closed before the answer ended/],
    [
      'dies in its answer',
      (socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1'),
      /closed before/,
    ],
    ['no HTTP', (socket) => void socket.end('SSH-2.0-x\r\n'), /not HTTP/],
    [
      'a head without end',
      (socket) => void socket.write(`HTTP/1.1 200 OK\r\na: ${'x'.repeat(20_000)}`),
      /head of the answer is too large/,
    ],
  ];
  for (const [name, talk, reason] of cases) {
    t.match(await post(asked(await rawServer(t, talk))), { kind: 'failed', reason }, name);
  }
  const gone = await openReceiver(t);
  gone.close();
  t.match(await post(asked(gone.url)), { kind: 'failed', reason: 'connection refused' });
});

void t.test('of an answer without end a bounded part is read', async (t) => {
  const receiver = await openReceiver(t, (response) => {
    const pump = (): void => {
      while (!response.destroyed && response.write('x'.repeat(16_384)));
    };
    response.on('drain', pump);
    pump();
  });
  const result = await post(asked(receiver.url));
  t.match(result, { kind: 'answered', status: 200, isCut: true });
  t.equal(bodyOf(result).length, 65_536);
});

void t.test('an answer that switches protocols is an answer', async (t) => {
  const url = await rawServer(t, (socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
  });
  t.match(await post(asked(url)), { kind: 'answered', status: 101 });
});

void t.test('Retry-After is seconds or a date, and nothing else', (t) => {
  t.equal(parseRetryAfter('30', 0), 30_000);
  t.equal(parseRetryAfter('Thu, 01 Jan 1970 00:00:10 GMT', 4_000), 6_000);
  t.equal(parseRetryAfter('Thu, 01 Jan 1970 00:00:10 GMT', 60_000), 0);
  for (const text of [undefined, '', 'soon', '-5', '1e9', '99999999999', 'Xxx, no date']) {
    t.equal(parseRetryAfter(text, 0), undefined, String(text));
  }
  t.end();
});

void t.test('what is told of a URL holds no part that may be a secret', async (t) => {
  t.equal(
    urlName('https://user:pw@hooks.slack.com/services/T0/B0/XXXX?k=1'),
    'https://hooks.slack.com',
  );
  t.equal(urlName('nonsense'), 'a URL that cannot be read');
  const result = await post(asked('http://user:pw@127.0.0.1:1/services/XXXX'));
  t.notMatch(JSON.stringify(result), /XXXX|pw/);
  t.match(await post(asked('ftp://127.0.0.1/')), { kind: 'failed', reason: /expected http/ });
});

void t.test(
  'an authority of a file is trusted for the URL that names it, and for no other',
  async (t) => {
    const own = authority(t);
    const files = own.sign('hooks');
    const server = createSecureServer(pemsOf(files), (_request, response) => void response.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    t.match(await post(asked(url)), { kind: 'failed', reason: /certificate/ });
    t.match(await post(asked(url, { caFile: own.cert })), { kind: 'answered', status: 200 });
  },
);
