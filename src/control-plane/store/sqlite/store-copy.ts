// The last good copy of the store: renewed shortly after each commit, used when the file
// itself turns out to be damaged. A copy is complete or it is not there.

import { existsSync, renameSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { backup, type DatabaseSync } from 'node:sqlite';
import { STORE_COPY_DELAY_MS } from '../../base/control-limits.ts';
import type { Log } from '../../base/log.ts';

/** Keeps a copy of an open database beside it. */
export class StoreCopy {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(database: DatabaseSync, path: string, log: Log) {
    this.#database = database;
    this.#path = path;
    this.#log = log;
  }

  /**
   * Moves the copy to the place of a file that was set aside; false when there is none. It is
   * gone then: should it be damaged too, it is not tried again.
   */
  static restore(path: string): boolean {
    if (!existsSync(goodPath(path))) return false;
    renameSync(goodPath(path), path);
    return true;
  }

  get isThere(): boolean {
    return existsSync(goodPath(this.#path));
  }

  /** Renews the copy after a short pause, once for all commits of that pause. */
  renewSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#renew();
    }, STORE_COPY_DELAY_MS).unref();
  }

  /** Resolves when the copy holds the last commit. */
  async close(): Promise<void> {
    if (this.#timer) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#renew();
    }
    await this.#running;
  }

  #renew(): void {
    this.#running = this.#copyAfter(this.#running);
  }

  async #copyAfter(earlier: Promise<void>): Promise<void> {
    await earlier;
    const fresh = `${this.#path}.copying`;
    try {
      await rm(fresh, { force: true });
      await (await open(fresh, 'w', 0o600)).close();
      await backup(this.#database, fresh);
      await rename(fresh, goodPath(this.#path));
    } catch (error) {
      // The store itself is fine; only the spare is older than it could be.
      this.#log.warn({ err: error }, 'the copy of the state file was not renewed');
    }
  }
}

function goodPath(path: string): string {
  return `${path}.good`;
}
