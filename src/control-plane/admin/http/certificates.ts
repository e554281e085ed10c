// The certificates of the admin API: its own and the authorities of its clients, read from files
// and read again when those change; and who a client is by his.

import { readFileSync } from 'node:fs';
import { createSecureContext, TLSSocket, type SecureContextOptions } from 'node:tls';
import type { Socket } from 'node:net';
import type { AdminTls } from '../../../config/config.ts';
import { CERTIFICATES_POLL_MS } from '../../base/control-limits.ts';
import type { Log } from '../../base/log.ts';
import { messageOf, StartError } from '../../base/problems.ts';
import type { ClientCertificate } from '../calls/authorization.ts';

export interface TlsServerOptions extends SecureContextOptions {
  readonly requestCert: boolean;
  /** Who has no good one is told so in an answer, and in the audit log. */
  readonly rejectUnauthorized: false;
}

/** Returns the options of a server; throws StartError when a file is no such thing. */
export function tlsOptions(tls: AdminTls): TlsServerOptions {
  return { ...read(tls), requestCert: tls.clientCa !== undefined, rejectUnauthorized: false };
}

/** Looks at the files of `tls` from time to time and gives a server the new ones. */
export function followCertificates(
  tls: AdminTls,
  server: { setSecureContext(options: SecureContextOptions): void },
  log: Log,
): { stop(): void } {
  let last = JSON.stringify(read(tls));
  const timer = setInterval(() => {
    try {
      const files = read(tls);
      const text = JSON.stringify(files);
      if (text === last) return;
      last = text;
      server.setSecureContext(files);
      log.info({ cert: tls.cert }, 'the certificates of the admin API were read again');
    } catch (error) {
      log.warn({ err: error }, 'the certificates of the admin API stay: the new ones are not good');
    }
  }, CERTIFICATES_POLL_MS).unref();
  return { stop: () => clearInterval(timer) };
}

function read({ cert, key, clientCa }: AdminTls): SecureContextOptions {
  const files = {
    cert: readPem('admin.tls.cert', cert),
    key: readPem('admin.tls.key', key),
    minVersion: 'TLSv1.2',
    ...(clientCa === undefined ? {} : { ca: readPem('admin.tls.clientCa', clientCa) }),
  } as const;
  try {
    createSecureContext(files);
  } catch (error) {
    throw new StartError(
      `admin.tls: ${cert} and ${key} are no certificate with its key: ${messageOf(error)}`,
      { cause: error },
    );
  }
  return files;
}

function readPem(name: string, path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    throw new StartError(`${name}: ${messageOf(error)}`, { cause: error });
  }
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
 * quote stand in it as JSON, so that nobody can make one name look like two (CVE-2021-44532).
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
