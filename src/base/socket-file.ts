// The name under which a Unix socket is bound before it is renamed to its own. When a server
// closes, Node removes the file under the name that was bound; after an upgrade that would be the
// file of the new process. With the rename that name no longer exists, and the process that listens
// last removes the file itself. A client also never finds a socket on which nothing listens yet.
// And whether two paths lead to one socket.

import { renameSync, rmSync, statSync } from 'node:fs';

/** Bytes that `bindingPath` is longer than its argument. */
export const BINDING_BYTES = 1;

/** Returns the path to bind for a socket that shall be at `path`; nothing is there afterwards. */
export function bindingPath(path: string): string {
  const binding = `${path}~`;
  rmSync(binding, { force: true }); // From a process that ended between the two steps.
  return binding;
}

/** Puts the bound socket at `path`, over what is there. */
export function settlePath(path: string): void {
  renameSync(`${path}~`, path);
}

/** Tells whether `path` leads to the same file as one of `others` at this moment: by device and inode. */
export function leadsToOneOf(path: string, others: readonly string[]): boolean {
  if (others.length === 0) return false;
  const file = fileAt(path);
  return file !== undefined && others.some((other) => fileAt(other) === file);
}

function fileAt(path: string): string | undefined {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    return found && `${found.dev}:${found.ino}`;
  } catch {
    return undefined; // What may not be looked at can't be connected to either.
  }
}
