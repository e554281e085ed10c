// What a probe learns of TLS beside whether the handshake came about: until when the target's certificate
// is good, whether the target lets us in after all, and whether one that is asked in plain HTTP speaks TLS.

import { once } from 'node:events';
import tls from 'node:tls';
import { tlsFaultOf } from '../../base/target-certificates.ts';
import { PROBE_ADMISSION_MS } from '../base/control-limits.ts';

/** When a certificate is good, in ms since the epoch. */
export interface SeenCertificate {
  readonly beginsAtMs: number;
  readonly endsAtMs: number;
}

/** The handshake of one question. */
export class SeenHandshake {
  /** It has ended for us, and the certificate is accepted. */
  isDone = false;
  certificate: SeenCertificate | undefined = undefined;

  watch(socket: tls.TLSSocket): void {
    socket.once('secureConnect', () => {
      this.isDone = true;
      const shown = socket.getPeerX509Certificate();
      if (shown === undefined) return;
      const { validFromDate, validToDate } = shown;
      this.certificate = { beginsAtMs: validFromDate.getTime(), endsAtMs: validToDate.getTime() };
    });
  }
}

export const SPEAKS_TLS = 'it speaks TLS: name it with https://';

const MAY_WANT =
  'it may want a certificate of Turnout, or another one (upstreamTls.cert); its log may say why';
const NOT_LET_IN = `it closed the connection right behind the handshake of TLS: ${MAY_WANT}`;

/** Returns what is told of a target that hung up without an answer; `isDone`: the handshake was. */
export function hangUpReason(isDone: boolean): string {
  return isDone ? NOT_LET_IN : `it closed the connection during the handshake of TLS: ${MAY_WANT}`;
}

/**
 * Resolves with why a target does not let us in once `socket` is connected; empty: it does. In TLS 1.3 it
 * looks at our certificate when the handshake has ended for us. What it sends then, such as a session, says
 * that it was content; most send one. Where nothing comes, that is no refusal either.
 */
export async function refusalBehind(socket: tls.TLSSocket): Promise<string> {
  if (socket.getProtocol() !== 'TLSv1.3') return '';
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.once('session', () => resolve(''));
  socket.once('data', () => resolve(''));
  socket.once('error', (error) => resolve(tlsFaultOf(error)?.reason ?? NOT_LET_IN));
  socket.once('close', () => resolve(NOT_LET_IN));
  socket.setTimeout(PROBE_ADMISSION_MS, () => resolve(''));
  return promise;
}

/** Resolves with whether what listens there speaks TLS: it is greeted, and told nothing. */
export async function speaksTls(
  where: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<boolean> {
  const socket = tls.connect({ ...where, ALPNProtocols: ['http/1.1'] });
  socket.on('error', () => {}); // Heard by the wait below; later ones mean nothing.
  try {
    await once(socket, 'secureConnect', { signal });
    return true;
  } catch (error) {
    // Its certificate is not looked at here, and need not be one that we accept.
    return tlsFaultOf(error)?.isSpoken === true;
  } finally {
    socket.destroy();
  }
}
