// The certificates of the admin API: its own and the authorities of its clients, read from files
// and read again when those change. Does not know which client has which.

import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { AdminTls } from '../../../config/config.ts';
import { CERTIFICATES_POLL_MS } from '../../base/control-limits.ts';
import type { Log } from '../../base/log.ts';
import { messageOf, StartError } from '../../base/problems.ts';

export interface TlsServerOptions extends SecureContextOptions {
  readonly requestCert: boolean;
  /** A client without a good certificate is told so in an answer, and the audit log has it. */
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
