// The name under which a Unix socket is bound before it is renamed to its own. When a server
// closes, Node removes the file under the name that was bound; after an upgrade that would be the
// file of the new process. With the rename that name no longer exists, and the process that listens
// last removes the file itself. A client also never finds a socket on which nothing listens yet.

import { renameSync, rmSync } from 'node:fs';

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
