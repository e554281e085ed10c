// Connections of the control plane to targets: for health checks, gates and warm-ups. Each begins as those
// of users do, with a PROXY header where the target gets one, and with TLS where it has that. The header
// says that the connection is for no client.

import type { RequestOptions } from 'node:http';
import { connect, type Socket } from 'node:net';
import tls from 'node:tls';
import { proxyHeader } from '../../base/proxy-greeting.ts';
import type { LiveEndpoint } from '../../contract/table.ts';
import { secureOptions, type TargetTls } from '../../contract/target-tls.ts';

/** Opens a connection to a target. */
export type ConnectTarget = (endpoint: LiveEndpoint) => TargetConnection;

export interface TargetConnection {
  /** Connects. It is to be written to once it is open; `error` tells what went wrong. */
  readonly socket: Socket;
  /** The header is the first that is written to it; below TLS, that is not the caller's business. */
  readonly beginsWithHeader: boolean;
  /** The same socket where it speaks TLS. */
  readonly secured: tls.TLSSocket | undefined;
}

/**
 * Returns what opens connections. TLS goes by the terms of `targetTls`, with a whole handshake each time: a
 * session that goes on says nothing of the certificate.
 */
export function targetConnector(targetTls: Pick<TargetTls, 'of'>): ConnectTarget {
  return (endpoint) => {
    const { address, sendProxy } = endpoint;
    const where =
      address.kind === 'tcp' ? { host: address.host, port: address.port } : { path: address.path };
    const below = connect(where);
    if (sendProxy !== undefined) {
      const greeting = { version: sendProxy, ends: undefined };
      below.once('connect', () => below.write(proxyHeader(greeting, below)));
    }
    const terms = targetTls.of(endpoint);
    if (terms === undefined)
      return { socket: below, secured: undefined, beginsWithHeader: sendProxy !== undefined };
    below.on('error', () => {}); // The socket above it tells the same.
    const options = secureOptions({ ...terms, session: undefined });
    const secured = tls.connect({ ...options, socket: below });
    return { socket: secured, secured, beginsWithHeader: false };
  };
}

/**
 * Returns the option of a request of node:http by which it uses `connection`. Behind a header it gets the
 * socket once that is open: what it wrote before would overtake the header. The caller destroys the socket
 * in the end, and when its time is up.
 */
export function usedBy({ socket, beginsWithHeader }: TargetConnection): RequestOptions {
  return {
    createConnection: (_options, created) => {
      if (!beginsWithHeader) return socket;
      socket.once('connect', () => created(null, socket));
      socket.once('error', (error) => created(error, socket));
      socket.once('close', () => created(new Error('the connection has closed'), socket));
      return undefined;
    },
  };
}

/** Returns the event by which a connection says that it is open. */
export function openEventOf(secured: tls.TLSSocket | undefined): 'connect' | 'secureConnect' {
  return secured === undefined ? 'connect' : 'secureConnect';
}
