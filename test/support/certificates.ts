// An authority of a test, and certificates that it signs, by openssl. Only that test trusts them.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface SignOptions {
  /** Further names, such as `URI:spiffe://test/ci`. */
  readonly names?: readonly string[];
  /** It was over yesterday. */
  readonly isExpired?: boolean;
  /** It begins in many years. */
  readonly isEarly?: boolean;
  readonly days?: number;
}

export interface Authority extends CertificateFiles {
  /** Signs a certificate for 127.0.0.1 and localhost, as a server and as a client. */
  sign(name: string, options?: SignOptions): CertificateFiles;
}

/** Makes an authority whose files go with the test. */
export function authority(t: Test): Authority {
  const directory = mkdtempSync(join(tmpdir(), 'turnout-tls-'));
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const path = (name: string): string => join(directory, name);
  const own = { cert: path('ca.pem'), key: path('ca.key') };
  const files = ['-keyout', own.key, '-out', own.cert];
  openssl('req', '-x509', ...NEW_KEY, '-days', '2', '-subj', '/CN=test authority', ...files);
  return {
    ...own,
    sign: (name, { names = [], isExpired = false, isEarly = false, days = 2 } = {}) => {
      const signed = { cert: path(`${name}.pem`), key: path(`${name}.key`) };
      const request = path(`${name}.csr`);
      const all = ['IP:127.0.0.1', 'DNS:localhost', ...names];
      writeFileSync(path('ext'), `subjectAltName=${all.join(',')}\n`);
      openssl('req', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', signed.key, '-out', request);
      const life = ['-days', isExpired ? '-1' : String(days), '-extfile', path('ext')];
      if (isEarly) {
        // Only this command can say when a certificate begins.
        writeFileSync(path('index'), '');
        writeFileSync(path('ca.cnf'), signingConfig(directory));
        const years = ['-startdate', '20900101000000Z', '-enddate', '20910101000000Z'];
        const signer = ['-config', path('ca.cnf'), '-cert', own.cert, '-keyfile', own.key];
        const all = ['-batch', '-notext', ...signer, '-extfile', path('ext'), ...years];
        openssl('ca', ...all, '-in', request, '-out', signed.cert);
        return signed;
      }
      const by = ['-CA', own.cert, '-CAkey', own.key, '-CAcreateserial'];
      openssl('x509', '-req', '-in', request, ...life, ...by, '-out', signed.cert);
      return signed;
    },
  };
}

function signingConfig(directory: string): string {
  return `[ca]
default_ca = own
[own]
database = ${directory}/index
rand_serial = yes
new_certs_dir = ${directory}
default_md = sha256
policy = any
[any]
commonName = supplied
`;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Returns the texts of `files`. */
export function pemsOf(files: CertificateFiles): { readonly cert: string; readonly key: string } {
  return { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') };
}
