// The file of the store: opened by one process alone, brought up to date, closed. Where it is missing
// or damaged, the last good copy takes its place, and what is there is kept aside.

import {
  chmodSync,
  closeSync,
  existsSync,
  fchmodSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { holderOf } from './holder.ts';
import { StartError } from '../../base/problems.ts';
import { earlierSchema, migrate } from './sqlite-schema.ts';
import { StateFiles } from './state-files.ts';
import { DamageError, isBusy, storeFault, writeFault } from './store-fault.ts';
import { asideName, StoreCopy } from './store-copy.ts';

/** A database, and its files as this process has opened them. */
export interface OpenDatabase {
  readonly database: DatabaseSync;
  readonly files: StateFiles;
  /** Where the file was kept as an earlier version has left it; undefined: it was not of one. */
  readonly keptAs: string | undefined;
}

/** Opens (or makes) the file; from then on no other process can. */
export function openDatabase(path: string): OpenDatabase {
  makePrivate(path);
  const files = new StateFiles(path);
  const open = { database: new DatabaseSync(path), files, keptAs: undefined };
  try {
    prepare(open.database);
    const keptAs = keepEarlier(open.database, path);
    migrate(open.database);
    files.noteOwnWrite();
    return { ...open, keptAs };
  } catch (error) {
    closeDatabase(open);
    throw error;
  }
}

function prepare(database: DatabaseSync): void {
  // The exclusive lock is taken with the first access and kept; with it WAL needs no
  // shared-memory file (https://sqlite.org/wal.html, section 6).
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  database.exec('PRAGMA journal_mode = WAL');
  // Each commit waits for the disk: what was acknowledged survives a power cut.
  database.exec('PRAGMA synchronous = FULL');
  const verdict = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  if (verdict !== 'ok') throw new DamageError(String(verdict));
}

/** Keeps a file of an earlier version as it is, for the way back to that version. */
function keepEarlier(database: DatabaseSync, path: string): string | undefined {
  const schema = earlierSchema(database);
  if (schema === undefined) return undefined;
  const kept = `${path}.schema-${schema}`;
  try {
    writeFileSync(kept, '', { mode: 0o600 });
    database.prepare('VACUUM INTO ?').run(kept);
    return kept;
  } catch {
    return undefined; // A full disk must not stop a start.
  }
}

/**
 * Closes the file; it then has all that was in its journal. Where another file has taken its place,
 * SQLite leaves that and its journal alone.
 */
export function closeDatabase({ database, files }: OpenDatabase): void {
  database.close();
  files.close();
}

/** Makes the directory if it is missing, for its owner alone. */
export function makeDir(dir: string): void {
  const fault = writeFault(dir);
  if (fault !== undefined)
    throw new StartError(`the state directory ${dir} cannot be used: ${fault}`);
  try {
    if (existsSync(dir)) return;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    chmodSync(dir, 0o700); // whatever the umask says
  } catch (error) {
    throw asStartError(error, dir);
  }
}

/** Lets only the owner read the audit log, also in a directory that others may read. */
function makePrivate(path: string): void {
  const file = openSync(path, 'a', 0o600);
  try {
    fchmodSync(file, 0o600);
  } catch {
    // It belongs to another user, and this one may write it: as it was meant.
  } finally {
    closeSync(file);
  }
}

/** Returns what an operator is told when the store in `dir` cannot be opened. */
export function asStartError(error: unknown, dir: string): StartError {
  if (error instanceof StartError) return error;
  if (isBusy(error)) return inUse(dir, error);
  const message = `the state directory ${dir} cannot be used: ${storeFault(error, dir)}`;
  return new StartError(message, { cause: error });
}

/** Returns what an operator is told when another process holds `dir`. */
export function inUse(dir: string, cause?: unknown): StartError {
  const message = `the state directory ${dir} is in use by ${holderOf(dir)}: stop that, or use another directory`;
  return new StartError(message, { cause });
}

/** What was put in the place of a file. */
export interface Replaced {
  /** What an operator is told. */
  readonly told: string;
  /** It is the last good copy; else nothing is there, and a new file will be made. */
  readonly isCopy: boolean;
}

/**
 * Puts the last good copy in the place of a file that is missing or empty; undefined: the file is
 * there, or there was never one.
 */
export function replaceMissing(path: string): Replaced | undefined {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size !== undefined && size > 0) return undefined;
  const what = `the state file ${path} was ${size === undefined ? 'missing' : 'empty'}`;
  // It would be applied to the copy, which has all of it or is older.
  const journal = keepAside(path, ['-wal'], 'stray');
  if (StoreCopy.isThere(path)) return restored(path, what);
  if (journal === undefined) return undefined;
  return begunAnew(`${what}, and its journal alone was kept as ${journal}-wal`);
}

/**
 * Sets the damaged file aside and puts the last good copy in its place. `isCopy`: the file was that
 * copy, so it is of no use.
 */
export function replaceDamaged(
  path: string,
  { cause, isCopy }: { readonly cause: string; readonly isCopy: boolean },
): Replaced {
  const useless = isCopy ? ['.good'] : [];
  const aside = keepAside(path, ['', '-wal', '-shm', ...useless], 'damaged');
  const what = `the state file was damaged (${cause}) and set aside as ${aside ?? path}`;
  return StoreCopy.isThere(path) ? restored(path, what) : begunAnew(what);
}

function restored(path: string, what: string): Replaced {
  StoreCopy.restore(path);
  const told = `${what}; the last good copy is used, check that the active color is right`;
  return { told, isCopy: true };
}

function begunAnew(what: string): Replaced {
  const now = 'the colors of the configuration are active: check that they are right';
  return { told: `${what}; there is no good copy, so ${now}`, isCopy: false };
}

/** Returns the name under which those files are kept that are there; undefined: none is. */
function keepAside(path: string, suffixes: readonly string[], why: string): string | undefined {
  const aside = asideName(path, why);
  const found = suffixes.filter((suffix) => {
    const size = statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0;
    return size > 0 || (suffix === '' && existsSync(path));
  });
  for (const suffix of found) renameSync(path + suffix, aside + suffix);
  return found.length === 0 ? undefined : aside;
}
