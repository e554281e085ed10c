// Keeps a second process of this machine away from a state directory. The lock on the database goes
// with the file: when an operator deletes it, another process could make a new one beside us. This one
// has no file. It is two names that the kernel gives to one process at a time, and takes back when that
// ends: one for the directory itself (device and inode), one for its path.

import { createHash, randomUUID } from 'node:crypto';
import { closeSync, fstatSync, openSync, readlinkSync, realpathSync } from 'node:fs';
import { createServer, type Server } from 'node:net';

export interface DirLock {
  /** Gives the directory free, at once. */
  release(): void;
}

/**
 * Takes the lock of the directory at `dir`; undefined: another process has it. Processes of another
 * network namespace (containers) have names of their own: between them, the database's lock counts.
 */
export function lockDir(dir: string): DirLock | undefined {
  // As long as it is open, no other directory gets its inode.
  const folder = openSync(dir, 'r');
  const held: Server[] = [];
  const lock = {
    release() {
      for (const one of held) one.close();
      held.length = 0;
      closeSync(folder);
    },
  };
  const { dev, ino } = fstatSync(folder, { bigint: true });
  for (const name of [`${dev}-${ino}`, placeOf(dir)]) {
    const taken = take(name);
    if (taken !== undefined) held.push(taken);
    // Where no name can be had at all, the lock of the database is the only one.
    else if (take(randomUUID())?.close() !== undefined) {
      lock.release();
      return undefined;
    }
  }
  return lock;
}

/** The same path means another directory in another mount namespace. */
function placeOf(dir: string): string {
  return createHash('sha256')
    .update(`${mountNamespace()}\n${realpathSync(dir)}`)
    .digest('hex');
}

function mountNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/mnt');
  } catch {
    return ''; // No /proc here.
  }
}

/** Takes an abstract socket (unix(7)); nothing is ever said on it. Undefined: it can't be had. */
function take(name: string): Server | undefined {
  if (process.platform !== 'linux') return undefined;
  const server = createServer((socket) => socket.destroy());
  server.on('error', () => {}); // Told by `listening`, which is known at once.
  server.listen({ path: `\0turnout-state-${name}` });
  server.unref();
  return server.listening ? server : undefined;
}
