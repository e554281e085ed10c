// The keys that sign session cookies and preview tokens: made at the first start, kept in the
// state directory, replaced while the process runs. A reader of the file could open any release,
// so only its owner may read it.

import { epochMs } from '../../base/clock.ts';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { KEY_BYTES, type SigningKeys } from '../../contract/signing.ts';
import { KEY_LIFE_MS, KEY_SPREAD_MS } from '../base/control-limits.ts';
import type { Log } from '../base/log.ts';
import { codeOf, messageOf, StartError } from '../base/problems.ts';

const FILE = 'signing.keys';

interface KeyFile {
  readonly current: Buffer;
  readonly previous: Buffer | undefined;
  /** When `current` came into use, in ms since the epoch. */
  readonly sinceMs: number;
}

/** Reads, makes and replaces the keys of one state directory. */
export class KeyRing {
  readonly #path: string;
  readonly #log: Log;
  readonly #spread: (keys: SigningKeys) => void;
  #file: KeyFile;
  #timer: NodeJS.Timeout | undefined;

  /** `spread` gives keys to the workers. Throws StartError when the file cannot be used. */
  constructor(dir: string, log: Log, spread: (keys: SigningKeys) => void) {
    this.#path = join(dir, FILE);
    this.#log = log;
    this.#spread = spread;
    this.#file = openFile(this.#path);
  }

  get keys(): SigningKeys {
    const { current, previous } = this.#file;
    return { signing: current, accepted: previous === undefined ? [current] : [current, previous] };
  }

  /** Begins to replace keys when they are old. */
  start(): void {
    const leftMs = Math.max(0, this.#file.sinceMs + KEY_LIFE_MS - epochMs());
    this.#timer = setTimeout(() => this.#replace(), leftMs).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** A worker may only meet a token of the new key once it knows the key. */
  #replace(): void {
    const next = randomBytes(KEY_BYTES);
    const { signing, accepted } = this.keys;
    this.#spread({ signing, accepted: [...accepted, next] });
    this.#timer = setTimeout(() => {
      try {
        const file = { current: next, previous: this.#file.current, sinceMs: epochMs() };
        writeKeys(this.#path, file);
        this.#file = file;
        this.#log.info({}, 'the signing key was replaced');
      } catch (error) {
        this.#log.error({ err: error }, 'the signing key was not replaced; the old one stays');
      }
      this.#spread(this.keys);
      this.start();
    }, KEY_SPREAD_MS).unref();
  }
}

function openFile(path: string): KeyFile {
  try {
    const text = readText(path);
    if (text !== undefined) return parseKeys(path, text);
    const file = { current: randomBytes(KEY_BYTES), previous: undefined, sinceMs: epochMs() };
    writeKeys(path, file);
    return file;
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`the signing keys ${path} cannot be used: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

// One line: since, current, previous (empty for none); the keys in hex.
const FORM = /^(\d{1,15}) ([0-9a-f]{64}) ([0-9a-f]{64})?\n$/;

function parseKeys(path: string, text: string): KeyFile {
  const match = FORM.exec(text);
  if (match === null) {
    throw new StartError(
      `the signing keys ${path} are damaged: remove the file and start again; ` +
        'sessions then begin anew',
    );
  }
  const [, since = '', current = '', previous] = match;
  return {
    sinceMs: Number(since),
    current: Buffer.from(current, 'hex'),
    previous: previous === undefined ? undefined : Buffer.from(previous, 'hex'),
  };
}

function writeKeys(path: string, { sinceMs, current, previous }: KeyFile): void {
  const text = `${sinceMs} ${current.toString('hex')} ${previous?.toString('hex') ?? ''}\n`;
  writeFileSafely(path, text, { mode: 0o600 });
}

/** Puts `text` in place of the file at `path`; when it returns, that survives a power cut. */
function writeFileSafely(path: string, text: string, { mode }: { readonly mode: number }): void {
  const fresh = `${path}.writing`;
  rmSync(fresh, { force: true });
  const file = openSync(fresh, 'wx', mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
