// A certificate as it came from an authority, or from the state directory: read, and checked before it
// may be presented. What an authority sends is not believed because it was asked for.

import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { messageOf } from '../base/problems.ts';
import type { Life } from './renewal-times.ts';

export interface IssuedCertificate extends Life {
  readonly domain: string;
  /** PEM, its own first. */
  readonly chain: string;
  readonly key: string;
  /** From 0 to 1, out of the certificate itself: a restart draws no other one. */
  readonly chance: number;
}

/** Three are usual. */
const CHAIN_MAX = 10;
const CHAIN_CHARS_MAX = 65_536;
const ONE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads a certificate for `domain`. Throws an error with one line that says what is wrong with it. */
export function readIssued(domain: string, chain: string, key: string): IssuedCertificate {
  if (chain.length > CHAIN_CHARS_MAX) throw new Error('the chain of certificates is too long');
  const parts = chain.match(ONE) ?? [];
  if (parts.length !== chain.split('-----BEGIN CERTIFICATE-----').length - 1) {
    throw new Error('the chain of certificates is cut off or damaged');
  }
  if (parts.length > CHAIN_MAX) {
    throw new Error(`the chain has ${parts.length} certificates, more than ${CHAIN_MAX}`);
  }
  const [own] = parts.map(parse);
  if (own === undefined) throw new Error('there is no certificate in it');
  if (!fits(own, key)) throw new Error('the certificate is for another key');
  if (own.checkHost(domain) === undefined) {
    throw new Error(`the certificate is not for ${domain}`);
  }
  const notBeforeMs = own.validFromDate.getTime();
  const notAfterMs = own.validToDate.getTime();
  if (!(notAfterMs > notBeforeMs)) throw new Error('the certificate is never valid');
  const chance = createHash('sha256').update(own.raw).digest().readUInt32BE(0) / 0xff_ff_ff_ff;
  return { domain, chain: `${parts.join('\n')}\n`, key, notBeforeMs, notAfterMs, chance };
}

function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new Error(`a certificate of the chain cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function fits(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw new Error('its private key cannot be read', { cause: error });
  }
}
