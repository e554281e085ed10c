// Which names a client of the admin API has by its TLS certificate. What those names may do is
// decided in authorization.ts.

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { alternativeNames } from '../../../base/alternative-names.ts';
import { messageOf } from '../../base/problems.ts';

export interface ClientCertificate {
  /** Why it is not believed; undefined: it is. */
  readonly fault: string | undefined;
  readonly names: readonly string[];
}

/** Returns the certificate that the peer has shown; undefined: none. */
export function clientCertificate(socket: Socket): ClientCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  // Typed as an error, but it is the code of one.
  const error: unknown = socket.authorizationError;
  const fault = socket.authorized ? undefined : messageOf(error);
  const { CN: common } = socket.getPeerCertificate().subject ?? {};
  const names = [common ?? [], namesIn(certificate.subjectAltName)].flat();
  return { fault, names };
}

/** Returns the DNS, URI and e-mail names of a text such as `DNS:a, URI:b`. */
export function namesIn(subjectAltName: string | undefined): string[] {
  return alternativeNames(subjectAltName)
    .filter(({ kind }) => NAMES_OF_CLIENTS.has(kind))
    .map(({ value }) => value);
}

const NAMES_OF_CLIENTS: ReadonlySet<string> = new Set(['DNS', 'URI', 'email']);
