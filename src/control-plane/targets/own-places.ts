// Which addresses are Turnout itself. An operator may err, and DNS may say anything, SRV records
// even the port: a target that is here would send requests in circles, or let clients reach the
// admin API.

import { networkInterfaces } from 'node:os';
import { isWildcard } from '../../config/values/host-name.ts';
import { plainIPv4, reaches } from '../../config/values/reach.ts';
import type { ListenAddress } from '../../contract/worker-settings.ts';
import type { Address, NamedAddress } from '../../contract/table.ts';

/** Tells whether an address is a listener of our own. */
export type IsOurs = (address: Address | NamedAddress) => boolean;

/** Returns whether an address is one of `listeners`, as they are when it is asked. */
export function ownPlaces(listeners: () => readonly (ListenAddress | undefined)[]): IsOurs {
  return (address) =>
    listeners().some(
      (listener) =>
        listener !== undefined &&
        (reaches(address, listener) || isOnThisMachine(address, listener)),
    );
}

/** A listener on every address can be reached by every address of the machine. */
function isOnThisMachine(to: Address | NamedAddress, listener: ListenAddress): boolean {
  if (to.kind !== 'tcp' || listener.kind !== 'tcp') return false;
  if (listener.port !== to.port || !isWildcard(listener.host)) return false;
  const own = Object.values(networkInterfaces()).flat();
  return own.some((one) => one?.address === plainIPv4(to.host));
}
