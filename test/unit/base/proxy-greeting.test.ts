// PROXY headers as targets are sent them: the examples of the specification (proxy-protocol.txt, 2.1 and
// 2.2), and any two addresses, which our own reader has to read as they were.

import * as fc from 'fast-check';
import { SocketAddress } from 'node:net';
import t from 'tap';
import {
  endsOf,
  proxyHeader,
  type ConnectionEnds,
  type ProxyVersion,
} from '../../../src/base/proxy-greeting.ts';
import { INCOMPLETE, readProxyHeader } from '../../../src/data-plane/doorstep/proxy-header.ts';

const HIGHEST = Array.from({ length: 8 }, () => 'ffff').join(':');
const LOCAL = '0d0a0d0a000d0a515549540a20000000';
const UNKNOWN = 'PROXY UNKNOWN\r\n';
/** A connection to a target, as its socket tells of it. */
const OWN = {
  localAddress: '192.0.2.9',
  localPort: 40_000,
  remoteAddress: '192.0.2.80',
  remotePort: 3_000,
};

function ends(from: string, fromPort: number, to: string, toPort: number): ConnectionEnds {
  return { from: { address: from, port: fromPort }, to: { address: to, port: toPort } };
}

function sent(version: ProxyVersion, told: ConnectionEnds | undefined, own = {}): string {
  return proxyHeader({ version, ends: told }, own).toString(version === 'v1' ? 'latin1' : 'hex');
}

await t.test('the examples of version 1', async (t) => {
  const usual = ends('192.168.0.1', 56_324, '192.168.0.11', 443);
  t.equal(sent('v1', usual), 'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n');
  const wide = ends('255.255.255.255', 65_535, '255.255.255.255', 65_535);
  t.equal(sent('v1', wide), 'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n');
  const longest = sent('v1', ends(HIGHEST, 65_535, HIGHEST, 65_535));
  t.equal(longest, `PROXY TCP6 ${HIGHEST} ${HIGHEST} 65535 65535\r\n`);
  t.equal(longest.length, 104, 'the longest that the specification knows');
});

await t.test('version 2, byte by byte', async (t) => {
  const four = sent('v2', ends('203.0.113.7', 5_000, '192.0.2.1', 443));
  t.equal(four, '0d0a0d0a000d0a515549540a2111000ccb007107c0000201138801bb');
  const six = sent('v2', ends('2001:db8::ff', 5_000, '::1', 443));
  const addresses = '20010db80000000000000000000000ff00000000000000000000000000000001';
  t.equal(six, `0d0a0d0a000d0a515549540a21210024${addresses}138801bb`);
});

await t.test('IPv4 on a socket for both families is IPv4', async (t) => {
  const mapped = ends('::ffff:203.0.113.7', 1, '::FFFF:192.0.2.1', 2);
  t.equal(sent('v1', mapped), 'PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n');
  t.equal(sent('v2', mapped), sent('v2', ends('203.0.113.7', 1, '192.0.2.1', 2)));
});

await t.test('two families become the one that has room for both', async (t) => {
  const mixed = ends('203.0.113.7', 1, '2001:db8::1', 2);
  t.equal(sent('v1', mixed), 'PROXY TCP6 ::ffff:203.0.113.7 2001:db8::1 1 2\r\n');
  const address = '00000000000000000000ffffcb007107';
  t.equal(sent('v2', mixed).slice(32, 64), address);
});

await t.test('a zone, which means nothing on another machine, is left out', async (t) => {
  const near = ends('fe80::1%eth0', 1, 'fe80::2%eth0', 2);
  t.equal(sent('v1', near), 'PROXY TCP6 fe80::1 fe80::2 1 2\r\n');
});

await t.test('where there is no client, the connection is our own', async (t) => {
  t.equal(sent('v2', undefined, OWN), LOCAL);
  t.equal(sent('v1', undefined, OWN), 'PROXY TCP4 192.0.2.9 192.0.2.80 40000 3000\r\n');
  t.equal(sent('v1', undefined), UNKNOWN, 'a Unix socket has no addresses');
  t.equal(sent('v2', undefined), LOCAL);
});

await t.test('what is no address is told as unknown, and never put on the wire', async (t) => {
  for (const wrong of ['', 'localhost', '1.2.3', '203.0.113.7\r\nX: 1', '::1 ::1']) {
    t.equal(sent('v1', ends(wrong, 1, '192.0.2.1', 2)), UNKNOWN, wrong);
    t.equal(sent('v2', ends('192.0.2.1', 1, wrong, 2)), LOCAL, wrong);
  }
});

await t.test('a socket that says nothing of one of its ends has none', async (t) => {
  t.strictSame(endsOf(OWN), ends('192.0.2.80', 3_000, '192.0.2.9', 40_000));
  for (const missing of ['localAddress', 'localPort', 'remoteAddress', 'remotePort']) {
    t.equal(endsOf({ ...OWN, [missing]: undefined }), undefined, missing);
  }
});

await t.test('our own reader reads what was meant, of any two addresses', async (t) => {
  const end = fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(65_535));
  fc.assert(
    fc.property(end, end, fc.constantFrom('v1', 'v2'), ([from, here], [to, there], version) => {
      const header = proxyHeader({ version, ends: ends(from, here, to, there) }, {});
      const read = readProxyHeader(Buffer.concat([header, Buffer.from('GET / HTTP/1.1\r\n')]));
      if (read === INCOMPLETE || 'problem' in read || read.ends === undefined) return false;
      const isRight = [
        [read.ends.from, from, here] as const,
        [read.ends.to, to, there] as const,
      ].every(([got, address, port]) => same(got.address, address) && got.port === port);
      return isRight && read.length === header.length && !read.isSecure;
    }),
    { numRuns: 1_000 },
  );
  t.pass();
});

/** Tells whether two spellings are of one address; IPv4 may have become IPv6. */
function same(one: string, other: string): boolean {
  return spelled(one) === spelled(other);
}

function spelled(address: string): string {
  const six = address.includes(':') ? address : `::ffff:${address}`;
  return new SocketAddress({ address: six, family: 'ipv6' }).address;
}
