// Where a connection would end: at a listener of our own, or elsewhere.

import type { ListenAddress } from '../../contract/worker-settings.ts';
import type { Address, NamedAddress } from '../../contract/table.ts';
import { isLoopback, isWildcard } from './host-name.ts';

/** Tells whether connecting to `to` most surely ends at `address`. */
export function reaches(to: Address | NamedAddress, address: ListenAddress): boolean {
  // Where SRV records lead is known when they are there.
  if (to.kind === 'srv') return false;
  if (to.kind === 'unix' || address.kind === 'unix') {
    return to.kind === 'unix' && address.kind === 'unix' && to.path === address.path;
  }
  if (to.port !== address.port) return false;
  const host = plainIPv4(to.host);
  if (host === plainIPv4(address.host)) return true;
  // Connecting to the wildcard address reaches this machine.
  const isHere = isLoopback(host) || isWildcard(host);
  if (address.host === '::') return isHere;
  if (address.host === '0.0.0.0') return isHere && host !== '::1';
  if (!isHere || !isUsualLoopback(address.host)) return false;
  // `localhost` is 127.0.0.1 or ::1, or both: that is the system's choice.
  return !host.startsWith('127.') || (host === '127.0.0.1' && address.host === 'localhost');
}

function isUsualLoopback(host: string): boolean {
  return host === '127.0.0.1' || host === '::1' || host === 'localhost';
}

/** Returns the IPv4 address that an IPv6 one stands for: `::ffff:7f00:1` is 127.0.0.1 (RFC 4291). */
export function plainIPv4(host: string): string {
  const parts = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (parts === null) return host;
  const [high, low] = [parseInt(parts[1]!, 16), parseInt(parts[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
