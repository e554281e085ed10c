// The tokens of the admin API: made, proven, revoked. A secret is shown once, when it is made; what
// stays of it is a hash.

import { epochMs } from '../../base/clock.ts';
import { parseTargetRule } from '../../config/values/target-rule.ts';
import { isReservedName } from '../base/actors.ts';
import {
  TOKEN_DEAD_LIFE_MS,
  TOKEN_PROVEN_MS,
  TOKEN_TOUCH_EVERY_MS,
  TOKENS_MAX,
  TOKENS_PROVEN_MAX,
} from '../base/control-limits.ts';
import { OperatorError } from '../base/problems.ts';
import type { Role } from '../../api/roles.ts';
import { SecretHasher } from './secret-hash.ts';
import type { Notes, Store, StoredToken } from '../store/store.ts';
import { digestOf, newToken, parseToken, printToken } from './token-text.ts';

export interface WantedToken {
  readonly name: string;
  readonly role: Role;
  /** Empty: all of them. */
  readonly services: readonly string[];
  /** Rules of where targets may lead that are registered with it; none: anywhere. */
  readonly targets?: readonly string[];
  /** Undefined: until it is revoked. */
  readonly lifeMs: number | undefined;
}

/** What a token that a caller has sent turned out to be. */
export type Proof =
  | { readonly kind: 'proven'; readonly token: StoredToken }
  /** It is ours, and no longer good. */
  | { readonly kind: 'over'; readonly token: StoredToken; readonly why: string }
  /** No such token, or a wrong secret: which of both is not told. */
  | { readonly kind: 'unknown' };

export class Tokens {
  readonly #store: Pick<Store, 'tokens'>;
  readonly #hasher = new SecretHasher();
  readonly #byId: Map<string, StoredToken>;
  /** Digests of tokens that were proven lately, the oldest first. */
  readonly #proven = new Map<string, { readonly id: string; readonly untilMs: number }>();

  constructor(store: Pick<Store, 'tokens'>) {
    this.#store = store;
    this.#byId = new Map(store.tokens.all().map((token) => [token.id, token]));
  }

  /** All that are known, the oldest first; none of their secrets is. */
  get all(): readonly StoredToken[] {
    return [...this.#byId.values()];
  }

  /** Tells whether there is a token that a caller could prove. */
  hasGood(nowMs: number): boolean {
    return this.all.some((token) => whyOver(token, nowMs) === undefined);
  }

  /**
   * Makes a token; `noted` gives what is stored with it. Returns it with its text, which is
   * kept nowhere.
   */
  async create(
    wanted: WantedToken,
    noted: (token: StoredToken) => Notes,
  ): Promise<{ readonly token: StoredToken; readonly text: string }> {
    this.#check(wanted);
    const rules = rulesOf(wanted.targets ?? []);
    const { id, secret } = newToken();
    const hash = await this.#hasher.hash(secret);
    this.#check(wanted); // Another call may have been faster.
    const { name, role, services, lifeMs } = wanted;
    const createdAtMs = epochMs();
    const token: StoredToken = {
      id,
      name,
      role,
      services: [...services],
      targets: rules,
      hash,
      createdAtMs,
      expiresAtMs: lifeMs === undefined ? undefined : createdAtMs + lifeMs,
      revokedAtMs: undefined,
      lastUsedAtMs: undefined,
    };
    // From here on, its name is taken.
    this.#byId.set(id, token);
    try {
      await this.#store.tokens.add(token, noted(token));
    } catch (error) {
      this.#byId.delete(id);
      throw error;
    }
    this.#forgetDead(createdAtMs);
    return { token, text: printToken({ id, secret }) };
  }

  /** Ends a token, by its id or its name. From now on it proves nothing. */
  async revoke(idOrName: string, noted: (token: StoredToken) => Notes): Promise<StoredToken> {
    const nowMs = epochMs();
    const found = this.#byId.get(idOrName) ?? this.#good(idOrName, nowMs);
    if (found === undefined) {
      throw new OperatorError('token-unknown', `no token in use has the id or name ${idOrName}`);
    }
    const token = { ...found, revokedAtMs: found.revokedAtMs ?? nowMs };
    this.#byId.set(token.id, token);
    try {
      await this.#store.tokens.revoke(token.id, token.revokedAtMs, noted(token));
    } catch (error) {
      this.#byId.set(token.id, found);
      throw error;
    }
    for (const [digest, { id }] of this.#proven) {
      if (id === token.id) this.#proven.delete(digest);
    }
    return token;
  }

  /** Returns the token in use that has this name; undefined: there is none. */
  named(name: string): StoredToken | undefined {
    return this.#good(name, epochMs());
  }

  /** Returns why a token is good no more; undefined: it is. */
  whyOver(id: string): string | undefined {
    const token = this.#byId.get(id);
    return token === undefined ? 'is not known any more' : whyOver(token, epochMs());
  }

  /** Tells whether `text` was proven lately, so that a look is enough. */
  isProven(text: string, nowMs: number): boolean {
    const proven = this.#proven.get(digestOf(text));
    return proven !== undefined && isWithin(proven.untilMs, nowMs);
  }

  /** Says what `text` proves. An unknown id takes as long as a wrong secret. */
  async prove(text: string): Promise<Proof> {
    const parsed = parseToken(text);
    if (parsed === undefined) return { kind: 'unknown' };
    if (!this.isProven(text, epochMs())) {
      const { id, secret } = parsed;
      const fits = await this.#hasher.fits(secret, this.#byId.get(id)?.hash);
      if (!fits) return { kind: 'unknown' };
      this.#remember(text, id);
    }
    const token = this.#byId.get(parsed.id);
    if (token === undefined) return { kind: 'unknown' };
    const why = whyOver(token, epochMs());
    if (why !== undefined) return { kind: 'over', token, why };
    this.#touch(token);
    return { kind: 'proven', token };
  }

  #check({ name }: WantedToken): void {
    const nowMs = epochMs();
    if (isReservedName(name)) {
      throw new OperatorError('token-name-taken', `${name} has a meaning in the audit log already`);
    }
    const other = this.#good(name, nowMs);
    if (other !== undefined) {
      throw new OperatorError(
        'token-name-taken',
        `the token ${other.id} has the name ${name}: revoke it first, or choose another name`,
      );
    }
    if (this.all.filter((token) => !isForgettable(token, nowMs)).length >= TOKENS_MAX) {
      throw new OperatorError(
        'too-many-tokens',
        `${TOKENS_MAX} tokens are known already; those that are over count for 30 days more`,
      );
    }
  }

  #good(name: string, nowMs: number): StoredToken | undefined {
    return this.all.find((token) => token.name === name && whyOver(token, nowMs) === undefined);
  }

  #remember(text: string, id: string): void {
    if (this.#proven.size >= TOKENS_PROVEN_MAX) {
      const [oldest] = this.#proven.keys();
      this.#proven.delete(oldest!);
    }
    const digest = digestOf(text);
    this.#proven.delete(digest);
    this.#proven.set(digest, { id, untilMs: epochMs() + TOKEN_PROVEN_MS });
  }

  #touch(token: StoredToken): void {
    const nowMs = epochMs();
    const { lastUsedAtMs = 0 } = token;
    if (Math.abs(nowMs - lastUsedAtMs) < TOKEN_TOUCH_EVERY_MS) return;
    this.#byId.set(token.id, { ...token, lastUsedAtMs: nowMs });
    void this.#noteUse(token.id, nowMs);
  }

  async #noteUse(id: string, atMs: number): Promise<void> {
    try {
      await this.#store.tokens.touch(id, atMs);
    } catch {
      // Worth knowing, not worth a refusal: a full disk must not lock an operator out.
    }
  }

  #forgetDead(nowMs: number): void {
    for (const token of this.all) if (isForgettable(token, nowMs)) this.#byId.delete(token.id);
  }
}

/** Returns rules in normal form. Refuses a text that is no rule: without it the token could name any target. */
function rulesOf(targets: readonly string[]): readonly string[] {
  return targets.map((raw) => {
    const rule = parseTargetRule(raw);
    if (rule.ok) return rule.value;
    throw new OperatorError('body-invalid', `targets: ${rule.problem}`);
  });
}

function whyOver(token: StoredToken, nowMs: number): string | undefined {
  const { revokedAtMs, expiresAtMs } = token;
  if (revokedAtMs !== undefined) return `was revoked at ${new Date(revokedAtMs).toISOString()}`;
  if (expiresAtMs === undefined || expiresAtMs > nowMs) return undefined;
  return `has expired at ${new Date(expiresAtMs).toISOString()}`;
}

/** The store forgets the same ones when a token is added. */
function isForgettable({ revokedAtMs, expiresAtMs }: StoredToken, nowMs: number): boolean {
  const overAtMs = Math.min(revokedAtMs ?? Infinity, expiresAtMs ?? Infinity);
  return overAtMs < nowMs - TOKEN_DEAD_LIFE_MS;
}

/** A clock that was set back must not make a proof last longer. */
function isWithin(untilMs: number, nowMs: number): boolean {
  return nowMs < untilMs && nowMs >= untilMs - TOKEN_PROVEN_MS;
}
