// Makes a certificate that workers can use of the PEM text of a chain and of its key, or says why it
// cannot be one. Every rule that does not depend on the time of day is asked here, for files and for
// what an authority has issued alike.

import { createHash } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { spanText } from '../../base/span-text.ts';
import type { Certificate } from '../../contract/certificates.ts';
import { codeOf, messageOf } from '../base/problems.ts';
import {
  certificatesIn,
  checkHashes,
  checkOrder,
  hostNames,
  noCertificateText,
  subjectText,
  validityOf,
  type Validity,
} from './certificate-chain.ts';
import { CertificateFault } from './certificate-fault.ts';
import type { PemBlock } from './pem-text.ts';
import { privateKeyIn } from './private-key.ts';

/** A text and what an operator knows it by, such as the path of its file. */
export interface NamedPem {
  readonly path: string;
  readonly blocks: readonly PemBlock[];
}

export interface CheckedPair extends Validity {
  readonly certificate: Certificate;
  /** The first host that it is for. */
  readonly name: string;
}

/**
 * Throws CertificateFault. `mayLackHosts`: a certificate for no host will do, because its clients do not
 * look at host names, or still go by its common name.
 */
export function checkPair(
  cert: NamedPem,
  key: NamedPem,
  { mayLackHosts }: { readonly mayLackHosts: boolean } = { mayLackHosts: false },
): CheckedPair {
  const chain = certificatesIn(cert.path, cert.blocks);
  const [own] = chain;
  if (own === undefined) {
    throw new CertificateFault(`${cert.path} ${noCertificateText(cert.blocks)}`);
  }
  const secret = privateKeyIn(key.path, key.blocks);
  if (!own.checkPrivateKey(secret.key)) {
    const index = chain.findIndex((one) => one.checkPrivateKey(secret.key));
    throw new CertificateFault(
      index === -1
        ? `${key.path} is not the key of ${cert.path}: name the two that belong together`
        : `${cert.path}: its key belongs to certificate ${index + 1}: put the server's own certificate first`,
    );
  }
  checkOrder(cert.path, chain);
  checkHashes(cert.path, chain);
  const { dns, others } = hostNames(own);
  const [name] = [...dns, ...others];
  if (name === undefined && !mayLackHosts) {
    throw new CertificateFault(
      `${cert.path} names no host (no subjectAltName, or none that clients accept; its common name counts for none): ` +
        'have it issued anew with subjectAltName=DNS:…',
    );
  }
  const text = chain.map((one) => one.toString()).join('');
  checkByOpenSsl(cert.path, { cert: text, key: secret.text });
  return {
    certificate: {
      id: idOf(text, secret.text),
      names: dns,
      chain: text,
      key: secret.text,
      keyKind: secret.key.asymmetricKeyType ?? '',
      source: 'file',
    },
    name: name ?? subjectText(own),
    ...validityOf(chain),
  };
}

/** OpenSSL decides what is too weak, or no key for TLS; workers would throw the same. */
function checkByOpenSsl(path: string, pair: { readonly cert: string; readonly key: string }): void {
  try {
    createSecureContext(pair);
  } catch (error) {
    throw new CertificateFault(`${path} ${weakText(codeOf(error)) ?? messageOf(error)}`, {
      cause: error,
    });
  }
}

function weakText(code: string): string | undefined {
  if (code.endsWith('KEY_TOO_SMALL')) {
    return 'has a key that is too small to be safe: have it issued anew with ECDSA P-256, or RSA of 2048 bits or more';
  }
  if (code.endsWith('UNKNOWN_CERTIFICATE_TYPE')) {
    return 'has a kind of key that TLS has no use for: have it issued anew with ECDSA P-256 or RSA';
  }
  return undefined;
}

function idOf(chain: string, key: string): string {
  return createHash('sha256').update(chain).update('\0').update(key).digest('hex');
}

/** Returns why something that is good from `beginsAtMs` to `endsAtMs` is not good now; undefined: it is. */
export function untimelyText(
  { beginsAtMs, endsAtMs }: Validity,
  nowMs: number,
): string | undefined {
  if (nowMs >= endsAtMs) {
    return `has expired ${spanText(nowMs - endsAtMs)} ago, at ${timeText(endsAtMs)}: renew it`;
  }
  if (nowMs < beginsAtMs) {
    return (
      `is not valid before ${timeText(beginsAtMs)}, in ${spanText(beginsAtMs - nowMs)}: ` +
      'check the clock of this machine, or wait'
    );
  }
  return undefined;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
