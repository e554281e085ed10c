// Judges the certificates of a chain: each can be read, stands where clients expect it, and has a
// name and an end. Pure; knows nothing of keys and files.

import { X509Certificate } from 'node:crypto';
import { alternativeNames } from '../../base/alternative-names.ts';
import { CHAIN_CERTIFICATES_MAX } from '../base/control-limits.ts';
import { messageOf } from '../base/problems.ts';
import { CertificateFault } from './certificate-fault.ts';
import type { PemBlock } from './pem-text.ts';

const CERTIFICATE_LABELS: readonly string[] = ['CERTIFICATE', 'X509 CERTIFICATE'];

/** Returns the certificates among `blocks`; throws CertificateFault for one that cannot be read. */
export function certificatesIn(path: string, blocks: readonly PemBlock[]): X509Certificate[] {
  const found = blocks.filter(({ label }) => CERTIFICATE_LABELS.includes(label));
  return found.map(({ text }, index) => {
    try {
      return new X509Certificate(text);
    } catch (error) {
      const which = found.length === 1 ? 'the certificate' : `certificate ${index + 1}`;
      throw new CertificateFault(
        `${path}: ${which} is damaged (${messageOf(error)}): copy the file again from where it was issued`,
        { cause: error },
      );
    }
  });
}

/** Returns why a file without certificates has none. */
export function noCertificateText(blocks: readonly PemBlock[]): string {
  const labels = blocks.map(({ label }) => label);
  if (labels.includes('CERTIFICATE REQUEST') || labels.includes('NEW CERTIFICATE REQUEST')) {
    return 'holds a request for a certificate: have an authority sign it, and name what that returns';
  }
  if (labels.includes('PKCS7')) {
    return 'is PKCS #7: convert it by `openssl pkcs7 -print_certs`';
  }
  if (labels.includes('TRUSTED CERTIFICATE')) {
    return 'holds a certificate in a form of OpenSSL alone: convert it by `openssl x509`';
  }
  if (labels.some((label) => label.endsWith('PRIVATE KEY'))) {
    return 'holds a key and no certificate: certificate and key may have been mixed up';
  }
  return `holds no certificate, but ${labels.join(', ')}`;
}

/**
 * Throws CertificateFault unless each certificate after the first has signed one that stands before
 * it: what a client does not need, or gets too early, some clients stumble over (RFC 5246 §7.4.2).
 */
export function checkOrder(path: string, chain: readonly X509Certificate[]): void {
  if (chain.length > CHAIN_CERTIFICATES_MAX) {
    throw new CertificateFault(
      `${path} holds ${chain.length} certificates, and a chain may have ${CHAIN_CERTIFICATES_MAX}: ` +
        'leave those that signed it, one after the other, and no others',
    );
  }
  for (const [index, certificate] of chain.entries()) {
    if (index === 0 || chain.slice(0, index).some((one) => hasSigned(certificate, one))) continue;
    throw new CertificateFault(
      `${path}: certificate ${index + 1} (${subjectText(certificate)}) did not sign any that stands before it: ` +
        "the order is the server's own certificate, then the one that signed it, and so on",
    );
  }
}

function hasSigned(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false; // A kind of key that cannot sign so.
  }
}

/** Throws CertificateFault for a signature that clients do not believe; OpenSSL leaves that to them. */
export function checkHashes(path: string, chain: readonly X509Certificate[]): void {
  for (const one of withoutRoots(chain)) {
    const { signatureAlgorithm = '' } = one;
    if (!/sha1|md5/i.test(signatureAlgorithm) || one.checkIssued(one)) continue;
    throw new CertificateFault(
      `${path}: ${subjectText(one)} is signed by ${signatureAlgorithm}, which clients do not accept: ` +
        'have it issued anew with SHA-256',
    );
  }
}

/** Clients do not look at the signature and the end of a root, wherever it stands but at the start. */
function withoutRoots(chain: readonly X509Certificate[]): X509Certificate[] {
  return chain.filter((one, index) => index === 0 || !one.checkIssued(one));
}

/** Returns what people call a certificate. */
export function subjectText(certificate: X509Certificate): string {
  const [first] = alternativeNames(certificate.subjectAltName);
  return first?.value ?? (certificate.subject ?? '').replaceAll('\n', ', ');
}

export interface HostNames {
  /** DNS names in normal form, which a client can ask for by SNI. */
  readonly dns: readonly string[];
  /** Of addresses and services, which no client asks for by name. */
  readonly others: readonly string[];
}

// One label may be a wildcard, the leftmost and whole (RFC 9525 §6.3).
const DNS_NAME = /^(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;
const DNS_NAME_CHARS_MAX = 253;

/** Returns the hosts that a certificate is for. Its common name counts for none, as in browsers. */
export function hostNames({ subjectAltName }: X509Certificate): HostNames {
  const all = alternativeNames(subjectAltName);
  const dns = all
    .filter(({ kind }) => kind === 'DNS')
    .map(({ value }) => value.toLowerCase().replace(/\.$/, ''))
    .filter((name) => name.length <= DNS_NAME_CHARS_MAX && DNS_NAME.test(name));
  const others = all
    .filter(({ kind }) => kind === 'IP Address' || kind === 'URI')
    .map(({ value }) => value);
  return { dns: [...new Set(dns)], others };
}

export interface Validity {
  readonly beginsAtMs: number;
  readonly endsAtMs: number;
}

/** Returns when a chain is good: when all of it is, but for roots. */
export function validityOf(chain: readonly X509Certificate[]): Validity {
  const judged = withoutRoots(chain);
  return {
    beginsAtMs: Math.max(...judged.map(({ validFromDate }) => validFromDate.getTime())),
    endsAtMs: Math.min(...judged.map(({ validToDate }) => validToDate.getTime())),
  };
}
