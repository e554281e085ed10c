// Handshakes of a test with one door, and what became of them on both sides.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import type { Test } from 'tap';
import type { Certificate } from '../../../../src/contract/certificates.ts';
import type { TlsDoor } from '../../../../src/data-plane/doorstep/tls-door.ts';

interface Handshake {
  /** Code of the error that the client has seen. */
  readonly error: string | undefined;
  /** Name in the certificate that was presented. */
  readonly presented: string | undefined;
  readonly alpn: string | false | null;
  readonly protocol: string | null;
  readonly cipher: string | undefined;
  readonly isResumed: boolean;
  readonly ticket: Buffer | undefined;
  /** What `greet` has returned. */
  readonly text: string;
}

export interface AskDoor {
  (options?: tls.ConnectionOptions): Promise<Handshake>;
  readonly port: number;
}

/** Serves what `door` returns, each client with what `greet` makes of its socket. */
export async function serveDoor(
  t: Test,
  door: () => TlsDoor,
  greet: (socket: tls.TLSSocket) => string = () => '',
): Promise<AskDoor> {
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {});
    door().receive(socket, {
      secured: (secure) => {
        secure.on('error', () => {});
        secure.resume();
        secure.end(greet(secure));
      },
      failed: () => socket.destroy(),
    });
  });
  t.teardown(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ask = async (options: tls.ConnectionOptions = {}): Promise<Handshake> => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    let error: string | undefined;
    let text = '';
    let ticket: Buffer | undefined;
    let seen: Omit<Handshake, 'error' | 'text' | 'ticket'> = {
      presented: undefined,
      alpn: null,
      protocol: null,
      cipher: undefined,
      isResumed: false,
    };
    socket.on('error', ({ code }: NodeJS.ErrnoException) => (error ??= code));
    socket.on('session', (given) => (ticket = given));
    socket.on('data', (bytes) => (text += String(bytes)));
    socket.on('secureConnect', () => {
      seen = {
        presented: String(socket.getPeerCertificate().subject?.CN),
        alpn: socket.alpnProtocol,
        protocol: socket.getProtocol(),
        cipher: socket.getCipher().name,
        isResumed: socket.isSessionReused(),
      };
    });
    await new Promise((resolve) => socket.on('close', resolve));
    return { ...seen, error, text, ticket };
  };
  return Object.assign(ask, { port });
}

/** Makes a certificate for `names` that no one trusts; `id` is its common name. */
export function certificateFor(
  id: string,
  names: readonly string[],
  kind = 'ec',
  alternatives: readonly string[] = [],
): Certificate {
  const keys = kind === 'ec' ? ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'] : ['rsa:2048'];
  const made = ['req', '-x509', '-newkey', ...keys, '-nodes', '-days', '2', '-subj', `/CN=${id}`];
  const all = alternatives.length === 0 ? '' : `subjectAltName=${alternatives.join(',')}`;
  const more = all === '' ? [] : ['-addext', all];
  const text = execFileSync('openssl', [...made, ...more, '-keyout', '-', '-out', '-'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
  });
  const at = text.indexOf('-----BEGIN CERTIFICATE-----');
  const [key, chain] = [text.slice(0, at), text.slice(at)];
  return { id, names, chain, key, keyKind: kind, source: 'file' };
}
