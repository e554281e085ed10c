// The requests that both proxies forward: every method, many targets, fields and bodies.

export interface SampleRequest {
  readonly name: string;
  /** As it is sent, one latin1 character for one byte. */
  readonly text: string;
}

const HOST = 'Host: shop.test\r\n';

function sample(line: string, fields: string, body = ''): SampleRequest {
  const name = `${line} | ${fields.replaceAll('\r\n', ' | ')}${body.slice(0, 20)}`;
  return { name: JSON.stringify(name), text: `${line}\r\n${HOST}${fields}\r\n${body}` };
}

const METHODS = (
  'GET POST PUT DELETE OPTIONS PATCH TRACE PROPFIND PROPPATCH MKCOL ' +
  'COPY MOVE LOCK UNLOCK REPORT SEARCH QUERY PURGE NOTIFY SUBSCRIBE'
).split(' ');

const TARGETS = [
  '/a',
  '/a/b/c',
  '/a/',
  '/a?b=c',
  '/a?b=c&b=d',
  '/?',
  '/a?',
  '/a%2Fb',
  '/a%2fb',
  '/%C3%A4',
  '/a+b',
  '/a/../b',
  '/a/./b',
  '/..;/a',
  '/a;b=c',
  '/a,b',
  "/a'b",
  '/a(b)',
  '/a*b',
  '/a:b',
  '/a@b',
  '/a~b',
  '/a//b',
  '//a',
  '///',
  '/a?b=//c',
  '/a?b=?c',
  '/a?b=/../c',
  '/a%',
  '/a%zz',
  '/a|b',
  '/a{b}',
  '/a^b',
  '/a[b]',
  '/a\\b',
  '/a"b',
  '/a<b>',
  '/a`b',
  '/a?b=%00',
  `/${'long/'.repeat(300)}`,
];

const FIELDS = [
  'Accept: */*\r\n',
  'accept: text/html\r\nACCEPT-LANGUAGE: de\r\n',
  'Cookie: a=1; b=2\r\n',
  'Cookie: a=1\r\nCookie: b=2\r\n',
  'X-A: 1\r\nX-B: 2\r\nx-a: 3\r\n',
  'X-Empty:\r\nX-A: 1\r\n',
  'X-Bytes: \xe4\xf6\xfc\xff\r\n',
  'X-Tab: a\tb\r\n',
  'X-Blanks: \t a  b \t \r\n',
  'Authorization: Basic dTpw\r\n',
  'User-Agent: a\r\nUser-Agent: b\r\n',
  'Referer: http://a.test/?b\r\n',
  'If-None-Match: "a", W/"b"\r\n',
  'Range: bytes=0-1\r\n',
  'Cache-Control: no-cache\r\nPragma: no-cache\r\n',
  'Origin: http://a.test\r\n',
  'Accept-Encoding: gzip, br\r\n',
  'Expect: 200-maybe\r\n',
  'Keep-Alive: timeout=5\r\n',
  'TE: trailers\r\n',
  'Connection: X-Hop\r\nX-Hop: 1\r\n',
  'Upgrade: h2\r\n',
  'Proxy-Connection: keep-alive\r\n',
  'X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n',
  'Forwarded: for=10.0.0.1\r\n',
  'X-Real-IP: 10.0.0.1\r\nFront-End-Https: on\r\n',
  'x-turnout-color: green\r\n',
  'Via: 1.1 edge\r\n',
  'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n',
  `X-Long: ${'x'.repeat(4_000)}\r\n`,
  Array.from({ length: 60 }, (_, index) => `X-${index}: ${index}\r\n`).join(''),
];

const BYTES = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('');
const BODIES = ['a', 'hello', '0\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', BYTES, 'x'.repeat(20_000)];

function chunked(parts: readonly string[], end = ''): string {
  const chunks = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`);
  return `${chunks.join('')}0\r\n${end}\r\n`;
}

export const SAMPLE_REQUESTS: readonly SampleRequest[] = [
  ...METHODS.map((method) => sample(`${method} /m HTTP/1.1`, '')),
  ...TARGETS.map((target) => sample(`GET ${target} HTTP/1.1`, '')),
  sample('GET http://shop.test/absolute?a HTTP/1.1', ''),
  sample('OPTIONS * HTTP/1.1', ''),
  ...FIELDS.map((fields) => sample('GET /f HTTP/1.1', fields)),
  ...BODIES.map((body) => sample('POST /b HTTP/1.1', `Content-Length: ${body.length}\r\n`, body)),
  ...['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'GET'].map((method) =>
    sample(`${method} /b HTTP/1.1`, 'Content-Length: 3\r\n', 'abc'),
  ),
  sample('POST /b HTTP/1.1', 'Content-Length: 0\r\n'),
  ...BODIES.map((body) =>
    sample('POST /c HTTP/1.1', 'Transfer-Encoding: chunked\r\n', chunked([body])),
  ),
  sample('POST /c HTTP/1.1', 'Transfer-Encoding: chunked\r\n', chunked([])),
  sample('POST /c HTTP/1.1', 'Transfer-Encoding: chunked\r\n', chunked(['a', 'bc', 'def'])),
  sample('PUT /c HTTP/1.1', 'Transfer-Encoding: CHUNKED\r\nX-A: 1\r\n', chunked(['abc'])),
  sample('DELETE /c HTTP/1.1', 'Transfer-Encoding: chunked\r\n', chunked(['abc'])),
  sample(
    'POST /t HTTP/1.1',
    'Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n',
    chunked(['abc'], 'X-Sum: 1\r\n'),
  ),
  sample('GET /old HTTP/1.0', ''),
  sample('POST /old HTTP/1.0', 'Content-Length: 3\r\n', 'abc'),
];
