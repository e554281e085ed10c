import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import type { ListenAddress } from '../../../../../src/contract/worker-settings.ts';
import {
  ADMIN_BODY_BYTES_MAX,
  ADMIN_HEAD_BYTES_MAX,
} from '../../../../../src/control-plane/base/control-limits.ts';
import { ask, openAdmin, post } from '../../support/admin.ts';

/** Sends bytes and resolves with all that comes back until the end. */
async function sendBytes(address: ListenAddress, bytes: string): Promise<string> {
  const socket = connect(address.kind === 'tcp' ? address.port : 0, '127.0.0.1');
  socket.on('error', () => {}); // A refusal may be followed by a reset.
  socket.write(bytes);
  let text = '';
  socket.on('data', (chunk) => (text += String(chunk)));
  await once(socket, 'close');
  return text;
}

await t.test('a caller that leaves in its body is no fault of ours', async (t) => {
  const { address, log, audit, store } = await openAdmin(t);
  const socket = connect(address.kind === 'tcp' ? address.port : 0, '127.0.0.1');
  const head = ['POST /v1/switch HTTP/1.1', 'host: 127.0.0.1', 'content-type: application/json'];
  socket.write(`${head.join('\r\n')}\r\ncontent-length: 100\r\n\r\n{"to`, () => socket.destroy());
  await once(socket, 'close');
  const entries = () => store.audit.latest({ services: undefined, before: undefined, limit: 9 });
  while (entries().length === 0) {
    await ask(address, '/livez');
    await audit.settle();
  }
  t.match(JSON.parse(entries()[0]!.text), { status: 400, code: 'request-malformed' });
  t.strictSame(
    log.lines.filter(({ level }) => level === 'error'),
    [],
  );
});

await t.test('bodies that do not fit are refused, named and change nothing', async (t) => {
  const { address, pointer } = await openAdmin(t);
  const rows: readonly (readonly [string, string, RegExp])[] = [
    ['{"to":"green"', 'json-malformed', /JSON/],
    ['nonsense', 'json-malformed', /JSON/],
    ["{'to':'green'}", 'json-malformed', /JSON/],
    ['{"to":"blue","to":"green"}', 'body-invalid', /"to" stands twice/],
    ['[]', 'body-invalid', /object/],
    ['null', 'body-invalid', /object/],
    ['"green"', 'body-invalid', /object/],
    ['{"to":""}', 'body-invalid', /to: /],
    [`{"to":"${'x'.repeat(129)}"}`, 'body-invalid', /to: /],
    ['{"to":0}', 'body-invalid', /to: /],
    ['{"to":-1}', 'body-invalid', /to: /],
    ['{"to":1.5}', 'body-invalid', /to: /],
    ['{"to":true}', 'body-invalid', /to: /],
    ['{"to":null}', 'body-invalid', /to: /],
    ['{"to":["green"]}', 'body-invalid', /to: /],
    ['{"To":"green"}', 'body-invalid', /"To"/],
    ['{"to":"green","colour":1}', 'body-invalid', /"colour"/],
    ['{"to":"green","force":"yes"}', 'body-invalid', /force: /],
    ['{"to":"green","force":1}', 'body-invalid', /force: /],
    ['{"to":"green","reason":5}', 'body-invalid', /reason: /],
    [`{"reason":"${'x'.repeat(501)}"}`, 'body-invalid', /reason: /],
    ['{"service":""}', 'body-invalid', /service: /],
    ['{"__proto__":{"force":true}}', 'body-invalid', /__proto__/],
    ['{"constructor":1}', 'body-invalid', /"constructor"/],
    ['{"force":true}', 'reason-required', /why/],
    [`${'['.repeat(30_000)}${']'.repeat(30_000)}`, 'body-invalid', /object/],
    [`${'{"to":'.repeat(9_000)}1${'}'.repeat(9_000)}`, 'body-invalid', /to: /],
  ];
  for (const [body, code, detail] of rows) {
    const answer = await post(address, '/v1/switch', body);
    t.match(answer, { status: 400, json: { code, detail } }, body.slice(0, 40));
    t.match(answer.headers['content-type'], /^application\/problem\+json/);
  }
  t.match((await ask(address, '/v1/status')).json, { generation: 1 });
  t.equal(pointer(), 1);
});

await t.test('a body over the limit is refused', async (t) => {
  const { address, pointer } = await openAdmin(t);
  const body = `{"to":"green"${' '.repeat(ADMIN_BODY_BYTES_MAX)}}`;
  t.match(await post(address, '/v1/switch', body), {
    status: 413,
    json: { code: 'body-too-large' },
  });
  t.equal(pointer(), 1);
});

await t.test('a POST that a web form could send is refused', async (t) => {
  const { address, pointer } = await openAdmin(t);
  const types = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'json'];
  for (const type of types) {
    const headers = { 'content-type': type };
    const answer = await ask(address, '/v1/switch', { method: 'POST', headers, body: '{}' });
    t.match(answer, { status: 415, json: { code: 'content-type-not-json' } }, type);
  }
  const empty = await ask(address, '/v1/switch', { method: 'POST' });
  t.match(empty, { status: 415, json: { code: 'content-type-not-json' } });
  t.equal(pointer(), 1);
  const headers = { 'content-type': 'Application/JSON; charset=utf-8' };
  const fine = await ask(address, '/v1/switch', { method: 'POST', headers, body: '{}' });
  t.equal(fine.status, 200);
});

await t.test('a Host that is not loopback is refused', async (t) => {
  const { address, pointer } = await openAdmin(t);
  const bad = ['evil.example', 'evil.example:80', '10.0.0.1', '127.0.0.1.evil.example', '[::2]'];
  for (const host of [...bad, 'localhost.evil.example', 'evil@localhost', 'a:b:c']) {
    const answer = await post(address, '/v1/switch', {}, { host });
    t.match(answer, { status: 403, json: { code: 'host-not-allowed' } }, host);
  }
  t.equal(pointer(), 1);
  for (const host of [
    'localhost',
    'LOCALHOST:1',
    '127.0.0.1:99',
    '127.9.9.9',
    '[::1]',
    '[::1]:5',
  ]) {
    t.equal((await ask(address, '/livez', { headers: { host } })).status, 200, host);
  }
});

await t.test('a page of another origin is refused, the own one is not', async (t) => {
  const { address, pointer } = await openAdmin(t);
  const host = '127.0.0.1:8081';
  for (const origin of [
    'http://evil.example',
    'null',
    `https://${host}`,
    'http://127.0.0.1:3000',
  ]) {
    const answer = await post(address, '/v1/switch', {}, { host, origin });
    t.match(answer, { status: 403, json: { code: 'origin-not-allowed' } }, origin);
    const read = await ask(address, '/v1/status', { headers: { host, origin } });
    t.equal(read.status, 403);
  }
  t.equal(pointer(), 1);
  const own = await post(address, '/v1/switch', {}, { host, origin: `http://${host}` });
  t.equal(own.status, 200);
});

await t.test('a method that a path does not have is 405 with what it has', async (t) => {
  const { address, pointer } = await openAdmin(t);
  const headers = { 'content-type': 'application/json' };
  const rows = [
    ['GET', '/v1/switch', 'POST'],
    ['PUT', '/v1/switch', 'POST'],
    ['DELETE', '/v1/switch', 'POST'],
    ['OPTIONS', '/v1/switch', 'POST'],
    ['PROPFIND', '/v1/rollback', 'POST'],
    ['POST', '/v1/status', 'GET, HEAD'],
  ] as const;
  for (const [method, path, allow] of rows) {
    const answer = await ask(address, path, { method, headers });
    t.match(answer, { status: 405, json: { code: 'method-not-allowed' }, headers: { allow } });
  }
  t.equal((await ask(address, '/v1/status', { method: 'HEAD' })).status, 200);
  t.equal(pointer(), 1);
});

await t.test('an unknown path is 404 and lists what there is', async (t) => {
  const { address } = await openAdmin(t);
  for (const path of [
    '/',
    '/v1',
    '/v1/switch/',
    '/v1/Status',
    '/metrics/x',
    '/..',
    '//v1/status',
  ]) {
    t.match(
      await ask(address, path),
      { status: 404, json: { code: 'not-found', routes: [/^GET \/v1\/status: /] } },
      path,
    );
  }
  t.match(await ask(address, '/%zz'), { status: 400, json: { code: 'request-malformed' } });
});

await t.test('bytes that are no request get a problem and a closed connection', async (t) => {
  const { address } = await openAdmin(t);
  t.match(
    await sendBytes(address, '\u0016\u0003\u0001 hello\r\n\r\n'),
    /^HTTP\/1.1 400 .*request-malformed/s,
  );
  const long = `GET /livez HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(ADMIN_HEAD_BYTES_MAX)}\r\n\r\n`;
  t.match(await sendBytes(address, long), /^HTTP\/1.1 431 .*head-too-large/s);
  const both = 'POST /v1/switch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
  const smuggled = `${both}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`;
  t.match(await sendBytes(address, smuggled), /^HTTP\/1.1 400 /);
  t.match(await sendBytes(address, 'GET /livez HTTP/1.1\r\n\r\n'), /^HTTP\/1.1 400 /, 'no Host');
  const empty = 'GET /livez HTTP/1.1\r\nhost: \r\nconnection: close\r\n\r\n';
  t.match(await sendBytes(address, empty), /^HTTP\/1.1 403 /, 'an empty Host');
  t.equal((await ask(address, '/livez')).status, 200);
});
