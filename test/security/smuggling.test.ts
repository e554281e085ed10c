// Request smuggling: messages that two programs have been seen to read differently. Each is either
// refused, and then nothing of it was a request to the target, or the target reads exactly the
// requests that the plane counted: one answer for each reading, in the same order.

import t from 'tap';
import { responseTo, withNodeTarget } from '../support/node-target.ts';

const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST = 'GET /last HTTP/1.1\r\nHost: a\r\n\r\n';

type Outcome = 'refused' | readonly string[];

interface Attack {
  readonly name: string;
  readonly bytes: string;
  /** Refused, or the URLs that are read before `/last`. */
  readonly outcome: Outcome;
}

/** A POST with these field lines and this body. */
function post(fields: string, body: string): string {
  return `POST /attack HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n${body}`;
}

const CHUNKED_HIDDEN = `0\r\n\r\n${HIDDEN}`;

function bothFramings(coding: string): Attack {
  return {
    name: `${coding} beside a length`,
    bytes: post(`Content-Length: ${CHUNKED_HIDDEN.length}\r\n${coding}`, CHUNKED_HIDDEN),
    outcome: 'refused',
  };
}

/** A coding alone: taken for chunked, the hidden request is one of its own. */
function coding(line: string, outcome: Outcome): Attack {
  return { name: `${line} alone`, bytes: post(line, CHUNKED_HIDDEN), outcome };
}

function length(line: string, outcome: Outcome): Attack {
  return { name: `${line} before a hidden request`, bytes: post(line, HIDDEN), outcome };
}

function chunks(body: string): Attack {
  return {
    name: `chunked body ${body.slice(0, 40)}`,
    bytes: post('Transfer-Encoding: chunked', body + HIDDEN),
    outcome: 'refused',
  };
}

function head(text: string, outcome: Outcome = 'refused'): Attack {
  return { name: text.slice(0, 60), bytes: text, outcome };
}

const CODINGS = [
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: CHUNKED',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding: chunked;q=1',
  'Transfer-Encoding:',
  'Transfer-Encoding: chunk',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
  'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding\t: chunked',
  ' Transfer-Encoding: chunked',
  'Transfer-Encoding:\r\n chunked',
  'Transfer-Encoding: \u000bchunked',
  'Transfer-Encoding: chunked\u000b',
  'Transfer-Encoding: chunked\0',
  'Transfer-Encoding: chunked\u00a0',
  'Transfer-Encoding: \u00ffchunked',
  'Transfer-Encoding: chunked\rX: y',
  'X: y\nTransfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'Transfer-Encoding\n: chunked',
  'Transfer-\u00cbncoding: chunked',
] as const;

const CHUNKED_CODINGS: ReadonlySet<string> = new Set(CODINGS.slice(0, 3));

const ATTACKS: readonly Attack[] = [
  ...CODINGS.map(bothFramings),
  ...CODINGS.map((line) =>
    coding(line, CHUNKED_CODINGS.has(line) ? ['/attack', '/hidden'] : 'refused'),
  ),

  length('Content-Length: 0', ['/attack', '/hidden']),
  length(`Content-Length: ${HIDDEN.length}`, ['/attack']),
  length(`Content-Length: ${HIDDEN.length} `, ['/attack']),
  length(`Content_Length: ${HIDDEN.length}`, ['/attack', '/hidden']),
  length(`Content-Length : ${HIDDEN.length}`, 'refused'),
  length(`Content-Length: 0\r\nContent-Length: ${HIDDEN.length}`, 'refused'),
  length(`Content-Length: ${HIDDEN.length}\r\nContent-Length: ${HIDDEN.length}`, 'refused'),
  length(`Content-Length: ${HIDDEN.length}, ${HIDDEN.length}`, 'refused'),
  length(`Content-Length: +${HIDDEN.length}`, 'refused'),
  length(`Content-Length: -${HIDDEN.length}`, 'refused'),
  length(`Content-Length: 0${HIDDEN.length}`, 'refused'),
  length(`Content-Length: 0x${HIDDEN.length.toString(16)}`, 'refused'),
  length(`Content-Length: ${HIDDEN.length}.0`, 'refused'),
  length('Content-Length: 3 3', 'refused'),
  length('Content-Length: 1e1', 'refused'),
  length('Content-Length: 1_0', 'refused'),
  length('Content-Length: \u0663', 'refused'),
  length('Content-Length:', 'refused'),
  length('Content-Length: "3"', 'refused'),
  length('Content-Length: 9007199254740993', 'refused'),
  length('Content-Length: 18446744073709551616', 'refused'),
  length('Content-Length: 4294967296\0', 'refused'),
  length(` Content-Length: ${HIDDEN.length}`, 'refused'),
  length('Content-Length:\r\n 3', 'refused'),

  chunks('0x5\r\nhello\r\n0\r\n\r\n'),
  chunks('+5\r\nhello\r\n0\r\n\r\n'),
  chunks('-5\r\nhello\r\n0\r\n\r\n'),
  chunks('5 \r\nhello\r\n0\r\n\r\n'),
  chunks(' 5\r\nhello\r\n0\r\n\r\n'),
  chunks('5\nhello\n0\n\n'),
  chunks('5\r\nhello0\r\n\r\n'),
  chunks('5\r\nhelloXX0\r\n\r\n'),
  chunks('5;a\nb\r\nhello\r\n0\r\n\r\n'),
  chunks('5;a\rb\r\nhello\r\n0\r\n\r\n'),
  chunks('5;"\r\nhello\r\n0\r\n\r\n'),
  chunks('5;\r\nhello\r\n0\r\n\r\n'),
  chunks('fffffffffffffffff\r\nhello\r\n0\r\n\r\n'),
  chunks('10000000000000005\r\nhello\r\n0\r\n\r\n'),
  chunks('00000000000000005\r\nhello\r\n0\r\n\r\n'),
  chunks('\r\n0\r\n\r\n'),
  chunks('5g\r\nhello\r\n0\r\n\r\n'),
  chunks('0\r\nContent-Length: 3\r\n\r\n'),
  chunks('0\r\nTransfer-Encoding: chunked\r\n\r\n'),
  chunks('0\r\nHost: b\r\n\r\n'),
  chunks('0\r\nX-Turnout-Color: green\r\n\r\n'),
  chunks('0\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n'),
  chunks('0\r\n a: b\r\n\r\n'),
  chunks('0\r\na\r\n\r\n'),
  chunks('0\r\na: b\n\r\n\r\n'),
  chunks('0\r\n\rX'),

  head('GET /attack HTTP/1.1\nHost: a\n\n'),
  head('GET /attack HTTP/1.1\r\nHost: a\r\n\n'),
  head('GET /attack HTTP/1.1\rX\r\nHost: a\r\n\r\n'),
  head('GET  /attack HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('GET\t/attack HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('GET /attack  HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('GET /attack HTTP/1.1 \r\nHost: a\r\n\r\n'),
  head('GET /att\0ack HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('GET /att#ack HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('GET /att\u00e4ck HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('GET attack HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('GET /attack http/1.1\r\nHost: a\r\n\r\n'),
  head('GET /attack HTTP/1.10\r\nHost: a\r\n\r\n'),
  head('GET /attack HTTP/01.1\r\nHost: a\r\n\r\n'),
  head('GET /attack HTTP/1,1\r\nHost: a\r\n\r\n'),
  head('GET /attack HTTP/2.0\r\nHost: a\r\n\r\n'),
  head('GET /attack\r\nHost: a\r\n\r\n'),
  head('GET /attack\r\n\r\n'),
  head('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  head('CONNECT hidden:80 HTTP/1.1\r\nHost: hidden:80\r\n\r\n'),
  head('\nGET /attack HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('\r\n\r\nGET /attack HTTP/1.1\r\nHost: a\r\n\r\n'),
  head(' GET /attack HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('\r\nGET /attack HTTP/1.1\r\nHost: a\r\n\r\n', ['/attack']),
  head('GET /attack HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n'),
  head('GET /attack HTTP/1.1\r\nHost: a\r\nA\r\n\r\n'),
  head('GET /attack HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n'),
  head('GET /attack HTTP/1.1\r\nHost: a\r\nA B: c\r\n\r\n'),
  head('GET /attack HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'),
  head('GET /attack HTTP/1.1\r\nHost : a\r\n\r\n'),
  head('GET /attack HTTP/1.1\r\n\r\n'),
  head('GET /attack HTTP/1.1\r\nHost: user@a\r\n\r\n'),
  head('GET /attack HTTP/1.1\r\nHost: a/b\r\n\r\n'),
  head('GET /attack HTTP/1.1\r\nHost: a b\r\n\r\n'),
  head('GET /attack HTTP/1.1\r\nHost: a:80:80\r\n\r\n'),
  head('GET /attack HTTP/1.1\r\nHost: a:99999\r\n\r\n'),
  head('GET http://b/attack HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('GET http://user@a/attack HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('GET file:///attack HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('GET * HTTP/1.1\r\nHost: a\r\n\r\n'),
  head('GET /attack HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\n'),
  head(post('Connection: content-length\r\nContent-Length: 5', HIDDEN)),
  head(post('Connection: transfer-encoding\r\nTransfer-Encoding: chunked', CHUNKED_HIDDEN)),
  head(post('Connection: a b\r\nContent-Length: 0', HIDDEN)),
  head('GET /attack HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
  head(`GET /attack HTTP/1.1\r\nHost: a\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`, [
    '/attack',
  ]),
  head(
    `DELETE /attack HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED_HIDDEN}`,
    ['/attack', '/hidden'],
  ),
  head(
    `GET /attack HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n${HIDDEN}`,
    ['/attack', '/hidden'],
  ),
  head(
    `GET /attack HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1777\r\n\r\n${HIDDEN}`,
    ['/attack', '/hidden'],
  ),
];

await t.test(`${ATTACKS.length} attacks have no second reading`, async (t) => {
  t.ok(ATTACKS.length >= 100);
  await withNodeTarget(t, {}, async (target) => {
    for (const { name, bytes, outcome } of ATTACKS) {
      target.readings.length = 0;
      const client = await target.connect();
      client.send(bytes + LAST);
      await client.until(`end of ${JSON.stringify(name)}`, () =>
        client.ending !== undefined || client.text.includes(responseTo('/last')) ? true : undefined,
      );
      const urls = target.readings.map(({ url }) => url);
      if (outcome === 'refused') {
        t.match(client.text, /^HTTP\/1\.1 (?:400|414|431|501|505) /, name);
        t.equal(client.text.split(/HTTP\/1\.1 \d/).length, 2, `one answer: ${name}`);
        t.strictSame(urls, [], `no request: ${name}`);
      } else {
        const expected = [...outcome, '/last'];
        t.strictSame(urls, expected, `read as meant: ${name}`);
        const answers = [...client.text.matchAll(/<([^>]*)>/g)].map(([, url]) => url);
        t.strictSame(answers, expected, `answered as read: ${name}`);
      }
    }
  });
});

await t.test('an upgrade to HTTP/2 is never offered to the target', async (t) => {
  const upgrades = [
    'Upgrade: h2c',
    'Upgrade: H2C',
    'Upgrade: websocket, h2c',
    'Upgrade: h2c\r\nUpgrade: websocket',
    'Upgrade: websocket\r\nUpgrade: h2c',
    'Upgrade: h2c-16',
  ];
  await withNodeTarget(t, {}, async (target) => {
    for (const lines of upgrades) {
      target.readings.length = 0;
      const client = await target.connect();
      const fields = `Host: a\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAMAAABk\r\n${lines}`;
      client.send(`GET /attack HTTP/1.1\r\n${fields}\r\n\r\n`);
      await client.until('answer', () => (client.text.includes('\r\n\r\n') ? true : undefined));
      for (const { headers } of target.readings) {
        t.notMatch(headers.upgrade ?? '', /h2c/i, lines);
        t.equal(headers['http2-settings'], undefined, lines);
      }
    }
  });
});
