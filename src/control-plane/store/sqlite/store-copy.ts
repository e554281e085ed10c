// The last good copy of the store: renewed shortly after each commit, used when the file itself turns
// out to be damaged, or is not there. A copy is complete or it is not there, and what is newer than the
// state that is in use is never overwritten: it is kept aside, and told.

import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { backup, DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { STORE_COPY_DELAY_MS } from '../../base/control-limits.ts';
import type { Log } from '../../base/log.ts';

interface StoreCopyParts {
  readonly database: DatabaseSync;
  readonly path: string;
  /** Called before each copy: writes the journal back into the database. */
  readonly tidy: () => void;
  /** Tells whether the open database is whole, and its directory the one that it was opened in. */
  readonly isOurPlace: () => boolean;
  readonly log: Log;
}

/** Keeps a copy of an open database beside it. */
export class StoreCopy {
  readonly #parts: StoreCopyParts;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(parts: StoreCopyParts) {
    this.#parts = parts;
  }

  /** Puts a copy of the copy in the place of the database: it stays, should that be lost at once. */
  static restore(path: string): void {
    const fresh = `${path}.restoring`;
    rmSync(fresh, { force: true });
    copyFileSync(goodPath(path), fresh);
    const file = openSync(fresh, 'r+');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(fresh, path);
  }

  static isThere(path: string): boolean {
    return existsSync(goodPath(path));
  }

  /** Keeps a copy aside that is newer than `epoch`; returns what to tell of it. */
  static keepNewer(path: string, epoch: number): string | undefined {
    const good = goodPath(path);
    const found = existsSync(good) ? epochOf(good) : 0;
    if (found <= epoch) return undefined;
    const aside = asideName(path, `newer-${found}`);
    renameSync(good, aside);
    return (
      `the state file has generation ${epoch}, but its copy had ${found}, so an older file ` +
      `was put in its place; it is used, and the copy was kept as ${aside}: if that is the right ` +
      `one, stop this process, move it to ${path} and start again`
    );
  }

  /** Renews the copy after a short pause, once for all commits of that pause. */
  renewSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#renew();
    }, STORE_COPY_DELAY_MS).unref();
  }

  renewNow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#renew();
  }

  /** Resolves when the copy holds the last commit. */
  async close(): Promise<void> {
    if (this.#timer) this.renewNow();
    await this.#running;
  }

  #renew(): void {
    this.#running = this.#copyAfter(this.#running);
  }

  async #copyAfter(earlier: Promise<void>): Promise<void> {
    await earlier;
    const { database, path, tidy, isOurPlace, log } = this.#parts;
    const fresh = `${path}.copying`;
    try {
      if (!isOurPlace()) return;
      tidy();
      await rm(fresh, { force: true });
      await (await open(fresh, 'w', 0o600)).close();
      await backup(database, fresh);
      // It may have been taken meanwhile.
      if (!isOurPlace()) return;
      const told = StoreCopy.keepNewer(path, epochOf(fresh));
      if (told !== undefined) log.error({}, told);
      await rename(fresh, goodPath(path));
    } catch (error) {
      // The store itself is fine; only the spare is older than it could be.
      log.warn({ err: error }, 'the copy of the state file was not renewed');
    }
  }
}

/** Returns the epoch in the copy at `path`; 0 where it has none, or can't be read. */
function epochOf(path: string): number {
  const place = pathToFileURL(path);
  // Nothing writes it, so no lock and no journal is needed beside it.
  place.searchParams.set('immutable', '1');
  try {
    const database = new DatabaseSync(place, { readOnly: true });
    try {
      const row = database.prepare('SELECT * FROM position').get();
      // Versions before deployments called it so.
      return Number(row?.['epoch'] ?? row?.['generation'] ?? 0);
    } finally {
      database.close();
    }
  } catch {
    return 0;
  }
}

function goodPath(path: string): string {
  return `${path}.good`;
}

/** Returns a name that no file has: `path`, `why`, and when. */
export function asideName(path: string, why: string): string {
  return `${path}.${why}-${new Date().toISOString().replaceAll(':', '-')}`;
}
