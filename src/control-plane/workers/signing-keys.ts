// The keys that sign session cookies and preview tokens: made at the first start, kept in the
// state directory, replaced while the process runs. A reader of the file could open any release,
// so only its owner may read it. What has the same file gives its cookies the same names: the
// instance in them is a hash of the first key, and stays when keys are replaced.

import { epochMs } from '../../base/clock.ts';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEY_BYTES, type SigningKeys } from '../../contract/signing.ts';
import { KEY_LIFE_MS, KEY_SPREAD_MS } from '../base/control-limits.ts';
import { checkTrusted } from '../base/file-trust.ts';
import type { Log } from '../base/log.ts';
import { codeOf, messageOf, StartError } from '../base/problems.ts';
import { writeFileSafely } from '../base/safe-file.ts';

const FILE = 'signing.keys';

interface KeyFile {
  readonly current: Buffer;
  readonly previous: Buffer | undefined;
  /** When `current` came into use, in ms since the epoch. */
  readonly sinceMs: number;
  /** INSTANCE_CHARS small letters and digits; it is no secret. */
  readonly instance: string;
  readonly previews: Buffer;
}

/** Two billion names: enough to tell apart what one browser may meet. */
const INSTANCE_CHARS = 6;

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
    const { current, previous, previews } = this.#file;
    const accepted = previous === undefined ? [current] : [current, previous];
    return { signing: current, accepted, previews };
  }

  /** What the names of cookies hold, unless it is set. */
  get instance(): string {
    return this.#file.instance;
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
    const { keys } = this;
    this.#spread({ ...keys, accepted: [...keys.accepted, next] });
    this.#timer = setTimeout(() => {
      try {
        const { current: previous, instance, previews } = this.#file;
        const file = { current: next, previous, sinceMs: epochMs(), instance, previews };
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
    checkTrusted(path);
    const text = readText(path);
    if (text !== undefined) return parseKeys(path, text);
    const current = randomBytes(KEY_BYTES);
    const lasting = { instance: instanceOf(current), previews: previewKeyOf(current) };
    const file = { current, previous: undefined, sinceMs: epochMs(), ...lasting };
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

// One line: since, current, previous (empty for none), instance, key of previews; the keys in hex. A
// file of an earlier version has neither of the last two: they follow from the current key until that
// is replaced, and then stand in the file.
const FORM = /^(\d{1,15}) ([0-9a-f]{64}) ([0-9a-f]{64})?(?: ([0-9a-z]{6})(?: ([0-9a-f]{64}))?)?\n$/;

function parseKeys(path: string, text: string): KeyFile {
  const match = FORM.exec(text);
  if (match === null) {
    throw new StartError(
      `the signing keys ${path} are damaged: remove the file and start again; ` +
        'sessions then begin anew',
    );
  }
  const [, since = '', hex = '', previous, instance, previews] = match;
  const current = Buffer.from(hex, 'hex');
  return {
    sinceMs: Number(since),
    current,
    previous: previous === undefined ? undefined : Buffer.from(previous, 'hex'),
    instance: instance ?? instanceOf(current),
    previews: previews === undefined ? previewKeyOf(current) : Buffer.from(previews, 'hex'),
  };
}

function instanceOf(key: Buffer): string {
  const hash = createHash('sha256').update('instance\n').update(key).digest();
  const digits = hash.readBigUInt64BE(0).toString(36);
  return digits.slice(-INSTANCE_CHARS).padStart(INSTANCE_CHARS, '0');
}

function previewKeyOf(key: Buffer): Buffer {
  return createHash('sha256').update('previews\n').update(key).digest();
}

function writeKeys(path: string, { sinceMs, instance, ...keys }: KeyFile): void {
  const [current, previous = '', previews] = [keys.current, keys.previous, keys.previews].map(
    (key) => key?.toString('hex'),
  );
  const line = [sinceMs, current, previous, instance, previews].join(' ');
  writeFileSafely(path, `${line}\n`, { mode: 0o600 });
}
