// Which addresses are Turnout itself. An operator may err, and DNS may say anything, SRV records
// even the port: a target that is here would send requests in circles, or let clients reach the
// admin API.

import { networkInterfaces } from 'node:os';
import type { Config } from '../../config/config.ts';
import { isWildcard } from '../../config/values/host-name.ts';
import { plainIPv4, reaches } from '../../config/values/reach.ts';
import { printAddress, type ListenAddress } from '../../contract/worker-settings.ts';
import type { Address, NamedAddress } from '../../contract/table.ts';
import { meet, placesIn, type FindPlaces, type PlacedTarget, type Places } from './places.ts';

/** The listeners of Turnout, as they are at the moment. */
export type Listeners = () => readonly (ListenAddress | undefined)[];

/** Returns the listeners that a configuration asks for. */
export function configuredListeners({
  dataPlane,
  admin,
  metrics,
}: Pick<Config, 'dataPlane' | 'admin' | 'metrics'>): ReturnType<Listeners> {
  return [...dataPlane.listeners.map(({ address }) => address), admin.listen, metrics.listen];
}

/** Returns all targets that a configuration names. */
export function configuredTargets({ services }: Pick<Config, 'services'>): PlacedTarget[] {
  return services.flatMap(({ blue, green }) => [...blue.targets, ...green.targets]);
}

/** Tells whether an address is a listener of our own, as far as its text tells. */
export type IsOurs = (address: Address | NamedAddress) => boolean;

/** Returns whether an address is one of `listeners`, as they are when it is asked. */
export function ownPlaces(listeners: Listeners): IsOurs {
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

/**
 * Resolves with the URLs of those `targets` that are listeners of Turnout: sockets by any path,
 * names that lead nowhere else now. What a name leads to later is checked with each lookup.
 */
export async function ownAmong(
  targets: readonly PlacedTarget[],
  listeners: Listeners,
  findPlaces: FindPlaces,
): Promise<ReadonlySet<string>> {
  const own = listeners().filter((listener) => listener !== undefined);
  const [ours, places] = await Promise.all([
    findPlaces(own.map((address) => ({ url: printAddress(address), address }))),
    findPlaces(targets.filter(({ address }) => address.kind !== 'tcp')),
  ]);
  // A listener may be named, too: then it is where the system says.
  const named = [...ours.values()].flatMap((texts) => [...texts].flatMap(placesIn));
  const isOurs = ownPlaces(() => [...own, ...named]);
  const isOwn = ({ url, address }: PlacedTarget): boolean => {
    if (isOurs(address)) return true;
    const at = places.get(url) ?? NOWHERE;
    if (address.kind === 'unix') return [...ours.values()].some((one) => meet(one, at));
    const found = [...at].flatMap(placesIn);
    return found.length > 0 && found.every(isOurs);
  };
  return new Set(targets.filter(isOwn).map(({ url }) => url));
}

const NOWHERE: Places = new Set();
