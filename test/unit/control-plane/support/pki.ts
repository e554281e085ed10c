// Certificates of every kind, made by openssl for one test. Nothing of them is kept.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

export interface Issued {
  /** Paths. */
  readonly cert: string;
  readonly key: string;
  /** What lies there. */
  readonly certText: string;
  readonly keyText: string;
}

interface IssueOptions {
  /** Such as `DNS:a.test,IP:10.0.0.1`; empty: the certificate has no such names. */
  readonly names?: string;
  /** Undefined: it signs itself. */
  readonly by?: Issued;
  readonly isAuthority?: boolean;
  readonly days?: number;
  /** Arguments of `openssl req` that say which key. */
  readonly newKey?: readonly string[];
  readonly digest?: string;
}

const P256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

export interface Pki {
  readonly dir: string;
  /** Issues a certificate for 30 days. */
  readonly issue: (name: string, options?: IssueOptions) => Issued;
  /** Writes a file and returns its path. */
  readonly write: (name: string, content: string | Uint8Array) => string;
}

/** Returns what issues certificates, in a directory that goes with the test. */
export function pki(t: Test): Pki {
  const dir = mkdtempSync(join(tmpdir(), 'turnout-pki-'));
  t.teardown(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const write = (name: string, content: string | Uint8Array): string => {
    const path = join(dir, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  const config = write('openssl.cnf', '[req]\ndistinguished_name = dn\n[dn]\n');
  const issue: Pki['issue'] = (name, options = {}) => {
    const { names = `DNS:${name}`, by, isAuthority = false, days = 30, newKey = P256 } = options;
    const { digest = '-sha256' } = options;
    const cert = join(dir, `${name}.pem`);
    const key = join(dir, `${name}.key`);
    const request = ['req', '-x509', '-config', config, ...newKey, '-nodes', digest];
    const files = ['-subj', `/CN=${name}`, '-keyout', key, '-out', cert, '-days', String(days)];
    const kind = ['-addext', `basicConstraints=critical,CA:${isAuthority ? 'TRUE' : 'FALSE'}`];
    const san = names === '' ? [] : ['-addext', `subjectAltName=${names}`];
    const signer = by === undefined ? [] : ['-CA', by.cert, '-CAkey', by.key];
    openssl(...request, ...files, ...kind, ...san, ...signer);
    return { cert, key, certText: readFileSync(cert, 'utf8'), keyText: readFileSync(key, 'utf8') };
  };
  return { dir, issue, write };
}

/** Runs openssl and returns what it prints. */
export function openssl(...args: readonly string[]): Buffer {
  return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] });
}
