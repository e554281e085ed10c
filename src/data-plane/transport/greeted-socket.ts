// A connection from which something was read before it came to a protocol: a PROXY header, or the
// handshake of TLS. Knows neither of them.

import type net from 'node:net';
import type { Accepted } from './accepted-socket.ts';

/** A connection that has come in, and is ready for its protocol. */
export type Incoming = Accepted | GreetedSocket;

export class GreetedSocket {
  /** What is read and written; of TLS its plain side. */
  readonly socket: net.Socket;
  /** Of TLS: the TCP or Unix socket under it. */
  readonly below: net.Socket | undefined;

  /** What was read too early stands in `socket` again (`unshift`); it is paused. */
  constructor(socket: net.Socket, below: net.Socket | undefined) {
    this.socket = socket;
    this.below = below;
  }

  /** Closes a connection that no protocol has taken. */
  close(): void {
    (this.below ?? this.socket).destroy();
  }
}
