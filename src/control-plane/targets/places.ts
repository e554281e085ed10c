// Where targets lead at this moment, so that two spellings of one place are found out: an IP address
// and port, every address of a name, a Unix socket by device and inode. Only answers the question;
// what may not be at one place is decided in switching.

import { readlink, realpath, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { isWildcard, normalHost } from '../../config/values/host-name.ts';
import { plainIPv4 } from '../../config/values/reach.ts';
import type { Endpoint, NamedAddress } from '../../contract/table.ts';
import { LINKS_FOLLOWED_MAX, PLACES_WITHIN_MS } from '../base/control-limits.ts';
import type { Timers } from '../base/timers.ts';
import { lookUp, placeText, type DnsClient, type Place } from './lookup.ts';
import type { NameBook } from './looked-up-name.ts';

/** A target as it was parsed, and as a table has it. */
export type PlacedTarget = Pick<Endpoint, 'url' | 'address'> & { readonly in?: Endpoint };

/** Texts that name places; those of two targets meet where both lead to one place. */
export type Places = ReadonlySet<string>;

/** Resolves with the places of each target, by its URL; never with an empty set, and soon. */
export type FindPlaces = (targets: readonly PlacedTarget[]) => Promise<ReadonlyMap<string, Places>>;

export interface PlacesParts {
  readonly dns: DnsClient;
  /** Looks names up as any program of this machine does: where `localhost` leads. */
  readonly system: Pick<DnsClient, 'addresses'>;
  /** Where the names in the tables have led to so far. */
  readonly names: Pick<NameBook, 'of'>;
  readonly timers: Timers;
}

/**
 * Makes the search. A name is known by its text, too, and a socket by its folder: that is all there
 * is when the name can't be looked up, or before the socket exists.
 */
export function placeFinder(parts: PlacesParts): FindPlaces {
  return async (targets) => {
    const found = new Map<string, Set<string>>();
    const late = Promise.withResolvers<readonly string[]>();
    const cancel = parts.timers.after(PLACES_WITHIN_MS, () => late.resolve([]));
    const searches = targets.map(async (target) => {
      const looked = search(target, parts).catch(() => []);
      const texts = [...atHand(target, parts), ...(await Promise.race([looked, late.promise]))];
      const known = found.get(target.url) ?? [];
      found.set(target.url, new Set([...known, ...(texts.length > 0 ? texts : [target.url])]));
    });
    await Promise.all(searches);
    cancel();
    return found;
  };
}

/** Tells whether both lead to one place. */
export function meet(some: Places, others: Places): boolean {
  return [...some].some((place) => others.has(place));
}

/** Returns the address that a text of `Places` is, or nothing if it is another text. */
export function placesIn(text: string): Place[] {
  const found = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  if (found === null) return [];
  return [{ kind: 'tcp', host: found[1] ?? found[2]!, port: Number(found[3]) }];
}

/** Returns the path that a text names; undefined: it names none. */
export function pathIn(text: string): string | undefined {
  return text.startsWith(PATH) ? text.slice(PATH.length) : undefined;
}

/** Before a path whose links were followed. */
const PATH = 'path ';

/** Returns what is known of a target without asking anyone. */
function atHand({ address, in: endpoint }: PlacedTarget, { names }: PlacesParts): string[] {
  // The text of a path says little: `..` behind a link leads elsewhere than it reads.
  if (address.kind === 'unix') return [];
  if (address.kind === 'tcp') return [tcpText(address)];
  const host = (address.kind === 'srv' ? address.name : address.host).replace(/\.$/, '');
  const text = address.kind === 'srv' ? `records of ${host}` : `name ${host}:${address.port}`;
  const live = endpoint === undefined ? [] : names.of(endpoint);
  return [text, ...live.flatMap((one) => (one.address.kind === 'tcp' ? tcpText(one.address) : []))];
}

async function search({ address }: PlacedTarget, parts: PlacesParts): Promise<string[]> {
  if (address.kind === 'unix') return await socketTexts(address.path);
  if (address.kind !== 'tcp') return (await addressesOf(address, parts.dns)).map(tcpText);
  const { host: named, port } = address;
  if (isIP(named) !== 0) return [];
  const name: NamedAddress = { kind: 'name', host: named, port };
  const found = await addressesOf(name, parts.system).catch(() => []);
  if (named !== 'localhost') return found.map(tcpText);
  const usual = ['127.0.0.1', '::1'].map((host): Place => ({ kind: 'tcp', host, port }));
  return (found.length > 0 ? found : usual).map(tcpText);
}

/** Half an answer is better than none here: it may be the half that is shared. */
async function addressesOf(
  address: NamedAddress,
  dns: Pick<DnsClient, 'addresses'> & Partial<DnsClient>,
): Promise<readonly Place[]> {
  const lenient: DnsClient = {
    addresses: async (host, family) => dns.addresses(host, family).catch(() => []),
    services: async (name) => (await dns.services?.(name)) ?? [],
    close: () => {},
  };
  return await lookUp(address, 'both', lenient);
}

/** Returns an address in its one normal form; to connect to all addresses is to connect to here. */
function tcpText({ host, port }: Place): string {
  const normal = plainIPv4(normalHost(host.includes(':') ? `[${host}]` : host) ?? host);
  const here = normal === '::' ? '::1' : '127.0.0.1';
  return placeText({ kind: 'tcp', host: isWildcard(normal) ? here : normal, port });
}

/** By its inode, which hard links and mounts share, and by where it will be made again. */
async function socketTexts(path: string): Promise<string[]> {
  const real = await realPath(path, LINKS_FOLLOWED_MAX);
  const [socket, folder] = await Promise.all([idOf(real), idOf(dirname(real))]);
  const file = folder === undefined ? real : `${basename(real)} in ${folder}`;
  const texts = [PATH + real, `file ${file}`];
  return socket === undefined ? texts : [...texts, `socket ${socket}`];
}

async function idOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined); // Not there yet.
  return found && `${found.dev}:${found.ino}`;
}

/** Returns where `path` leads, also where some of it does not exist yet. */
async function realPath(path: string, linksLeft: number): Promise<string> {
  const whole = await realpath(path).catch(() => undefined);
  const folder = dirname(path);
  if (whole !== undefined || folder === path) return whole ?? path;
  const parent = await realPath(folder, linksLeft);
  const file = join(parent, basename(path));
  const link = await readlink(file).catch(() => undefined); // It is none.
  if (link === undefined || linksLeft === 0) return file;
  return await realPath(resolve(parent, link), linksLeft - 1);
}
