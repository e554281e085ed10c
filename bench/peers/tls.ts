// What the peers that speak TLS are told about it: one certificate, one suite, session tickets. All
// get the same, so that what differs between them is not the cryptography.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Both in one, as HAProxy wants them. */
  readonly both: string;
}

/** What Turnout prefers, whatever the client offers. */
export const TLS_SUITE = 'TLS_AES_128_GCM_SHA256';
export const TLS_HOST = 'bench.example';

/** Makes a P-256 certificate in `dir`. */
export function makeTlsFiles(dir: string): TlsFiles {
  const files = {
    cert: join(dir, 'tls.crt'),
    key: join(dir, 'tls.key'),
    both: join(dir, 'tls.pem'),
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const name = ['-subj', `/CN=${TLS_HOST}`, '-addext', `subjectAltName=DNS:${TLS_HOST}`];
  const out = ['-days', '2', '-keyout', files.key, '-out', files.cert];
  execFileSync('openssl', ['req', '-x509', ...key, ...name, ...out], { stdio: 'ignore' });
  writeFileSync(files.both, readFileSync(files.cert, 'utf8') + readFileSync(files.key, 'utf8'), {
    mode: 0o600,
  });
  return files;
}

/** Returns what `nginx.conf` leaves open. */
export function nginxTls(files: TlsFiles | undefined): Record<string, string> {
  if (files === undefined) return { tlsBind: '', tlsRules: '' };
  const rules = [
    `ssl_certificate ${files.cert};`,
    `ssl_certificate_key ${files.key};`,
    'ssl_protocols TLSv1.2 TLSv1.3;',
    `ssl_conf_command Ciphersuites ${TLS_SUITE};`,
    'ssl_session_tickets on;',
  ];
  return { tlsBind: 'ssl', tlsRules: rules.join(' ') };
}

/** Returns what `haproxy.cfg` leaves open. */
export function haproxyTls(files: TlsFiles | undefined): Record<string, string> {
  if (files === undefined) return { tlsBind: '', scheme: 'http' };
  const bind = `ssl crt ${files.both} alpn http/1.1 ciphersuites ${TLS_SUITE}`;
  return { tlsBind: bind, scheme: 'https' };
}
