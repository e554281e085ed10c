// PROXY headers by the tables of the specification (proxy-protocol.txt, 2.1 and 2.2), those that only
// an attacker sends, and any bytes at all in pieces of every size.

import * as fc from 'fast-check';
import t from 'tap';
import {
  INCOMPLETE,
  PROXY_HEADER_BYTES_MAX,
  readProxyHeader,
} from '../../../../src/data-plane/doorstep/proxy-header.ts';
import { binaryHeader, extra, ipv6, IPV4 } from '../support/proxy-bytes.ts';

const CLIENT_V6 = '20010db80000000000000000000000ff';
const SSL = 0x20;
/** client flags, verify, as PP2_TYPE_SSL has them. */
const overTls = (client: number): Buffer => extra(SSL, Buffer.from([client, 0, 0, 0, 0]));

type Case = readonly [
  name: string,
  bytes: string | Buffer,
  address?: string | undefined,
  isSecure?: boolean,
];

const ACCEPTED: readonly Case[] = [
  ['version 1, IPv4', 'PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n', '203.0.113.7'],
  ['the lowest and highest ports', 'PROXY TCP4 203.0.113.7 192.0.2.1 0 65535\r\n', '203.0.113.7'],
  ['version 1, IPv6', 'PROXY TCP6 2001:db8::ff 2001:db8::1 5000 443\r\n', '2001:db8::ff'],
  [
    'IPv6 in another spelling',
    'PROXY TCP6 2001:DB8:0:0::FF 2001:db8::1 5000 443\r\n',
    '2001:db8::ff',
  ],
  [
    'the longest line of version 1',
    `PROXY UNKNOWN ${'f'.repeat(39)} ${'f'.repeat(39)} 65535 65535\r\n`,
  ],
  ['UNKNOWN alone', 'PROXY UNKNOWN\r\n'],
  ['UNKNOWN with anything behind it', 'PROXY UNKNOWN any \0thing, to be ignored\r\n'],
  ['version 2, IPv4', binaryHeader(), '203.0.113.7'],
  ['version 2 for datagrams', binaryHeader({ family: 0x12 }), '203.0.113.7'],
  ['version 2, IPv6', binaryHeader({ family: 0x21, addresses: ipv6(CLIENT_V6) }), '2001:db8::ff'],
  ['version 2, a Unix socket', binaryHeader({ family: 0x31, addresses: Buffer.alloc(216, 'p') })],
  ['version 2, unspecified', binaryHeader({ family: 0, addresses: Buffer.alloc(0) })],
  ['unspecified with bytes', binaryHeader({ family: 0, addresses: Buffer.alloc(300, 1) })],
  ['LOCAL alone', binaryHeader({ command: 0x20, family: 0, addresses: Buffer.alloc(0) })],
  ['LOCAL with an address, not to be used', binaryHeader({ command: 0x20 })],
  [
    'LOCAL that speaks of TLS',
    binaryHeader({ command: 0x20, extras: overTls(1) }),
    undefined,
    false,
  ],
  ['LOCAL of no known family', binaryHeader({ command: 0x20, family: 0xf1 })],
  ['a client with TLS', binaryHeader({ extras: overTls(1) }), '203.0.113.7', true],
  ['one with a certificate', binaryHeader({ extras: overTls(0b111) }), '203.0.113.7', true],
  ['one without TLS', binaryHeader({ extras: overTls(0) }), '203.0.113.7', false],
  [
    'TLS behind other extras',
    binaryHeader({ extras: Buffer.concat([extra(1, Buffer.from('h2')), overTls(1)]) }),
    '203.0.113.7',
    true,
  ],
  [
    'the bytes of TLS in the value of another extra',
    binaryHeader({ extras: extra(2, overTls(1)) }),
    '203.0.113.7',
    false,
  ],
  [
    'an extra longer than the header',
    binaryHeader({ extras: extra(2, overTls(1), 60_000) }),
    '203.0.113.7',
    false,
  ],
  ['TLS without a value', binaryHeader({ extras: extra(SSL, Buffer.alloc(0)) }), '203.0.113.7'],
  ['half an extra', binaryHeader({ extras: Buffer.from([SSL, 0]) }), '203.0.113.7'],
  ['the most that is read', binaryHeader({ extras: Buffer.alloc(2_036, 4) }), '203.0.113.7'],
];

await t.test('is read', async (t) => {
  for (const [name, given, address, isSecure = false] of ACCEPTED) {
    const bytes = bytesOf(given);
    const expected = { length: bytes.length, address, isSecure };
    t.strictSame(told(bytes), expected, name);
    const more = Buffer.concat([bytes, Buffer.from('GET / HTTP/1.1\r\n')]);
    t.strictSame(told(more), expected, `${name}, with more behind it`);
    for (let length = 0; length < bytes.length; length++) {
      if (readProxyHeader(bytes.subarray(0, length)) === INCOMPLETE) continue;
      t.fail(`${name}: told at ${length} of ${bytes.length} bytes`);
      break;
    }
  }
});

/** Returns what a header says of the client alone. */
function told(bytes: Buffer) {
  const header = readProxyHeader(bytes);
  if (header === INCOMPLETE || 'problem' in header) return header;
  const { length, ends, isSecure } = header;
  return { length, address: ends?.from.address, isSecure };
}

const V1 = 'PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n';

await t.test('both ends are read, with their ports', async (t) => {
  const four = { address: '203.0.113.7', port: 5_000 };
  const to = { address: '192.0.2.1', port: 443 };
  t.match(readProxyHeader(bytesOf(V1)), { ends: { from: four, to } });
  t.match(readProxyHeader(binaryHeader()), { ends: { from: four, to } });
  const six = {
    from: { address: '2001:db8::ff', port: 5_000 },
    to: { address: '2001:db8::1', port: 443 },
  };
  const text = bytesOf('PROXY TCP6 2001:db8::ff 2001:DB8:0::1 5000 443\r\n');
  t.match(readProxyHeader(text), { ends: six });
  t.match(readProxyHeader(binaryHeader({ family: 0x21, addresses: ipv6(CLIENT_V6) })), {
    ends: six,
  });
});

const REFUSED: readonly (readonly [name: string, bytes: string | Buffer])[] = [
  ['a request', 'GET / HTTP/1.1\r\n\r\n'],
  ['a ClientHello', Buffer.from('1603010200010001fc0303', 'hex')],
  ['zeros', Buffer.alloc(16)],
  ['small letters', V1.replace('PROXY', 'proxy')],
  ['space before', ` ${V1}`],
  ['a tab', V1.replace('PROXY ', 'PROXY\t')],
  ['two spaces', V1.replace(' 192', '  192')],
  ['space at the end', V1.replace('\r', ' \r')],
  ['an unknown family', V1.replace('TCP4', 'TCP5')],
  ['a family in small letters', V1.replace('TCP4', 'tcp4')],
  ['UNKNOWN with more letters', 'PROXY UNKNOWNS\r\n'],
  ['no family', 'PROXY \r\n'],
  ['no ports', 'PROXY TCP4 203.0.113.7 192.0.2.1\r\n'],
  ['one port', 'PROXY TCP4 203.0.113.7 192.0.2.1 5000\r\n'],
  ['three ports', V1.replace('443', '443 444')],
  ['a port too high', V1.replace('443', '65536')],
  ['a negative port', V1.replace('443', '-1')],
  ['leading zeros in a port', V1.replace('443', '0443')],
  ['a port in hexadecimal', V1.replace('443', '0x1b')],
  ['a port with a fraction', V1.replace('443', '443.0')],
  ['a port with an exponent', V1.replace('443', '1e3')],
  ['leading zeros in an address', V1.replace('203.0.113.7', '203.000.113.7')],
  ['a short address', V1.replace('203.0.113.7', '203.7')],
  ['an octet too high', V1.replace('203.0.113.7', '203.0.113.256')],
  ['a name', V1.replace('203.0.113.7', 'shop.test')],
  ['IPv6 said to be IPv4', V1.replace('203.0.113.7', '2001:db8::1')],
  ['IPv4 said to be IPv6', V1.replace('TCP4', 'TCP6')],
  ['a wrong address of ours', V1.replace('192.0.2.1', '192.0.2')],
  ['a zone', 'PROXY TCP6 fe80::1%eth0 2001:db8::1 5000 443\r\n'],
  ['a zone with a line in it', 'PROXY TCP6 fe80::1%\nX-Admin:1 2001:db8::1 5000 443\r\n'],
  ['brackets', 'PROXY TCP6 [2001:db8::ff] 2001:db8::1 5000 443\r\n'],
  ['a NUL in the address', V1.replace('203.0.113.7', '203.0.113.7\0')],
  ['a line feed before the end', V1.replace(' 443', ' 443\n')],
  ['a line that does not end', `PROXY UNKNOWN ${'x'.repeat(93)}`],
  ['one byte too many', `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`],
  ['a line that ends by a line feed alone', `${V1.replace('\r\n', '\n')}${'x'.repeat(80)}`],
  ['version 1 in the binary form', binaryHeader({ command: 0x11 })],
  ['version 3', binaryHeader({ command: 0x31 })],
  ['an unknown command', binaryHeader({ command: 0x22 })],
  ['an unknown family in the binary form', binaryHeader({ family: 0x41 })],
  ['addresses that are missing', binaryHeader({ addresses: Buffer.alloc(0) })],
  ['half of the addresses', binaryHeader({ addresses: IPV4.subarray(0, 11) })],
  ['IPv4 addresses said to be IPv6', binaryHeader({ family: 0x21 })],
  ['a Unix path too short', binaryHeader({ family: 0x31, addresses: Buffer.alloc(215) })],
  ['a length that is never reached', binaryHeader({ length: 65_535 })],
  ['one byte more than is read', binaryHeader({ extras: Buffer.alloc(2_037, 4) })],
  ['a signature with another end', Buffer.from('\r\n\r\n\0\r\nQUIT\r\n!!!', 'latin1')],
];

await t.test('is refused', async (t) => {
  for (const [name, given] of REFUSED) {
    const answer = readProxyHeader(bytesOf(given));
    t.ok(typeof answer === 'object' && 'problem' in answer, `${name}: ${JSON.stringify(answer)}`);
  }
});

await t.test('a length that lies is waited for, up to what is read at most', async (t) => {
  t.equal(readProxyHeader(binaryHeader({ length: 13 })), INCOMPLETE);
  const short = binaryHeader({ length: 5 });
  t.ok('problem' in Object(readProxyHeader(short)), 'the addresses lie behind the header');
  t.equal(PROXY_HEADER_BYTES_MAX, binaryHeader({ extras: Buffer.alloc(2_036) }).length);
});

await t.test('one address has one spelling', async (t) => {
  const mapped = '00000000000000000000ffffcb007107';
  const binary = readProxyHeader(binaryHeader({ family: 0x21, addresses: ipv6(mapped) }));
  const text = readProxyHeader(bytesOf('PROXY TCP6 0:0::FFFF:cb00:7107 ::1 1 2\r\n'));
  t.match(binary, { ends: { from: { address: '::ffff:203.0.113.7' } } });
  t.match(text, { ends: { from: { address: '::ffff:203.0.113.7' } } });
});

/** Bytes that often are nearly a header. */
const nearly = fc
  .record({
    bytes: fc.oneof(
      fc.constantFrom(...ACCEPTED, ...REFUSED).map(([, given]) => bytesOf(given)),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc
        .tuple(fc.nat(255), fc.nat(255), fc.nat(3_000), fc.uint8Array({ maxLength: 300 }))
        .map(([command, family, length, addresses]) =>
          binaryHeader({ command, family, length, addresses: Buffer.from(addresses) }),
        ),
      fc.string({ maxLength: 150 }).map((text) => bytesOf(`PROXY ${text}\r\n`)),
    ),
    changes: fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 3 }),
  })
  .map(({ bytes, changes }) => {
    const changed = Buffer.from(bytes);
    for (const [at, byte] of changes) if (at < changed.length) changed[at] = byte;
    return changed;
  });

await t.test('any bytes: once told, the answer stays; nothing throws', async (t) => {
  fc.assert(
    fc.property(nearly, (bytes) => {
      let told: unknown = INCOMPLETE;
      for (let length = 0; length <= bytes.length; length++) {
        const answer = readProxyHeader(bytes.subarray(0, length));
        if (told === INCOMPLETE) told = answer;
        else if (JSON.stringify(answer) !== JSON.stringify(told)) return false;
        if (answer === INCOMPLETE && length >= PROXY_HEADER_BYTES_MAX) return false;
      }
      return true;
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});

await t.test('what is accepted is accepted the same when it is printed again', async (t) => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  const port = fc.nat(65_535);
  fc.assert(
    fc.property(fc.tuple(address, port, port), ([from, here, there]) => {
      const print = (one: string): Buffer =>
        bytesOf(
          one.includes(':')
            ? `PROXY TCP6 ${one} ::1 ${here} ${there}\r\n`
            : `PROXY TCP4 ${one} 192.0.2.1 ${here} ${there}\r\n`,
        );
      const first = readProxyHeader(print(from));
      if (first === INCOMPLETE || 'problem' in first) return false;
      const again = readProxyHeader(print(first.ends!.from.address));
      if (again === INCOMPLETE || 'problem' in again) return false;
      return again.ends!.from.address === first.ends!.from.address;
    }),
  );
  t.pass();
});

function bytesOf(given: string | Buffer): Buffer {
  return typeof given === 'string' ? Buffer.from(given, 'latin1') : given;
}
