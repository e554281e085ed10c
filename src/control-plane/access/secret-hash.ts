// Secrets as hashes: scrypt with a salt of its own and the parameters beside it, computed in the
// thread pool, a few at once, so that no number of guesses holds up the control plane.

import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { HASHES_AT_ONCE, HASHES_WAITING_MAX } from '../base/control-limits.ts';
import { OperatorError } from '../base/problems.ts';

/**
 * 16 MiB and some 50 ms. The secrets have 256 random bits, so this is for the day on which one has
 * less; a password would need more (OWASP: N = 2^17).
 */
const COST: ScryptOptions = { N: 16_384, r: 8, p: 1, maxmem: 64 * 1_048_576 };
const KEY_BYTES = 32;
const SALT_BYTES = 16;

const FORM = /^scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([\w-]{22})\$([\w-]{43})$/;

/** Costs as much as any other to compare with, and fits no secret. */
const NOBODY = printHash(COST, Buffer.alloc(SALT_BYTES), Buffer.alloc(KEY_BYTES));

export class SecretHasher {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** Returns the hash of `secret`, to be stored. */
  async hash(secret: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    return printHash(COST, salt, await this.#derive(secret, salt, COST));
  }

  /**
   * Tells whether `hash` is that of `secret`, in constant time; undefined: there is no hash, and
   * finding that out takes as long. Throws `busy` when too many wait.
   */
  async fits(secret: string, hash: string | undefined): Promise<boolean> {
    const { cost, salt, key } = parseHash(hash) ?? parseHash(NOBODY)!;
    return timingSafeEqual(await this.#derive(secret, salt, cost), key) && hash !== undefined;
  }

  async #derive(secret: string, salt: Buffer, cost: ScryptOptions): Promise<Buffer> {
    await this.#enter();
    try {
      const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
      scrypt(secret, salt, KEY_BYTES, cost, (error, key) =>
        error === null ? resolve(key) : reject(error),
      );
      return await promise;
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async #enter(): Promise<void> {
    while (this.#running >= HASHES_AT_ONCE) {
      if (this.#waiting.length >= HASHES_WAITING_MAX) {
        throw new OperatorError('busy', 'too many tokens wait to be checked; try again shortly');
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    this.#running++;
  }
}

function printHash({ N, r, p }: ScryptOptions, salt: Buffer, key: Buffer): string {
  return `scrypt$${N}$${r}$${p}$${salt.toString('base64url')}$${key.toString('base64url')}`;
}

function parseHash(
  text: string | undefined,
): { readonly cost: ScryptOptions; readonly salt: Buffer; readonly key: Buffer } | undefined {
  const [, n, r, p, salt = '', key = ''] = FORM.exec(text ?? '') ?? [];
  if (n === undefined) return undefined;
  const cost = { ...COST, N: Number(n), r: Number(r), p: Number(p) };
  return { cost, salt: Buffer.from(salt, 'base64url'), key: Buffer.from(key, 'base64url') };
}
