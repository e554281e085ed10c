// Which names a client of the admin API has by its TLS certificate. What those names may do is
// decided in authorization.ts.

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
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

/**
 * Returns the DNS, URI and e-mail names of a text such as `DNS:a, URI:b`. Values with a comma or a
 * quote stand in it as JSON, so that one name cannot look like two (CVE-2021-44532).
 */
export function namesIn(subjectAltName: string | undefined): string[] {
  const names: string[] = [];
  const item = /\s*([^:,]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:,|$)/y;
  for (let found = item.exec(subjectAltName ?? ''); found !== null;) {
    const [, kind = '', value = ''] = found;
    if (kind === 'DNS' || kind === 'URI' || kind === 'email') {
      names.push(value.startsWith('"') ? String(JSON.parse(value)) : value);
    }
    found = item.exec(subjectAltName ?? '');
  }
  return names;
}
