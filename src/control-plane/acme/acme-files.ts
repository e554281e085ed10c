// What ACME keeps in the state directory: the key of the account at each authority, and for each domain
// its certificate and what became of orders. A file that is damaged, or that another user could have
// written, is set aside, and what it held is ordered anew: a start never fails for it.

import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkTrusted } from '../base/file-trust.ts';
import type { Log } from '../base/log.ts';
import { codeOf, messageOf } from '../base/problems.ts';
import { writeFileSafely } from '../base/safe-file.ts';
import { readIssued, type IssuedCertificate } from './issued-certificate.ts';

export interface Account {
  /** URL of the directory of its authority. */
  readonly ca: string;
  /** PEM. */
  readonly key: string;
  /** Empty: it is not registered yet. */
  readonly url: string;
  /** As the authority knows it. */
  readonly email: string;
}

/** What is known of one domain. */
export interface DomainRecord {
  readonly certificate: ObtainedCertificate | undefined;
  readonly trouble: Trouble | undefined;
}

export interface ObtainedCertificate extends IssuedCertificate {
  /** URL of the directory of the authority that it is from. */
  readonly ca: string;
  readonly obtainedAtMs: number;
}

/** Orders that failed in a row. Stored before each order, so that a program that dies in it does not order on and on. */
export interface Trouble {
  readonly ca: string;
  readonly failures: number;
  readonly lastTryMs: number;
  readonly nextTryMs: number;
  readonly words: string;
  readonly advice: string;
  readonly isRateLimited: boolean;
}

const FOLDER = 'acme';
/** A file has some 10 KB. */
const FILE_BYTES_MAX = 262_144;
/** A name in a directory has 255 characters; longer domains are named by a hash. */
const PLAIN_NAME_MAX = 200;

/** Reads and writes the files of one state directory. */
export class AcmeFiles {
  readonly #folder: string;
  readonly #log: Log;

  /** Throws StartError where the folder belongs to another user. */
  constructor(stateDir: string, log: Log) {
    this.#folder = join(stateDir, FOLDER);
    this.#log = log;
    checkTrusted(this.#folder);
    const found = statSync(this.#folder, { throwIfNoEntry: false });
    if (found !== undefined && (found.mode & 0o077) !== 0) chmodSync(this.#folder, 0o700);
  }

  /** Returns the account at an authority; undefined: there is none. */
  account(ca: string): Account | undefined {
    return this.#read(accountFile(ca), (found) => {
      const { key, url, email } = found;
      if (found['ca'] !== ca) throw new Error('it is of another authority');
      return { ca, key: text(key), url: text(url), email: text(email) };
    });
  }

  /** Throws when the account cannot be stored. */
  writeAccount(account: Account): void {
    this.#write(accountFile(account.ca), account);
  }

  domain(domain: string): DomainRecord {
    const read = this.#read(domainFile(domain), (found) => {
      if (found['domain'] !== domain) throw new Error('it is of another domain');
      return {
        certificate: readCertificate(domain, found['certificate']),
        trouble: readTrouble(found['trouble']),
      };
    });
    return read ?? { certificate: undefined, trouble: undefined };
  }

  /** Throws when it cannot be stored. */
  writeDomain(domain: string, { certificate, trouble }: DomainRecord): void {
    const { ca, chain, key, obtainedAtMs } = certificate ?? {};
    this.#write(domainFile(domain), {
      domain,
      certificate: certificate === undefined ? undefined : { ca, chain, key, obtainedAtMs },
      trouble,
    });
  }

  #write(name: string, content: object): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    writeFileSafely(join(this.#folder, name), `${JSON.stringify(content, null, 1)}\n`, {
      mode: 0o600,
    });
  }

  #read<T>(name: string, parse: (found: Fields) => T): T | undefined {
    const path = join(this.#folder, name);
    try {
      checkTrusted(path);
      const found = readBounded(path);
      return found === undefined ? undefined : parse(fields(JSON.parse(found)));
    } catch (error) {
      const words = messageOf(error);
      this.#setAside(path, error instanceof SyntaxError ? 'it is no JSON' : words);
      return undefined;
    }
  }

  #setAside(path: string, problem: string): void {
    const aside = `${path}.damaged`;
    try {
      renameSync(path, aside);
      this.#log.warn(
        { path, aside, problem },
        'a file of ACME cannot be used; it was set aside, and what it held is ordered anew',
      );
    } catch (error) {
      this.#log.warn(
        { path, problem, err: error },
        'a file of ACME cannot be used and not be set aside; what it held is ordered anew',
      );
    }
  }
}

function accountFile(ca: string): string {
  return `account-${hash(ca)}.json`;
}

/** Domains are in ASCII and have no slash: the configuration sees to that. */
function domainFile(domain: string): string {
  return `${domain.length <= PLAIN_NAME_MAX ? domain : hash(domain)}.json`;
}

function hash(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 32);
}

function readBounded(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isFile()) throw new Error('it is not a file');
  if (found.size > FILE_BYTES_MAX) throw new Error(`it has more than ${FILE_BYTES_MAX} bytes`);
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) throw new Error('it is incomplete');
  return value as Fields;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new Error('it is incomplete');
  return value;
}

function number(value: unknown): number {
  if (typeof value !== 'number') throw new Error('it is incomplete');
  return value;
}

function readCertificate(domain: string, value: unknown): ObtainedCertificate | undefined {
  if (value === undefined) return undefined;
  const { ca, chain, key, obtainedAtMs } = fields(value);
  const issued = readIssued(domain, text(chain), text(key));
  return { ...issued, ca: text(ca), obtainedAtMs: number(obtainedAtMs) };
}

function readTrouble(value: unknown): Trouble | undefined {
  if (value === undefined) return undefined;
  const { ca, failures, lastTryMs, nextTryMs, words, advice, isRateLimited } = fields(value);
  return {
    ca: text(ca),
    failures: number(failures),
    lastTryMs: number(lastTryMs),
    nextTryMs: number(nextTryMs),
    words: text(words),
    // Earlier versions had none.
    advice: typeof advice === 'string' ? advice : '',
    isRateLimited: isRateLimited === true,
  };
}
