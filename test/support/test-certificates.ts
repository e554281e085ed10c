// A certificate for localhost that no one trusts, made by openssl when it is first asked for, as workers
// get it.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Certificate, CertificateSet } from '../../src/contract/certificates.ts';
import {
  keyOfListener,
  type ListenAddress,
  type TlsPolicy,
} from '../../src/contract/worker-settings.ts';

export const TLS_TEST_POLICY: TlsPolicy = {
  minVersion: 'TLSv1.2',
  unknownNames: 'default',
  clients: 'none',
};

/** Where test planes listen. */
export const TEST_ADDRESS: ListenAddress = { kind: 'tcp', host: '127.0.0.1', port: 0 };

let made: Certificate | undefined;

/** Returns the set for a listener for traffic on `address`. */
export function testCertificates(address: ListenAddress = TEST_ADDRESS): CertificateSet {
  made ??= { id: 'test', names: ['localhost'], keyKind: 'ec', source: 'file', ...selfSigned() };
  const listener = keyOfListener({ address, use: 'traffic' });
  return {
    version: 1,
    certificates: [made],
    doors: [{ listener, certificates: ['test'], clientAuthorities: '' }],
    ticketKeys: randomBytes(48),
    challenges: [],
    upstreams: [],
  };
}

function selfSigned(): Pick<Certificate, 'chain' | 'key'> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const rest = ['-days', '2', '-subj', '/CN=localhost', '-keyout', '-', '-out', '-'];
  const text = execFileSync('openssl', ['req', '-x509', ...key, ...rest], {
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
  });
  const at = text.indexOf('-----BEGIN CERTIFICATE-----');
  return { chain: text.slice(at), key: text.slice(0, at) };
}
