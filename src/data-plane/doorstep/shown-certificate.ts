// The certificate that a client has shown in its handshake: whether it is good enough for its listener,
// and how targets are told of it (RFC 9440).

import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { TlsPolicy } from '../../contract/worker-settings.ts';
import type { WallClock } from '../base/wall-clock.ts';
import { chainOf } from './client-chain.ts';

/**
 * With all that are told beside it: the head of a request to a target grows by 4/3 of that. Usual ones
 * have 1 to 3 KiB.
 */
const CERTIFICATE_BYTES_MAX = 8_192;

/** Returns why the client of `socket` must not come in; undefined: it may. */
export function certificateProblem(
  socket: TLSSocket,
  clients: TlsPolicy['clients'],
  wall: Pick<WallClock, 'untilMs'>,
): string | undefined {
  if (clients === 'none') return undefined;
  const [shown] = chainOf(socket);
  if (shown === undefined) {
    return clients === 'required' ? 'this port needs a client certificate' : undefined;
  }
  if (!socket.authorized) {
    return `the client certificate is not accepted: ${reasonOf(socket.authorizationError)}`;
  }
  if (shown.raw.length > CERTIFICATE_BYTES_MAX) {
    return `the client certificate has more than ${CERTIFICATE_BYTES_MAX} bytes`;
  }
  // A session that is resumed was verified when it began, and may have gone on since.
  if (wall.untilMs(shown.validToDate.getTime()) <= 0) {
    return 'the client certificate is not accepted: CERT_HAS_EXPIRED';
  }
  return undefined;
}

/** Node declares an error, and sets its code. */
function reasonOf(error: unknown): string {
  if (typeof error === 'string') return error;
  return error instanceof Error ? error.message : 'unknown';
}

/**
 * Returns the lines that tell a target of the certificate of an accepted client, each with its line end;
 * empty where it has shown none. The chain leaves out what is trusted anyway (RFC 9440 §2.3).
 */
export function certificateFields(socket: TLSSocket): string {
  const [shown, ...issuers] = chainOf(socket);
  if (shown === undefined) return '';
  const chain: string[] = [];
  let bytes = shown.raw.length;
  for (const issuer of issuers) {
    bytes += issuer.raw.length;
    if (isRoot(issuer) || bytes > CERTIFICATE_BYTES_MAX) break;
    chain.push(byteSequence(issuer));
  }
  const lines = [`Client-Cert: ${byteSequence(shown)}`];
  if (chain.length > 0) lines.push(`Client-Cert-Chain: ${chain.join(', ')}`);
  return lines.map((line) => `${line}\r\n`).join('');
}

function isRoot(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate);
}

/** Byte Sequence of Structured Fields (RFC 9651 §3.3.5). */
function byteSequence({ raw }: X509Certificate): string {
  return `:${raw.toString('base64')}:`;
}
