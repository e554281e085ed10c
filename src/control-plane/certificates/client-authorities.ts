// Judges a file of the authorities whose clients are let in.

import {
  certificatesIn,
  noCertificateText,
  subjectText,
  type Validity,
} from './certificate-chain.ts';
import { CertificateFault } from './certificate-fault.ts';
import type { NamedPem } from './checked-pair.ts';
import { AUTHORITIES_MAX } from '../base/control-limits.ts';

export interface CheckedAuthorities extends Validity {
  /** PEM of all of them. */
  readonly text: string;
  /** The first one. */
  readonly name: string;
}

/** Throws CertificateFault. */
export function checkAuthorities({ path, blocks }: NamedPem): CheckedAuthorities {
  const all = certificatesIn(path, blocks);
  const [first] = all;
  if (first === undefined) throw new CertificateFault(`${path} ${noCertificateText(blocks)}`);
  if (all.length > AUTHORITIES_MAX) {
    throw new CertificateFault(
      `${path} holds ${all.length} certificates, and ${AUTHORITIES_MAX} authorities can be used: ` +
        'leave those that your clients have theirs from',
    );
  }
  if (blocks.some(({ label }) => label === 'X509 CRL')) {
    throw new CertificateFault(
      `${path} holds a list of revoked certificates, which is not looked at: remove it, ` +
        'so that nothing looks revoked that is let in',
    );
  }
  return {
    text: all.map((one) => one.toString()).join(''),
    name: subjectText(first),
    // As long as one of them is good, clients get in.
    beginsAtMs: Math.min(...all.map(({ validFromDate }) => validFromDate.getTime())),
    endsAtMs: Math.max(...all.map(({ validToDate }) => validToDate.getTime())),
  };
}
