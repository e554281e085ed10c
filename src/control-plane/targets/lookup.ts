// One lookup of a name: which questions it takes, and what of the answers is used. Whatever DNS
// says is bounded and checked here; which server is asked is dns.ts's business.

import { isIP } from 'node:net';
import type { ResolveConfig } from '../../config/config.ts';
import { bracketed, isWildcard, normalHost } from '../../config/values/host-name.ts';
import type { NamedAddress } from '../../contract/table.ts';
import { ADDRESSES_PER_NAME_MAX, PLACES_TAKEN_MAX } from '../base/control-limits.ts';

/** Where a name leads: an IP address and a port. */
export interface Place {
  readonly kind: 'tcp';
  readonly host: string;
  readonly port: number;
}

/** A record that says where a service runs (RFC 2782). */
export interface ServiceRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
}

/** Answers questions about names: see dns.ts. */
export interface DnsClient {
  /** Resolves with the addresses of one family; rejects when that is not known. */
  addresses(host: string, family: 4 | 6): Promise<readonly string[]>;
  services(name: string): Promise<readonly ServiceRecord[]>;
  /** Ends all questions that are open. */
  close(): void;
}

/** DNS has answered all questions, and every answer was that there is nothing. */
export class NameDenied extends Error {
  override readonly name = 'NameDenied';
  override readonly message = 'DNS says: no such name, or no address for it';
}

/**
 * Resolves with where `address` leads, each place once and in a fixed order, at most
 * `PLACES_TAKEN_MAX`; with nothing when no answer is usable. Rejects when any question was not
 * answered, because half an answer would take away endpoints that are there; and with `NameDenied`.
 */
export async function lookUp(
  address: NamedAddress,
  families: ResolveConfig['families'],
  dns: DnsClient,
): Promise<readonly Place[]> {
  const hosts = address.kind === 'name' ? [address] : await servicesOf(address.name, dns);
  const lists = await Promise.all(
    hosts.map(async ({ host, port }) => {
      const found = await addressesOf(host, families, dns);
      const places = found.flatMap(plain).map((one): Place => ({ kind: 'tcp', host: one, port }));
      return { isEmpty: found.length === 0, places: firstOf(places) };
    }),
  );
  if (hosts.length > 0 && lists.every(({ isEmpty }) => isEmpty)) throw new NameDenied();
  return firstOf(lists.flatMap(({ places }) => places));
}

/** Returns each place once, in a fixed order; always the same ones where there are too many. */
function firstOf(found: readonly Place[]): Place[] {
  const places = new Map(found.map((place) => [placeText(place), place]));
  const texts = [...places.keys()].toSorted().slice(0, PLACES_TAKEN_MAX);
  return texts.map((text) => places.get(text)!);
}

/** Returns a place as people write it: `10.0.0.2:3000`. */
export function placeText({ host, port }: Place): string {
  return `${bracketed(host)}:${port}`;
}

/**
 * Returns which of `found` are used, at most `ADDRESSES_PER_NAME_MAX`: those that are in use first,
 * so that a long list in changing order changes nothing.
 */
export function chosenFrom(found: readonly Place[], inUse: ReadonlySet<string>): Place[] {
  const kept = found.filter((place) => inUse.has(placeText(place)));
  const others = found.filter((place) => !inUse.has(placeText(place)));
  return [...kept, ...others].slice(0, ADDRESSES_PER_NAME_MAX);
}

interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** Only the most preferred records count: the others are for clients that those have failed. */
async function servicesOf(name: string, dns: DnsClient): Promise<HostAndPort[]> {
  const found = await dns.services(name);
  // A target `.` says that there is no such service (RFC 2782).
  if (found.every((record) => record.name === '' || record.name === '.')) throw new NameDenied();
  const records = found.flatMap(usable);
  const best = records.reduce((least, { priority }) => Math.min(least, priority), Infinity);
  const hosts = new Map(
    records
      .filter(({ priority }) => priority === best)
      .map(({ host, port }) => [`${host}:${port}`, { host, port }]),
  );
  return [...hosts.keys()]
    .toSorted()
    .slice(0, ADDRESSES_PER_NAME_MAX)
    .map((text) => hosts.get(text)!);
}

function usable({ name, port, priority }: ServiceRecord): (HostAndPort & { priority: number })[] {
  const host = normalHost(name);
  const isUsable = host !== undefined && isIP(host) === 0 && port >= 1 && port <= 65_535;
  return isUsable ? [{ host, port, priority }] : [];
}

async function addressesOf(
  host: string,
  families: ResolveConfig['families'],
  dns: DnsClient,
): Promise<string[]> {
  const ask = async (family: 4 | 6): Promise<readonly string[]> => dns.addresses(host, family);
  if (families === 'both') return (await Promise.all([ask(4), ask(6)])).flat();
  const [first, second] = families === 'ipv6-first' ? ([6, 4] as const) : ([4, 6] as const);
  const found = await ask(first);
  // What was found may be of no use; it says all the same that there is such a name.
  return found.flatMap(plain).length > 0 ? [...found] : [...found, ...(await ask(second))];
}

/** `0.0.0.0` and `::` would lead to ourselves; filters answer with them for names they block. */
function plain(address: string): string[] {
  // An IPv4 address in IPv6 (RFC 4291 §2.5.5.2) is the same place.
  const text = /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address;
  return isIP(text) === 0 || isWildcard(text) ? [] : [text];
}
