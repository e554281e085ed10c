// The certificates that a client has shown in its handshake, its own first, then those of authorities
// in between. Knows nothing of what may come in.
//
// They are read before Node does: to see whether there is one, Node 24 takes all others out of the
// connection and never frees them (nodejs/node#65579), so that each handshake would leave kilobytes behind
// for ever. What Node does not document is the event `secure` and the handle that it asks.

import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, Server, TLSSocket } from 'node:tls';

/** More than that are not looked at. */
const CHAIN_MAX = 5;

const chains = new WeakMap<TLSSocket, readonly X509Certificate[]>();

/** Reads them in all handshakes of `server`, which asks for certificates. */
export function readChains(server: Server): void {
  // The one event that tells of a handshake that is under way, whatever the client sends.
  server.on('keylog', (_line, socket) => {
    if (chains.has(socket)) return;
    chains.set(socket, []);
    socket.prependOnceListener('secure', () => readChain(socket));
  });
}

/** Returns what the client of `socket` has shown, each signed by the next; empty: nothing. */
export function chainOf(socket: TLSSocket): readonly X509Certificate[] {
  return chains.get(socket) ?? [];
}

function readChain(socket: TLSSocket): void {
  const shown = socket.getPeerCertificate(true);
  // An empty object where there is none, unlike what Node declares.
  const own = (shown as Partial<DetailedPeerCertificate>).raw;
  const handle = (socket as unknown as { _handle?: Asked })._handle;
  if (own !== undefined) chains.set(socket, linked(shown));
  if (handle) sayOnce(handle, own !== undefined);
}

/** Node's side of a TLS socket. */
interface Asked {
  getPeerX509Certificate?: () => unknown;
}

/** Answers in place of Node the question whether there is a certificate. */
function sayOnce(handle: Asked, isShown: boolean): void {
  handle.getPeerX509Certificate = () => {
    delete handle.getPeerX509Certificate;
    return isShown;
  };
}

/**
 * Node goes by names alone: a client may send an authority that has the name of ours and another key.
 * So each one is compared with the key of the next.
 */
function linked(shown: DetailedPeerCertificate): readonly X509Certificate[] {
  let last = new X509Certificate(shown.raw);
  const chain = [last];
  let next: DetailedPeerCertificate | undefined = shown.issuerCertificate;
  while (next !== undefined && chain.length < CHAIN_MAX) {
    const issuer = new X509Certificate(next.raw);
    // What is signed by itself is its own issuer.
    if (issuer.raw.equals(last.raw) || !isSignedBy(last, issuer)) break;
    chain.push(issuer);
    last = issuer;
    next = next.issuerCertificate;
  }
  return chain;
}

function isSignedBy(one: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return one.checkIssued(issuer) && one.verify(issuer.publicKey);
  } catch {
    // A key of a kind that OpenSSL does not know.
    return false;
  }
}
