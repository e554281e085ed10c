// The name under which a Unix socket is bound, before it gets its own. Node removes the file that a
// server has bound when it closes; after an upgrade that would take the file from the process that
// has taken over. So it is bound under another name and renamed, and whoever is the last to listen
// removes it. It appears whole, too: a client finds it once somebody listens.

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
