// The certificates, keys and authorities that a configuration names as files: read and checked when
// they come into use, followed while they are. Does not know what they are used for.

import { background, type Log } from '../base/log.ts';
import { CERTIFICATES_LOOK_EVERY_MS } from '../base/control-limits.ts';
import { codeOf, messageOf } from '../base/problems.ts';
import type { Validity } from './certificate-chain.ts';
import { CertificateFault } from './certificate-fault.ts';
import { checkPair, untimelyText, type CheckedPair } from './checked-pair.ts';
import { checkAuthorities, type CheckedAuthorities } from './client-authorities.ts';
import { FollowedFiles } from './followed-files.ts';
import { readPemFile } from './pem-file.ts';
import { openKeyText } from './private-key.ts';

/** Paths of PEM files; both may be the same. */
export interface PairPaths {
  readonly cert: string;
  readonly key: string;
}

export interface WantedFiles {
  readonly pairs: readonly PairPaths[];
  /** Paths of authorities of clients. */
  readonly authorities: readonly string[];
}

export interface CertificateFilesParts {
  readonly log: Log;
  /** Since the epoch. */
  readonly nowMs: () => number;
  /** See `checkPair`. */
  readonly mayLackHosts: boolean;
  /** Something in use is another one now; resolves when it is presented. */
  readonly onChange: () => Promise<void>;
}

/** What is read for a configuration, ready to be used. */
export interface ReadFiles {
  readonly pairs: ReadonlyMap<string, FollowedFiles<CheckedPair>>;
  readonly authorities: ReadonlyMap<string, FollowedFiles<CheckedAuthorities>>;
}

/** What is known of one of them. */
export interface FileReport extends Validity {
  readonly name: string;
  /** DNS names that it is for; none: it is a file of authorities, or of a client. */
  readonly names: readonly string[];
  /** The path of the certificate, or of the authorities. */
  readonly source: string;
  /** Why what lies there now is not used; empty: it is used. */
  readonly problem: string;
}

export class CertificateFiles {
  readonly #parts: CertificateFilesParts;
  #used: ReadFiles = { pairs: new Map(), authorities: new Map() };
  #timer: NodeJS.Timeout | undefined;
  /** Looks go one after the other: the last one, and whether it has ended. */
  #looking: Promise<void> = Promise.resolve();
  #isLooking = false;
  /** What was warned of, so that it is said once. */
  readonly #warned = new Set<string>();

  constructor(parts: CertificateFilesParts) {
    this.#parts = parts;
  }

  /**
   * Reads what `wanted` names and is not in use. Rejects with CertificateFaults that has every
   * problem. `isStrict`: what is not valid at this time is one, too; else it is warned of.
   */
  async read(
    wanted: WantedFiles,
    { isStrict }: { readonly isStrict: boolean },
  ): Promise<ReadFiles> {
    const problems: string[] = [];
    const missing: string[] = [];
    const take = (error: unknown): void => {
      const text = told(error);
      problems.push(text);
      if (isMissing(error)) missing.push(text);
    };
    const pairs = new Map<string, FollowedFiles<CheckedPair>>();
    for (const paths of wanted.pairs) {
      const id = idOf(paths);
      if (pairs.has(id)) continue;
      try {
        pairs.set(id, this.#used.pairs.get(id) ?? (await this.#openPair(paths, isStrict)));
      } catch (error) {
        take(error);
      }
    }
    const authorities = new Map<string, FollowedFiles<CheckedAuthorities>>();
    for (const path of wanted.authorities) {
      if (authorities.has(path)) continue;
      try {
        const used = this.#used.authorities.get(path);
        authorities.set(path, used ?? (await this.#openAuthorities(path, isStrict)));
      } catch (error) {
        take(error);
      }
    }
    if (problems.length > 0) throw new CertificateFaults([...new Set(problems)], missing);
    return { pairs, authorities };
  }

  /** Follows these from now on, and no others. */
  use(files: ReadFiles): void {
    this.#used = files;
  }

  start(): void {
    this.#timer = setInterval(() => {
      // A file system may not answer for long.
      if (this.#isLooking) return;
      background(this.look(false), this.#parts.log, 'a look at the files of certificates');
    }, CERTIFICATES_LOOK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks at all files once. `isAsked`: an operator has asked for it, so what is wrong is told at once. */
  async look(isAsked: boolean): Promise<void> {
    this.#isLooking = true;
    // One that has failed is told to its caller, and the next one goes on.
    const look = this.#looking.catch(() => {}).then(async () => this.#look(isAsked));
    this.#looking = look;
    try {
      await look;
    } finally {
      if (this.#looking === look) this.#isLooking = false;
    }
  }

  report(): FileReport[] {
    return [...this.#followed()].map(({ current, problem, paths: [source = ''] }) => {
      const { name, beginsAtMs, endsAtMs } = current;
      const names = 'certificate' in current ? current.certificate.names : [];
      return { name, names, source, beginsAtMs, endsAtMs, problem };
    });
  }

  async #look(isAsked: boolean): Promise<void> {
    const { log, onChange } = this.#parts;
    const changed: (() => void)[] = [];
    for (const followed of this.#followed()) {
      const finding = await followed.look(isAsked);
      const { name, endsAtMs } = followed.current;
      const [source] = followed.paths;
      const about = { name, source, until: new Date(endsAtMs).toISOString() };
      if (finding === 'changed') {
        const text = `${source} has changed, and what it holds now is in use`;
        changed.push(() => log.info(about, text));
      } else if (finding === 'mended') {
        log.info(about, `${source} is good again`);
      } else if (finding === 'refused') {
        const { problem } = followed;
        log.error(about, `${source} has changed, but what was in use stays: ${problem}`);
      }
    }
    if (changed.length === 0) return;
    await onChange();
    for (const tell of changed) tell();
  }

  *#followed(): Iterable<FollowedFiles<CheckedPair> | FollowedFiles<CheckedAuthorities>> {
    yield* this.#used.pairs.values();
    yield* this.#used.authorities.values();
  }

  async #openPair(paths: PairPaths, isStrict: boolean): Promise<FollowedFiles<CheckedPair>> {
    const check = async (): Promise<CheckedPair> => {
      const cert = await readPemFile(paths.cert);
      const key = paths.key === paths.cert ? cert : await readPemFile(paths.key);
      const pair = checkPair(cert, key, this.#parts);
      this.#warn(openKeyText(paths.key, key.mode));
      return pair;
    };
    const files = {
      paths: [...new Set([paths.cert, paths.key])],
      read: this.#timely(paths.cert, check, true),
      isSame: (one: CheckedPair, other: CheckedPair) => one.certificate.id === other.certificate.id,
    };
    return FollowedFiles.open(files, this.#timely(paths.cert, check, isStrict));
  }

  async #openAuthorities(
    path: string,
    isStrict: boolean,
  ): Promise<FollowedFiles<CheckedAuthorities>> {
    const check = async (): Promise<CheckedAuthorities> =>
      checkAuthorities(await readPemFile(path));
    const files = {
      paths: [path],
      read: this.#timely(path, check, true),
      isSame: (one: CheckedAuthorities, other: CheckedAuthorities) => one.text === other.text,
    };
    return FollowedFiles.open(files, this.#timely(path, check, isStrict));
  }

  /** Returns a reader that looks at the time, too. */
  #timely<T extends Validity>(path: string, check: () => Promise<T>, isStrict: boolean) {
    return async (): Promise<T> => {
      const checked = await check();
      const untimely = untimelyText(checked, this.#parts.nowMs());
      if (untimely === undefined) return checked;
      if (isStrict) throw new CertificateFault(`${path} ${untimely}`);
      this.#warn(`${path} ${untimely}`);
      return checked;
    };
  }

  #warn(text: string | undefined): void {
    if (text === undefined || this.#warned.has(text)) return;
    this.#warned.add(text);
    this.#parts.log.warn({}, text);
  }
}

/** Returns what stands for a pair in ReadFiles. */
export function idOf({ cert, key }: PairPaths): string {
  return `${cert}\0${key}`;
}

/** Everything that is wrong with the files of a configuration. */
export class CertificateFaults extends Error {
  override readonly name = 'CertificateFaults';
  readonly problems: readonly string[];
  /** Those that say that a file is not there. */
  readonly missing: readonly string[];

  constructor(problems: readonly string[], missing: readonly string[] = []) {
    super(problems.join('; '));
    this.problems = problems;
    this.missing = missing;
  }
}

function isMissing(error: unknown): boolean {
  const code = error instanceof CertificateFault ? codeOf(error.cause) : '';
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Another error than a fault of a file is one of ours, and not swallowed. */
function told(error: unknown): string {
  if (error instanceof CertificateFault) return messageOf(error);
  throw error;
}
