// One request on a TLS connection of its own, which says how the handshake went.

import { once } from 'node:events';
import { connect } from 'node:tls';
import type { Door } from './tls-scene.ts';

export interface Visit {
  readonly isReused: boolean;
  /** Of the certificate, which a session that goes on does not show. */
  readonly fingerprint: string;
  readonly color: string;
  /** What the server gave to come back with. */
  readonly session: Buffer | undefined;
}

/** Asks on a connection of its own; rejects unless all of it goes well to its clean end. */
export async function visit(door: Door, session?: Buffer): Promise<Visit> {
  const socket = connect({ ...door, ...(session === undefined ? {} : { session }) });
  try {
    let given: Buffer | undefined;
    socket.on('session', (ticket) => (given = ticket));
    await once(socket, 'secureConnect');
    const fingerprint = socket.getPeerCertificate().fingerprint256;
    const isReused = socket.isSessionReused();
    let text = '';
    socket.on('data', (bytes) => (text += String(bytes)));
    socket.write(`GET / HTTP/1.1\r\nhost: ${door.servername}\r\nconnection: close\r\n\r\n`);
    await once(socket, 'end');
    const [head = '', color = ''] = text.split('\r\n\r\n', 2);
    if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(`got ${text.slice(0, 80)}`);
    return { isReused, fingerprint, color, session: given };
  } finally {
    socket.destroy();
  }
}
