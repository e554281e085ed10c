// The certificates of the admin API: its own and the authorities of its clients, read from files and
// followed. Does not know which client has which.

import type { SecureContextOptions } from 'node:tls';
import { epochMs } from '../../../base/clock.ts';
import type { AdminTls } from '../../../config/config.ts';
import {
  CertificateFaults,
  CertificateFiles,
  type FileReport,
} from '../../certificates/certificate-files.ts';
import type { Log } from '../../base/log.ts';
import { NamedFilesError } from '../../base/problems.ts';

interface TlsServerOptions extends SecureContextOptions {
  readonly requestCert: boolean;
  /** A client without a good certificate is told so in an answer, and the audit log has it. */
  readonly rejectUnauthorized: false;
}

interface FollowingServer {
  setSecureContext(options: SecureContextOptions): void;
}

export interface AdminCertificates {
  /** For a server that is made now. */
  options(): TlsServerOptions;
  /** Gives `server` what is new from now on. */
  follow(server: FollowingServer): void;
  report(): FileReport[];
  stop(): void;
}

/** Reads the files of `tls`; throws NamedFilesError when one cannot be used. */
export async function openCertificates(tls: AdminTls, log: Log): Promise<AdminCertificates> {
  const { clientCa } = tls;
  const servers: FollowingServer[] = [];
  const onChange = async (): Promise<void> => {
    for (const server of servers) server.setSecureContext(context());
  };
  // Its clients are programs, which go by the common name, too.
  const files = new CertificateFiles({ log, nowMs: epochMs, mayLackHosts: true, onChange });
  const authorities = clientCa === undefined ? [] : [clientCa];
  const read = await files.read({ pairs: [tls], authorities }, { isStrict: false }).catch(refuse);
  const [pair] = read.pairs.values();
  const [clients] = read.authorities.values();
  // It is set whole: what is left out would be the default again.
  const context = (): SecureContextOptions => ({
    cert: pair!.current.certificate.chain,
    key: pair!.current.certificate.key,
    minVersion: 'TLSv1.2',
    ...(clients === undefined ? {} : { ca: clients.current.text }),
  });
  files.use(read);
  files.start();
  return {
    options: () => ({
      ...context(),
      requestCert: clients !== undefined,
      rejectUnauthorized: false,
    }),
    follow: (server) => servers.push(server),
    report: () => files.report(),
    stop: () => files.stop(),
  };
}

function refuse(error: unknown): never {
  if (!(error instanceof CertificateFaults)) throw error;
  throw new NamedFilesError('admin.tls', error.problems, error);
}
