// The open database of a state directory: its locks, its transactions, its copy, and the watch that its
// files are still in their place. Nothing is written when they are not. Knows no table.

import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { STORE_COPY_DELAY_MS, STORE_LOOK_EVERY_MS } from '../../base/control-limits.ts';
import type { Log } from '../../base/log.ts';
import { StoreError } from '../store.ts';
import type { DirLock } from './dir-lock.ts';
import { forgetHolder, noteHolder } from './holder.ts';
import { closeDatabase, type OpenDatabase } from './sqlite-file.ts';
import type { FileFault } from './state-files.ts';
import { StoreCopy } from './store-copy.ts';
import { storeFault } from './store-fault.ts';

export const DATABASE_FILE = 'turnout.db';

interface GuardedDatabaseParts {
  readonly open: OpenDatabase;
  readonly lock: DirLock;
  readonly dir: string;
  readonly log: Log;
}

export class GuardedDatabase {
  readonly #parts: GuardedDatabaseParts;
  readonly #path: string;
  readonly #copy: StoreCopy;
  readonly #timer: NodeJS.Timeout;
  #tidyTimer: NodeJS.Timeout | undefined;
  #fault: FileFault | undefined;
  /** Why the last write failed; undefined: it did not. */
  #writeFault: string | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: GuardedDatabaseParts) {
    this.#parts = parts;
    this.#path = join(parts.dir, DATABASE_FILE);
    this.#copy = new StoreCopy({
      database: this.database,
      path: this.#path,
      tidy: () => this.#tidy(),
      isOurPlace: () => this.#look() === undefined || this.#fault?.isWhole === true,
      log: parts.log,
    });
    // Without a copy, the next damage would cost everything.
    if (!StoreCopy.isThere(this.#path)) this.#copy.renewSoon();
    noteHolder(parts.dir);
    this.#timer = setInterval(() => this.#watch(), STORE_LOOK_EVERY_MS).unref();
  }

  get database(): DatabaseSync {
    return this.#parts.open.database;
  }

  /** Why nothing can be written now, and what to do; undefined: it can, as far as is known. */
  get fault(): string | undefined {
    return this.#look()?.text ?? this.#writeFault;
  }

  /** Runs `write` in a transaction; when this returns, it survives a power cut. */
  transaction<T>(write: () => T): T {
    const result = this.#atOnce(write);
    this.#copy.renewSoon();
    return result;
  }

  /** As a transaction, but without a wait for the disk: a power cut may take it. */
  lossy(write: () => void): void {
    this.database.exec('PRAGMA synchronous = NORMAL');
    try {
      this.#atOnce(write);
    } finally {
      this.database.exec('PRAGMA synchronous = FULL');
    }
    this.#tidyTimer ??= setTimeout(() => {
      this.#tidyTimer = undefined;
      try {
        this.#tidy();
      } catch {
        // It is written back later; the next change tells what is wrong with the disk.
      }
    }, STORE_COPY_DELAY_MS).unref();
  }

  /** Repeated calls wait for the first. */
  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#tidyTimer);
    await this.#copy.close();
    const { dir, open, lock } = this.#parts;
    if (this.#look() === undefined) forgetHolder(dir);
    closeDatabase(open);
    lock.release();
  }

  #atOnce<T>(write: () => T): T {
    const { database } = this;
    const fault = this.#look();
    if (fault !== undefined) throw new StoreError(fault.text);
    try {
      database.exec('BEGIN IMMEDIATE');
      const result = write();
      database.exec('COMMIT');
      this.#wrote();
      return result;
    } catch (error) {
      // Some failures have ended the transaction already.
      if (database.isTransaction) database.exec('ROLLBACK');
      this.#writeFault = storeFault(error, this.#parts.dir);
      throw new StoreError(this.#writeFault, { cause: error });
    } finally {
      this.#parts.open.files.noteOwnWrite();
    }
  }

  /**
   * Writes the journal back and empties it. So the file alone has everything when an operator copies it,
   * no journal is left that would be applied to a file put back from a backup, and no change has to do it.
   */
  #tidy(): void {
    try {
      this.database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } finally {
      this.#parts.open.files.noteOwnWrite();
    }
  }

  #wrote(): void {
    if (this.#writeFault === undefined) return;
    this.#writeFault = undefined;
    this.#parts.log.info({}, 'the state can be written again; changes are taken');
  }

  /** Looks at the files. After a write that failed, tries one that changes nothing. */
  #watch(): void {
    if (this.#look() !== undefined || this.#writeFault === undefined) return;
    try {
      this.#atOnce(() => this.database.exec('UPDATE position SET id = id'));
    } catch {
      // It is as before.
    }
  }

  /** Looks at the files; tells of a fault once, and when it is over. */
  #look(): FileFault | undefined {
    const { log, dir, open } = this.#parts;
    const before = this.#fault;
    const fault = open.files.fault();
    this.#fault = fault;
    if (fault !== undefined && fault.text !== before?.text) {
      log.error({}, `${fault.text}; traffic goes on, changes are refused`);
      // What is known is written to where the next start looks for it.
      if (fault.isWhole) {
        noteHolder(dir);
        this.#copy.renewNow();
      }
    }
    if (fault === undefined && before !== undefined) {
      log.info({}, 'the state file is in its place again; changes are taken');
    }
    return fault;
  }
}
