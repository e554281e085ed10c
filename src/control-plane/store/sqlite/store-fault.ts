// What is wrong with the state file or its disk, in words that say what to do.

import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf, messageOf } from '../../base/problems.ts';

// https://sqlite.org/rescode.html, the primary code in the low byte
const SQLITE_PERM = 3;
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/** Returns what an operator is told of `error`, which the database in `dir` has thrown. */
export function storeFault(error: unknown, dir: string): string {
  switch (primaryCode(error)) {
    case SQLITE_FULL:
      return `the disk of ${dir} is full: free some space, then try again`;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return (
        writeFault(dir) ??
        `the files in ${dir} cannot be written: make them writable for this user, then try again`
      );
    case SQLITE_IOERR:
      return (
        writeFault(dir) ??
        `the disk of ${dir} failed (${messageOf(error)}): look at the log of the system, then try again`
      );
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return `the state file in ${dir} is locked by another process: end that, then try again`;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return `the state file in ${dir} is damaged: restart, then the last good copy is used`;
    default:
      return messageOf(error);
  }
}

/** Returns why nothing can be written in `dir`, and what to do; undefined: it can. */
export function writeFault(dir: string): string | undefined {
  let place = dir;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    // A disk with errors is mounted anew like this by the kernel.
    if (code === 'EROFS') return `${place} is on a read-only file system: mount it writable`;
    if (code !== 'EACCES') return `${place} cannot be used (${messageOf(error)})`;
    const user = process.getuid?.() ?? 'of this process';
    return `${place} cannot be written (${code}): make it writable for the user ${user}`;
  }
}

/** Tells whether the file itself is broken. */
export function isDamage(error: unknown): boolean {
  const code = primaryCode(error);
  return error instanceof DamageError || code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** Tells whether another process holds the file. */
export function isBusy(error: unknown): boolean {
  return primaryCode(error) === SQLITE_BUSY;
}

/** What the file holds makes no sense. */
export class DamageError extends Error {
  override readonly name = 'DamageError';
}

function primaryCode(error: unknown): number {
  const code: unknown = error instanceof Error && 'errcode' in error ? error.errcode : 0;
  return typeof code === 'number' ? code & 0xff : 0;
}
