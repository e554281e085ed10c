// Connections of the control plane to targets: for health checks, gates and warm-ups. Each begins as those
// of users do, with a PROXY header where the target gets one, and with TLS where it has that. The header
// says that the connection is for no client. Knows no HTTP.

import { connect, type Socket } from 'node:net';
import tls from 'node:tls';
import { proxyHeader } from '../../base/proxy-greeting.ts';
import type { LiveEndpoint } from '../../contract/table.ts';
import { secureOptions, type TargetTls } from '../../contract/target-tls.ts';

/** Opens a connection to a target. */
export type ConnectTarget = (endpoint: LiveEndpoint) => TargetConnection;

export interface TargetConnection {
  /** Connects. What is written meanwhile waits; `error` tells what went wrong. */
  readonly socket: Socket;
  /** The same where it speaks TLS; it is open by the event `secureConnect`, any other by `connect`. */
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
    if (terms === undefined) return { socket: below, secured: undefined };
    below.on('error', () => {}); // The socket above it tells the same.
    const options = secureOptions({ ...terms, session: undefined });
    const secured = tls.connect({ ...options, socket: below });
    return { socket: secured, secured };
  };
}
