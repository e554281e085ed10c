// Which certificates are presented for which name. For one name there may be several with different
// kinds of keys: each client gets one that it can verify. Pure.

import type { Certificate } from './certificates.ts';

/** For one name: one for each kind of key, the first of all is the most wanted. */
type Presented = readonly [Certificate, ...Certificate[]];

export interface PresentedCertificates {
  /** For clients that name no host. */
  readonly fallback: Presented;
  /** By host name; `*.` stands for one label. */
  readonly byName: ReadonlyMap<string, Presented>;
}

/** Returns what a listener with these certificates presents; undefined: it has none. */
export function presentedOf(
  certificates: readonly Certificate[],
): PresentedCertificates | undefined {
  const [first] = certificates;
  if (first === undefined) return undefined;
  const byName = new Map<string, Presented>();
  for (const certificate of certificates) {
    for (const name of certificate.names) {
      const known = byName.get(name);
      if (known === undefined) byName.set(name, [certificate]);
      else if (standsBeside(known, certificate)) byName.set(name, [...known, certificate]);
    }
  }
  return { fallback: byName.get(first.names[0] ?? '') ?? [first], byName };
}

/**
 * Where two have the same kind of key, the one that stands first is presented. What an operator has in
 * a file is not mixed with what ACME brings, and never with what stands in for that.
 */
function standsBeside(known: Presented, { keyKind, source }: Certificate): boolean {
  return known.every((one) => one.source === source && one.keyKind !== keyKind);
}

/** How names of signature algorithms begin (`tls.TLSSocket.getSharedSigalgs`) that a kind of key can make. */
const SIGNATURES: ReadonlyMap<string, readonly string[]> = new Map([
  ['ec', ['ECDSA']],
  ['rsa', ['RSA-PSS', 'RSA']],
  ['rsa-pss', ['RSA-PSS']],
  ['ed25519', ['Ed25519']],
  ['ed448', ['Ed448']],
]);

/** Returns the first kind of key that can sign by one of `algorithms`, the most wanted first. */
export function kindFor(
  kinds: readonly string[],
  algorithms: readonly string[],
): string | undefined {
  for (const algorithm of algorithms) {
    const [family = ''] = algorithm.split('+');
    const kind = kinds.find((one) => SIGNATURES.get(one)?.includes(family));
    if (kind !== undefined) return kind;
  }
  return undefined;
}
