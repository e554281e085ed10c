// Which client a trusted proxy has forwarded a request for.

import t from 'tap';
import { networkHash } from '../../../../src/base/network.ts';
import { ForwardedAddresses } from '../../../../src/data-plane/clients/forwarded-address.ts';
import { AddressRanges } from '../../../../src/data-plane/base/address-ranges.ts';
import { requestWith } from '../../../support/heads.ts';

const addresses = new ForwardedAddresses(new AddressRanges(['10.0.0.0/8', 'fd00::/8']));

function hashOf(...fields: readonly string[]): number {
  return addresses.hashOf(requestWith(fields, { method: 'GET', target: '/' }));
}

await t.test('the last address that is no trusted proxy is the client', async (t) => {
  const client = networkHash('192.0.2.7');
  for (const value of [
    '192.0.2.7',
    ' 192.0.2.7 ,10.0.0.1',
    '6.6.6.6, 192.0.2.7, 10.1.1.1, 10.0.0.1',
    '192.0.2.7:51234',
    'unknown, 192.0.2.7, fd00::1',
  ]) {
    t.equal(hashOf(`X-Forwarded-For: ${value}`), client, value);
  }
  t.equal(hashOf('X-Forwarded-For: 6.6.6.6', 'x-forwarded-for: 192.0.2.7, 10.0.0.1'), client);
  t.equal(hashOf('X-Forwarded-For: 192.0.2.7', 'x-forwarded-for: 10.0.0.1'), client);
});

await t.test('where all are trusted, it is the first', async (t) => {
  t.equal(hashOf('X-Forwarded-For: 10.0.0.9, 10.0.0.1'), networkHash('10.0.0.9'));
});

await t.test('an IPv6 client is known by its network, with or without a port', async (t) => {
  const client = networkHash('2001:db8:1:2::1');
  for (const value of ['2001:db8:1:2::1', '[2001:db8:1:2:a::b]:443', '2001:db8:1:2:ff:ff:ff:ff']) {
    t.equal(hashOf(`X-Forwarded-For: ${value}`), client, value);
  }
  t.not(hashOf('X-Forwarded-For: 2001:db8:1:3::1'), client);
});

await t.test('a request that names no client, or too many, has no address', async (t) => {
  t.equal(hashOf(), 0);
  t.equal(hashOf('X-Forwarded-For: '), 0);
  t.equal(hashOf(`X-Forwarded-For: ${'192.0.2.7, '.repeat(60)}`), 0);
  t.equal(hashOf('Connection: x-forwarded-for', 'X-Forwarded-For: 192.0.2.7'), 0, 'hop by hop');
});

await t.test('however many clients there are, each is told from the others', async (t) => {
  const hashes = new Set<number>();
  for (let count = 0; count < 3_000; count++) {
    hashes.add(hashOf(`X-Forwarded-For: 198.51.${count >> 8}.${count & 255}`));
  }
  t.equal(hashes.size, 3_000);
});
