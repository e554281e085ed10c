// Where a connection would end: at a listener of our own, or elsewhere.

import type { ListenAddress } from '../contract/settings.ts';
import type { Address, NamedAddress } from '../contract/table.ts';
import { isLoopback, isWildcard } from './host.ts';

/** Tells whether connecting to `to` most surely ends at `address`. */
export function reaches(to: Address | NamedAddress, address: ListenAddress): boolean {
  // Where SRV records lead is known when they are there.
  if (to.kind === 'srv') return false;
  if (to.kind === 'unix' || address.kind === 'unix') {
    return to.kind === 'unix' && address.kind === 'unix' && to.path === address.path;
  }
  if (to.port !== address.port) return false;
  if (to.host === address.host) return true;
  // Connecting to the wildcard address reaches this machine.
  const isHere = isLoopback(to.host) || isWildcard(to.host);
  if (address.host === '::') return isHere;
  if (address.host === '0.0.0.0') return isHere && to.host !== '::1';
  return isHere && isUsualLoopback(address.host) && !to.host.startsWith('127.');
}

function isUsualLoopback(host: string): boolean {
  return host === '127.0.0.1' || host === '::1' || host === 'localhost';
}
