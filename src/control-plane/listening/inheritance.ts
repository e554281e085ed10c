// What a process inherits from the one that it replaces: listening sockets, named by the addresses
// they listen on. They come as open descriptors, and a variable of the environment says which is
// which; systemd says it in its own way (sd_listen_fds(3)).

import { closeSync } from 'node:fs';
import { z } from 'zod';
import type { ListenerFds } from '../../contract/messages.ts';
import {
  keyOfListener,
  printAddress,
  type ListenAddress,
  type Listener,
} from '../../contract/worker-settings.ts';
import { messageOf, StartError } from '../base/problems.ts';

/** Says what a successor inherits, as JSON. */
export const HANDOVER_VARIABLE = 'TURNOUT_HANDOVER';

/** First descriptor that systemd passes. */
const SYSTEMD_FIRST_FD = 3;

const sockets = z.strictObject({ address: z.string(), fds: z.array(z.int().min(3)).max(256) });

/** Sockets of one listener, with its address as `printAddress` writes it; empty: unknown. */
export type InheritedSockets = z.infer<typeof sockets>;

const NONE: InheritedSockets = { address: '', fds: [] };

/** As versions before wrote it, which knew one listener for traffic; `others` are all after it. */
const handover = z.strictObject({
  listen: sockets,
  others: z.array(sockets).max(64).prefault([]),
  preview: sockets,
  admin: sockets,
  metrics: sockets.prefault(NONE),
});

export interface Inheritance {
  /** Those of `listen`, in the order of the configuration; at least one. */
  readonly listen: readonly [InheritedSockets, ...InheritedSockets[]];
  readonly preview: InheritedSockets;
  readonly admin: InheritedSockets;
  readonly metrics: InheritedSockets;
}

const NOTHING: Inheritance = { listen: [NONE], preview: NONE, admin: NONE, metrics: NONE };

type Environment = Readonly<Record<string, string | undefined>>;

/** Returns what this process inherits. Throws StartError when it cannot be made out. */
export function readInheritance(environment: Environment, pid: number): Inheritance {
  const text = environment[HANDOVER_VARIABLE];
  if (text !== undefined && text !== '') return parseHandover(text);
  if (environment['LISTEN_PID'] === String(pid)) return fromSystemd(environment);
  return NOTHING;
}

function parseHandover(text: string): Inheritance {
  try {
    const { listen, others, ...rest } = handover.parse(JSON.parse(text));
    return { listen: [listen, ...others], ...rest };
  } catch (error) {
    throw new StartError(`${HANDOVER_VARIABLE} is set by \`turnout upgrade\` alone; unset it`, {
      cause: error,
    });
  }
}

/** Returns `inheritance` as `readInheritance` reads it, and as the versions before do. */
export function handoverText({ listen: [listen, ...others], ...rest }: Inheritance): string {
  // What they do not know is left out where it says nothing: they can be gone back to.
  return JSON.stringify({ listen, ...(others.length > 0 && { others }), ...rest });
}

/** Names of sockets that are not for traffic. */
const NOT_TRAFFIC: ReadonlySet<string> = new Set(['preview', 'admin', 'metrics']);

/** Name of a socket for the second address of `listen`, or one after it. */
const FURTHER = /^listen-([2-9]|[1-5]\d|6[0-4])$/;

/**
 * FileDescriptorName= in the socket unit tells what a socket is for: `listen-2` for the second address
 * of `listen`; without a name that is known, for the first one.
 */
function fromSystemd(environment: Environment): Inheritance {
  const count = Number(environment['LISTEN_FDS'] ?? 0);
  if (!Number.isInteger(count) || count < 0 || count > 256) {
    throw new StartError(`expected a number of sockets in LISTEN_FDS, got ${count}`);
  }
  const names = (environment['LISTEN_FDNAMES'] ?? '').split(':');
  const fds = Array.from({ length: count }, (_, index) => ({
    fd: SYSTEMD_FIRST_FD + index,
    name: names[index] ?? '',
  }));
  const named = (wanted: (name: string) => boolean): InheritedSockets => ({
    address: '',
    fds: fds.filter(({ name }) => wanted(name)).map(({ fd }) => fd),
  });
  const furthest = Math.max(1, ...names.map((name) => Number(FURTHER.exec(name)?.[1] ?? 1)));
  const others = Array.from({ length: furthest - 1 }, (_, index) =>
    named((name) => name === `listen-${index + 2}`),
  );
  return {
    listen: [named((name) => !NOT_TRAFFIC.has(name) && !FURTHER.test(name)), ...others],
    preview: named((name) => name === 'preview'),
    admin: named((name) => name === 'admin'),
    metrics: named((name) => name === 'metrics'),
  };
}

/**
 * Returns the descriptors that fit `address`; those of another address are closed, because
 * connections would wait in them for ever.
 */
export function fdsFor({ address: was, fds }: InheritedSockets, address: string): number[] {
  if (was === '' || was === address || isAnyPort(address, was)) return fds;
  closeAll(fds);
  return [];
}

function closeAll(fds: readonly number[]): void {
  for (const fd of fds) {
    try {
      closeSync(fd);
    } catch (error) {
      throw new StartError(`an inherited socket cannot be closed: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

/** Where any port will do, the one that is there will do best. */
function isAnyPort(address: string, was: string): boolean {
  return address.endsWith(':0') && was.startsWith(address.slice(0, -1));
}

/**
 * Returns the sockets of the workers of this process, for each of `listeners` that has some. Sockets
 * that fit none of them are closed.
 */
export function listenerFds(
  { listen, preview }: Inheritance,
  listeners: readonly Listener[],
): ListenerFds[] {
  const previews = listeners.filter(({ use }) => use === 'preview');
  const others = listeners.filter(({ use }) => use !== 'preview');
  const rows = [
    ...listen.map((sockets, index) => ({ sockets, alike: others, index })),
    { sockets: preview, alike: previews, index: 0 },
  ].filter(({ sockets }) => sockets.fds.length > 0);
  const ways: readonly ((row: (typeof rows)[number]) => Listener | undefined)[] = [
    // systemd gives no address: the name of a socket says which of the listeners it is for.
    ({ sockets, alike, index }) => (sockets.address === '' ? alike[index] : undefined),
    // What comes in at an address may be for something else than before.
    ({ sockets: { address: was } }) =>
      listeners.find(({ address }) => printAddress(address) === was && !given.has(address)),
    ({ sockets: { address: was }, alike }) =>
      alike.find(({ address }) => isAnyPort(printAddress(address), was) && !given.has(address)),
  ];
  const given = new Map<ListenAddress, ListenerFds>();
  let left = rows;
  for (const listenerOf of ways) {
    left = left.filter((row) => {
      const listener = listenerOf(row);
      if (listener === undefined) return true;
      given.set(listener.address, { listener: keyOfListener(listener), fds: row.sockets.fds });
      return false;
    });
  }
  for (const { sockets } of left) closeAll(sockets.fds);
  return [...given.values()];
}
