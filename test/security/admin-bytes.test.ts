// Bytes that no client of ours would send to the admin API: each is answered, and none changes
// anything unless it means the same to every reader.

import { connect } from 'node:net';
import t from 'tap';
import type { ListenAddress } from '../../src/contract/worker-settings.ts';
import {
  ADMIN_BODY_BYTES_MAX,
  ADMIN_HEAD_BYTES_MAX,
} from '../../src/control-plane/base/control-limits.ts';
import { openAdmin } from '../unit/control-plane/support/admin.ts';

/** Sends bytes and resolves with the statuses of all answers. */
async function statusesOf(address: ListenAddress, bytes: string): Promise<number[]> {
  const socket = connect(address.kind === 'tcp' ? address.port : 0, '127.0.0.1');
  socket.on('error', () => {}); // A refusal may be followed by a reset.
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.write(bytes, 'latin1');
  await new Promise((resolve) => {
    socket.on('close', resolve);
  });
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
}

const JSON_TYPE = 'content-type: application/json';

/** A request that ends its connection. */
function bytesOf(line: string, fields: readonly string[], body = ''): string {
  const framing = [`content-length: ${body.length}`, 'connection: close'];
  return [line, ...fields, ...framing, '', body].join('\r\n');
}

const SWITCH = 'POST /v1/switch HTTP/1.1';
const HOST = 'host: localhost';

/** `[what, bytes, status]` */
const CASES: readonly (readonly [string, string, number])[] = [
  ['two Host fields', bytesOf(SWITCH, [HOST, 'host: evil.example', JSON_TYPE], '{}'), 400],
  [
    'two Host fields, the other first',
    bytesOf(SWITCH, ['Host: evil.example', HOST, JSON_TYPE], '{}'),
    400,
  ],
  [
    'two Authorization fields',
    bytesOf(SWITCH, [HOST, JSON_TYPE, 'authorization: Bearer x', 'Authorization: Bearer y'], '{}'),
    400,
  ],
  ['two content types', bytesOf(SWITCH, [HOST, JSON_TYPE, 'content-type: text/plain'], '{}'), 400],
  [
    'two keys',
    bytesOf(SWITCH, [HOST, JSON_TYPE, 'idempotency-key: a', 'Idempotency-Key: b'], '{}'),
    400,
  ],
  [
    'two If-Match that both fail',
    bytesOf(SWITCH, [HOST, JSON_TYPE, 'if-match: "7"', 'if-match: "8"'], '{}'),
    412,
  ],
  [
    'two Origin fields',
    bytesOf(SWITCH, [HOST, JSON_TYPE, 'origin: http://localhost', 'origin: null'], '{}'),
    403,
  ],
  ['Origin null', bytesOf(SWITCH, [HOST, JSON_TYPE, 'ORIGIN: null'], '{}'), 403],
  ['an empty Origin', bytesOf(SWITCH, [HOST, JSON_TYPE, 'origin:'], '{}'), 403],
  [
    'two Sec-Fetch-Site',
    bytesOf(
      SWITCH,
      [HOST, JSON_TYPE, 'sec-fetch-site: same-origin', 'sec-fetch-site: cross-site'],
      '{}',
    ),
    403,
  ],
  [
    'an absolute target of another host',
    bytesOf('POST http://evil.example/v1/switch HTTP/1.1', [HOST, JSON_TYPE], '{}'),
    400,
  ],
  ['no Host', bytesOf(SWITCH, [JSON_TYPE], '{}'), 400],
  ['an empty Host', bytesOf(SWITCH, ['host:', JSON_TYPE], '{}'), 403],
  ['a dot behind the name', bytesOf(SWITCH, ['host: localhost.', JSON_TYPE], '{}'), 403],
  ['an address as one number', bytesOf(SWITCH, ['host: 2130706433', JSON_TYPE], '{}'), 403],
  ['user info in Host', bytesOf(SWITCH, ['host: localhost@evil.example', JSON_TYPE], '{}'), 403],
  ['another path in capitals', bytesOf('POST /V1/SWITCH HTTP/1.1', [HOST, JSON_TYPE], '{}'), 404],
  ['a path with dots', bytesOf('POST /v1/x/../switch HTTP/1.1', [HOST, JSON_TYPE], '{}'), 404],
  ['two slashes', bytesOf('POST //v1/switch HTTP/1.1', [HOST, JSON_TYPE], '{}'), 404],
  [
    'another method in a field',
    bytesOf('GET /v1/switch HTTP/1.1', [HOST, 'x-http-method-override: POST']),
    405,
  ],
  ['TRACE', bytesOf('TRACE /v1/switch HTTP/1.1', [HOST, JSON_TYPE]), 405],
  [
    'a preflight',
    bytesOf('OPTIONS /v1/switch HTTP/1.1', [
      HOST,
      'origin: http://evil.example',
      'access-control-request-method: POST',
    ]),
    403,
  ],
  [
    'two media types in one',
    bytesOf(SWITCH, [HOST, 'content-type: application/json, text/plain'], '{}'),
    415,
  ],
  [
    'a type that begins alike',
    bytesOf(SWITCH, [HOST, 'content-type: application/jsonp'], '{}'),
    415,
  ],
  ['__proto__', bytesOf(SWITCH, [HOST, JSON_TYPE], '{"__proto__":{"to":"green"}}'), 400],
  [
    'constructor',
    bytesOf(SWITCH, [HOST, JSON_TYPE], '{"constructor":{"prototype":{"to":"green"}}}'),
    400,
  ],
  ['a list', bytesOf(SWITCH, [HOST, JSON_TYPE], '[]'), 400],
  ['null', bytesOf(SWITCH, [HOST, JSON_TYPE], 'null'), 400],
  [
    '10 MB that are announced',
    [SWITCH, HOST, JSON_TYPE, 'content-length: 10000000', 'connection: close', '', ''].join('\r\n'),
    413,
  ],
  [
    'a byte too much',
    bytesOf(SWITCH, [HOST, JSON_TYPE], ' '.repeat(ADMIN_BODY_BYTES_MAX + 1)),
    413,
  ],
  [
    'a large head',
    bytesOf(SWITCH, [HOST, JSON_TYPE, `x: ${'y'.repeat(ADMIN_HEAD_BYTES_MAX)}`], '{}'),
    431,
  ],
  ['a bare LF', `${SWITCH}\n${HOST}\n${JSON_TYPE}\n\n`, 400],
  ['no version', 'POST /v1/switch\r\n\r\n', 415],
];

await t.test('strange bytes are answered, and change nothing', async (t) => {
  const { address, switchboard, audit } = await openAdmin(t);
  const { epoch } = switchboard.table;
  for (const [what, bytes, status] of CASES) {
    t.strictSame(await statusesOf(address, bytes), [status], what);
  }
  t.equal(switchboard.table.epoch, epoch);
  t.match(await audit.verify(), { state: /^ok$/ });
});

await t.test('a request is heard by its own absolute target, and behind another one', async (t) => {
  const { address, switchboard } = await openAdmin(t);
  const absolute = bytesOf('GET http://localhost/livez HTTP/1.1', [HOST]);
  t.strictSame(await statusesOf(address, absolute), [200]);
  const first = [SWITCH, HOST, JSON_TYPE, 'content-length: 14', '', '{"to":"green"}'].join('\r\n');
  const second = bytesOf(SWITCH, [HOST, JSON_TYPE, 'if-match: "1"'], '{"to":"blue"}');
  t.strictSame(await statusesOf(address, first + second), [200, 412], 'in order');
  t.equal(switchboard.table.services[0]?.active, 'green');
});
