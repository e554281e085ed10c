// What a process inherits from the one that it replaces: listening sockets, named by the addresses
// they listen on. They come as open descriptors, and a variable of the environment says which is
// which; systemd says it in its own way (sd_listen_fds(3)).

import { closeSync } from 'node:fs';
import { z } from 'zod';
import type { ListenerFds } from '../../contract/messages.ts';
import { messageOf, StartError } from '../base/problems.ts';

/** Says what a successor inherits, as JSON. */
export const HANDOVER_VARIABLE = 'TURNOUT_HANDOVER';

/** First descriptor that systemd passes. */
const SYSTEMD_FIRST_FD = 3;

const sockets = z.strictObject({ address: z.string(), fds: z.array(z.int().min(3)).max(256) });
const inheritance = z.strictObject({
  listen: sockets,
  preview: sockets,
  admin: sockets,
  metrics: sockets.prefault({ address: '', fds: [] }),
});

/** Sockets with the address they listen on, as `printAddress` writes it; empty: unknown. */
export type Inheritance = z.infer<typeof inheritance>;
export type InheritedSockets = Inheritance['listen'];

const NOTHING: Inheritance = {
  listen: { address: '', fds: [] },
  preview: { address: '', fds: [] },
  admin: { address: '', fds: [] },
  metrics: { address: '', fds: [] },
};

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
    return inheritance.parse(JSON.parse(text));
  } catch (error) {
    throw new StartError(`${HANDOVER_VARIABLE} is set by \`turnout upgrade\` alone; unset it`, {
      cause: error,
    });
  }
}

/** Names of sockets that are not for traffic. */
const OTHERS: ReadonlySet<string> = new Set(['preview', 'admin', 'metrics']);

/** FileDescriptorName= in the socket unit tells what a socket is for; without it, for traffic. */
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
  return {
    listen: named((name) => !OTHERS.has(name)),
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
  for (const fd of fds) {
    try {
      closeSync(fd);
    } catch (error) {
      throw new StartError(`an inherited socket cannot be closed: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
  return [];
}

/** Where any port will do, the one that is there will do best. */
function isAnyPort(address: string, was: string): boolean {
  return address.endsWith(':0') && was.startsWith(address.slice(0, -1));
}

/** Sockets of the workers of this process. */
export function listenerFds(
  { listen, preview }: Inheritance,
  addresses: { readonly listen: string; readonly preview: string },
): ListenerFds {
  return {
    listen: fdsFor(listen, addresses.listen),
    preview: fdsFor(preview, addresses.preview),
  };
}
