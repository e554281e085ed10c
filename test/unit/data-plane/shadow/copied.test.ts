import t from 'tap';
import { isCopied } from '../../../../src/data-plane/shadow/copied.ts';

function asked(method: string, fields = ''): boolean {
  const head = `${method} /a HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
  return isCopied({ name: method, isSafe: true, isIdempotent: true }, head);
}

for (const method of ['GET', 'HEAD', 'OPTIONS']) {
  await t.test(`${method} is copied`, async (t) => {
    t.ok(asked(method));
    t.ok(asked(method, 'Cookie: a=1\r\nAuthorization: Bearer x\r\nAccept: text/html\r\n'));
  });
}

for (const method of ['POST', 'PUT', 'DELETE', 'TRACE', 'PROPFIND', 'QUERY', 'REPORT']) {
  await t.test(`${method} is not copied`, async (t) => t.notOk(asked(method)));
}

for (const field of [
  'Content-Length: 3',
  'Content-Length: 0',
  'transfer-encoding: chunked',
  'RANGE: bytes=0-1',
  'If-Range: "a"',
  'If-None-Match: "a"',
  'If-Modified-Since: Mon, 30 Nov 2026 13:00:00 GMT',
  'If-Match: *',
  'Upgrade: websocket',
  'Accept: text/event-stream',
  'accept: text/html, Text/Event-Stream;q=0.9',
]) {
  await t.test(`a request with ${field} is not copied`, async (t) => {
    t.notOk(asked('GET', `${field}\r\n`));
    t.notOk(asked('GET', `X-First: 1\r\n${field}\r\nX-Last: 1\r\n`));
  });
}

await t.test('the same words in another field say nothing', async (t) => {
  t.ok(asked('GET', 'X-Range: bytes=0-1\r\nReferer: http://a/?accept:text/event-stream\r\n'));
  t.ok(asked('GET', 'Accept: text/html\r\nX-Note: text/event-stream\r\n'));
});
