// Which places are Turnout itself. DNS may say anything, SRV records even the port: a name that
// leads here would send requests in circles, or let clients reach the admin API.

import { networkInterfaces } from 'node:os';
import { isWildcard } from '../config/host.ts';
import { reaches } from '../config/reach.ts';
import type { ListenAddress } from '../contract/settings.ts';
import type { Place } from './lookup.ts';

/** Returns whether a place is one of `listeners`, as they are when it is asked. */
export function ownPlaces(
  listeners: () => readonly (ListenAddress | undefined)[],
): (place: Place) => boolean {
  return (place) =>
    listeners().some(
      (listener) =>
        listener !== undefined && (reaches(place, listener) || isOnThisMachine(place, listener)),
    );
}

/** Who listens on every address can be reached by every address of the machine. */
function isOnThisMachine({ host, port }: Place, listener: ListenAddress): boolean {
  if (listener.kind !== 'tcp' || listener.port !== port || !isWildcard(listener.host)) return false;
  const own = Object.values(networkInterfaces()).flat();
  return own.some((one) => one?.address === host);
}
