// The name under which a Unix socket is bound before it is renamed to its own. When a server
// closes, Node removes the file under the name that was bound; after an upgrade that would be the
// file of the new process. With the rename that name no longer exists, and the process that listens
// last removes the file itself. A client also never finds a socket on which nothing listens yet.
// And where paths lead: whether two are one socket, and whether one has left its folder.

import { realpathSync, renameSync, rmSync, statSync } from 'node:fs';

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
function leadsToOneOf(path: string, others: readonly string[]): boolean {
  if (others.length === 0) return false;
  const file = fileAt(path);
  return file !== undefined && others.some((other) => fileAt(other) === file);
}

/** Before a folder in rules that say where targets may lead. */
export const UNIX_RULE = 'unix:';

/** What bounds where paths of sockets may lead. */
export interface SocketRules {
  /** Paths that no other one may lead to. */
  readonly own: readonly string[];
  /** Rules in normal form; of each list that has any, one must allow the place. */
  readonly allowed: readonly (readonly string[] | undefined)[];
}

/** Tells whether `path` leads at this moment where it may not; what lies there may have changed. */
export function isBarred(path: string, { own, allowed }: SocketRules): boolean {
  return leadsToOneOf(path, own) || leadsAstray(path, allowed);
}

/**
 * Tells whether links in `path` lead out of the folders that rules name. A path without links is where
 * it was when it became a target.
 */
export function leadsAstray(path: string, allowed: SocketRules['allowed']): boolean {
  const limits = allowed.filter((rules) => rules !== undefined && rules.length > 0);
  if (limits.length === 0) return false;
  try {
    const real = realpathSync(path);
    return real !== path && limits.some((rules) => !isAllowedPath(real, rules!));
  } catch {
    return false; // What isn't there can't be connected to either.
  }
}

/** Tells whether a path, its links followed, is one of the folders in `rules` or below one. */
export function isAllowedPath(path: string, rules: readonly string[]): boolean {
  return rules.some((rule) => {
    if (!rule.startsWith(UNIX_RULE)) return false;
    const folder = rule.slice(UNIX_RULE.length);
    return path === folder || path.startsWith(folder === '/' ? folder : `${folder}/`);
  });
}

function fileAt(path: string): string | undefined {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    return found && `${found.dev}:${found.ino}`;
  } catch {
    return undefined; // What may not be looked at can't be connected to either.
  }
}
