// Watches that the database and its journal, as this process has opened them, are still the files that
// the next start will find. SQLite goes on writing into files that were deleted, moved or replaced, and
// what was acknowledged then would be lost at the next start.

import { closeSync, fstatSync, openSync, readSync, statSync, type BigIntStats } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf, messageOf } from '../../base/problems.ts';
import { StoreCopy } from './store-copy.ts';

/** What is wrong with the files. */
export interface FileFault {
  /** What an operator is told: what has happened, and what to do. */
  readonly text: string;
  /** What is open is whole, and its directory is still ours: a copy of it may be put there. */
  readonly isWhole: boolean;
}

/** The beginning of a file; it differs between two databases, and between two journals. */
const HEADER_BYTES = 100;

/** One file as it is open. */
interface OpenFile {
  readonly path: string;
  readonly fd: number;
  readonly before: { size: bigint; mtimeNs: bigint; header: string };
}

export class StateFiles {
  readonly #path: string;
  readonly #folder: OpenFile;
  readonly #database: OpenFile;
  #journal: OpenFile | undefined;

  /**
   * Opens `path`, which must be done before SQLite opens it: to close any descriptor of a file gives
   * up all locks that the process has on it (https://sqlite.org/howtocorrupt.html, section 2.2).
   */
  constructor(path: string) {
    this.#path = path;
    this.#folder = opened(dirname(path), 'r');
    try {
      // For writing, as SQLite does: an overlay makes its own copy of the file then.
      this.#database = opened(path, 'r+');
    } catch (error) {
      closeSync(this.#folder.fd);
      throw error;
    }
  }

  /** To be called once the journal is there, and after each write of this process. */
  noteOwnWrite(): void {
    this.#journal ??= opened(`${this.#path}-wal`, 'r');
    note(this.#database);
    note(this.#journal);
  }

  /** Looks at the paths; undefined: all is as it was opened. */
  fault(): FileFault | undefined {
    try {
      return this.#folderFault() ?? this.#faultOf(this.#database) ?? this.#faultOf(this.#journal);
    } catch (error) {
      const text = `the state file ${this.#path} cannot be looked at (${messageOf(error)})`;
      return { text: `${text}: look at its disk`, isWhole: false };
    }
  }

  /** To be called when the database is closed. */
  close(): void {
    for (const file of [this.#folder, this.#database, this.#journal]) {
      if (file !== undefined) closeSync(file.fd);
    }
  }

  #folderFault(): FileFault | undefined {
    const { path, fd } = this.#folder;
    const found = statOf(path);
    if (found === undefined) {
      const text = `the state directory ${path} is gone (deleted or moved)`;
      return { text: `${text}: ${PUT_BACK}`, isWhole: false };
    }
    if (isSame(found, fstatSync(fd, BIG))) return undefined;
    return { text: `${path} is another directory now: ${PUT_BACK}`, isWhole: false };
  }

  #faultOf(file: OpenFile | undefined): FileFault | undefined {
    if (file === undefined) return undefined;
    const { path, fd, before } = file;
    const isDatabase = file === this.#database;
    const what = isDatabase ? 'the state file' : 'the journal of the state file,';
    // What the journal had is written into the database soon, and by a stop in any case.
    const way = isDatabase ? RESTART_WITH_COPY : RESTART;
    const found = statOf(path);
    if (found === undefined) {
      const text = `${what} ${path} is gone (deleted or moved)`;
      return { text: `${text}: ${way}`, isWhole: true };
    }
    if (!isSame(found, fstatSync(fd, BIG))) {
      const text = `${what} ${path} is another file now`;
      return { text: `${text}: put the former one back, or ${RESTART_WITH_IT}`, isWhole: true };
    }
    if (found.size < before.size) {
      const text = `${what} ${path} was emptied or cut`;
      const isLost = isDatabase && !StoreCopy.isThere(path);
      return { text: `${text}: ${isLost ? NO_COPY : way}`, isWhole: false };
    }
    // A new time alone says little: `touch` makes one, and a server of files may be late with it.
    if (found.mtimeNs === before.mtimeNs || headerOf(fd) === before.header) return undefined;
    const text = `${what} ${path} was written by another program`;
    return { text: `${text}: ${RESTART_WITH_IT}`, isWhole: false };
  }
}

const PUT_BACK =
  'put it back as it was, and changes are taken again; after a restart without it, the ' +
  'configuration says which colors are active';
const RESTART = 'restart to go on';
const RESTART_WITH_COPY = 'restart, then the last good copy is used';
const NO_COPY =
  'there is no copy of it yet: put it back as it was, or after a restart the configuration says ' +
  'which colors are active';
const RESTART_WITH_IT = 'restart to go on with what is there now';

const BIG = { bigint: true } as const;

function opened(path: string, flags: 'r' | 'r+'): OpenFile {
  const fd = openSync(path, flags);
  return { path, fd, before: { size: 0n, mtimeNs: 0n, header: '' } };
}

function note({ fd, before }: OpenFile): void {
  const { size, mtimeNs } = fstatSync(fd, BIG);
  Object.assign(before, { size, mtimeNs, header: headerOf(fd) });
}

function headerOf(fd: number): string {
  const bytes = Buffer.alloc(HEADER_BYTES);
  return bytes.toString('latin1', 0, readSync(fd, bytes, 0, HEADER_BYTES, 0));
}

/** Returns undefined where nothing is. */
function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, BIG);
  } catch (error) {
    // ESTALE: a server of files has it no more.
    if (['ENOENT', 'ENOTDIR', 'ESTALE'].includes(codeOf(error))) return undefined;
    throw error;
  }
}

function isSame(one: BigIntStats, other: BigIntStats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}
