// Checked settings of where clients come in → the listeners of the workers, and where the certificates of
// those with TLS come from.

import { keyOfListener, type Listener, type TlsPolicy } from '../../../contract/worker-settings.ts';
import type { Values } from '../schema/schema.ts';

/** Where the certificates of one listener with TLS come from. */
export interface TlsSource {
  /** `keyOfListener` of it. */
  readonly listener: string;
  readonly certificates: readonly CertificateFiles[];
  /** It presents those that are obtained by ACME, too. */
  readonly usesAcme: boolean;
  /** PEM of the authorities of clients; undefined: none is asked for a certificate. */
  readonly clientCa: string | undefined;
}

/** Paths of PEM files. */
interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** What is obtained from an ACME authority, and how. */
export interface AcmeConfig {
  /** At least one. */
  readonly domains: readonly string[];
  readonly email: string | undefined;
  /** URL of the directory. */
  readonly ca: string;
  readonly challenge: 'tls-alpn-01' | 'http-01';
  /** Authorities that may have signed the certificate of the directory. */
  readonly caFile: string | undefined;
  /** The account that the operator has at the authority (RFC 8555 §7.3.4); undefined: none is needed. */
  readonly externalAccount: { readonly keyId: string; readonly hmacKeyFile: string } | undefined;
}

type Entry = Values['listen'][number];

/** Port of https where no listener of ours says another one. */
const HTTPS_PORT = 443;

/** Returns all listeners of the workers: those of `listen` in their order, then that for previews. */
export function listenersOf(values: Values): Listener[] {
  const listeners = values.listen.map((entry): Listener => {
    const { address, proxyProtocol, redirect } = entry;
    const proxyFrom = proxyProtocol?.from ?? [];
    if (redirect !== false) {
      const redirectPort = redirect === true ? httpsPort(values) : redirect;
      return { address, use: 'redirect', redirectPort, tls: undefined, proxyFrom };
    }
    const tls = sourceOf(values, entry) && policyOf(entry.tls);
    return { address, use: 'traffic', redirectPort: 0, tls, proxyFrom };
  });
  const { listen: address } = values.preview;
  if (address === undefined) return listeners;
  const preview = { address, redirectPort: 0, tls: undefined, proxyFrom: [] };
  return [...listeners, { ...preview, use: 'preview' }];
}

/** Returns where the certificates come from, for each listener with TLS. */
export function tlsSources(values: Values): TlsSource[] {
  return values.listen.flatMap((entry) => sourceOf(values, entry) ?? []);
}

export function acmeOf({ acme }: Values): AcmeConfig | undefined {
  if (acme.domains.length === 0) return undefined;
  const { eab, ...rest } = acme;
  const { keyId, hmacKeyFile } = eab;
  const isBound = keyId !== undefined && hmacKeyFile !== undefined;
  return { ...rest, externalAccount: isBound ? { keyId, hmacKeyFile } : undefined };
}

/** Undefined: it has no TLS. */
function sourceOf(values: Values, entry: Entry): TlsSource | undefined {
  if (entry.redirect !== false) return undefined;
  const { cert, key } = values.tls;
  // What is said beside `listen` is for the one listener that has traffic.
  const isOnlyOne = values.listen.filter(({ redirect }) => redirect === false).length === 1;
  const own = entry.tls?.certificates ?? [];
  const isNamed = isOnlyOne && cert !== undefined && key !== undefined;
  const certificates = isNamed ? [...own, { cert, key }] : own;
  const usesAcme = entry.tls?.acme === true || (isOnlyOne && values.acme.domains.length > 0);
  if (certificates.length === 0 && !usesAcme) return undefined;
  const listener = keyOfListener({ address: entry.address, use: 'traffic' });
  return { listener, certificates, usesAcme, clientCa: entry.tls?.clientCa };
}

function policyOf(tls: Entry['tls']): TlsPolicy {
  return {
    minVersion: tls?.minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    unknownNames: tls?.unknownNames ?? 'default',
    clients: tls?.clients ?? 'none',
  };
}

/** Returns the port of the first listener with TLS; 0: the system chooses it. */
function httpsPort(values: Values): number {
  for (const entry of values.listen) {
    const { address } = entry;
    if (address.kind === 'tcp' && sourceOf(values, entry)) return address.port;
  }
  return HTTPS_PORT;
}
