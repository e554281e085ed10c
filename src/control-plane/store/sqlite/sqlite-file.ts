// The file of the store: opened by one process alone, brought up to date, set aside when it is
// damaged.

import {
  chmodSync,
  closeSync,
  existsSync,
  fchmodSync,
  mkdirSync,
  openSync,
  renameSync,
} from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { holderOf } from './holder.ts';
import { StartError } from '../../base/problems.ts';
import { migrate } from './sqlite-schema.ts';
import { DamageError, isBusy, storeFault, writeFault } from './store-fault.ts';
import { StoreCopy } from './store-copy.ts';

/** Opens (or makes) the file; from then on no other process can. */
export function openDatabase(path: string): DatabaseSync {
  makePrivate(path);
  const database = new DatabaseSync(path);
  try {
    // The exclusive lock is taken with the first access and kept; with it WAL needs no
    // shared-memory file (https://sqlite.org/wal.html, section 6).
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    // Each commit waits for the disk: what was acknowledged survives a power cut.
    database.exec('PRAGMA synchronous = FULL');
    const verdict = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (verdict !== 'ok') throw new DamageError(String(verdict));
    migrate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
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
  const message = isBusy(error)
    ? `the state directory ${dir} is in use by ${holderOf(dir)}: stop that, or use another directory`
    : `the state directory ${dir} cannot be used: ${storeFault(error, dir)}`;
  return new StartError(message, { cause: error });
}

/** Sets the damaged file aside, puts the last good copy in its place, returns what to tell. */
export function replaceDamaged(path: string, cause: string): string {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(':', '-')}`;
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  const told = `the state file was damaged (${cause}) and set aside as ${aside}`;
  return StoreCopy.restore(path)
    ? `${told}; the last good copy is used, check that the active color is right`
    : `${told}; there is no good copy, so the colors of the configuration are active: ` +
        'check that they are right';
}
