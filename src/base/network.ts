// The network that an address belongs to, as far as one owner is concerned. Pure.

import { textHash } from './hashes.ts';

/** Returns the network that one owner has for itself: an IPv4 address, the first 64 bits of an IPv6 address. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [left = '', right] = address.split('%', 1)[0]!.split('::');
  const groups = left === '' ? [] : left.split(':');
  if (right !== undefined) {
    const tail = right === '' ? [] : right.split(':');
    while (groups.length + tail.length < 8) groups.push('0');
    groups.push(...tail);
  }
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}

/** Returns the hash of the network of `address`; never 0. */
export function networkHash(address: string): number {
  return textHash(networkOf(address)) || 1;
}
