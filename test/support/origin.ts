// A target that does exactly what a script says, down to the byte: the script gets each
// connection and decides what to read, send, cut or leave hanging.

import { createServer, type AddressInfo, type Server } from 'node:net';
import { TLSSocket } from 'node:tls';
import { readRequest, type Message } from './message.ts';
import { RawPeer } from './raw-peer.ts';

export class OriginConnection extends RawPeer {
  #at = 0;

  /** Position in `text` behind the last request that was taken. */
  get takenTo(): number {
    return this.#at;
  }

  /** Resolves with the head of the next request, which is not taken yet; undefined at the end. */
  async nextHead(): Promise<Message | undefined> {
    const found = await this.#look(() => readRequest(this.text, this.#at));
    return found === 'ended' ? undefined : found;
  }

  /** Resolves with the next whole request and takes it; undefined when the connection ends first. */
  async nextRequest(): Promise<Message | undefined> {
    const found = await this.#look(() => {
      const request = readRequest(this.text, this.#at);
      return request?.isComplete === true ? request : undefined;
    });
    if (found === 'ended') return undefined;
    this.#at = found.end;
    return found;
  }

  #look(look: () => Message | undefined): Promise<Message | 'ended'> {
    return this.watch(() => look() ?? (this.ending === undefined ? undefined : 'ended'));
  }
}

export type OriginScript = (connection: OriginConnection) => void | Promise<void>;

export interface Origin {
  readonly port: number;
  /** Connections that are open now, oldest first. */
  readonly connections: ReadonlySet<OriginConnection>;
  /** Closes the open connections cleanly; resolves when the other side has let go of them too. */
  dropConnections(): Promise<void>;
  /** Stops listening and cuts what is open. */
  close(): Promise<void>;
}

/** What an origin over TLS presents, as PEM. */
export interface OriginCertificate {
  readonly cert: string;
  readonly key: string;
}

/**
 * Starts an origin on a free port; `script` runs once per connection. With `certificate` it speaks TLS.
 */
export async function openOrigin(
  script: OriginScript,
  certificate?: OriginCertificate,
): Promise<Origin> {
  const connections = new Set<OriginConnection>();
  const server = createServer({ allowHalfOpen: true }, (below) => {
    const connection =
      certificate === undefined
        ? new OriginConnection(below)
        : new OriginConnection(new TLSSocket(below, { ...certificate, isServer: true }), below);
    const { socket } = connection;
    connections.add(connection);
    socket.once('close', () => connections.delete(connection));
    // A script that fails cuts its connection, so the test that waits for a response sees it.
    Promise.resolve(script(connection)).catch(() => connection.reset());
  });
  await listening(server);
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    async dropConnections() {
      await Promise.all([...connections].map((connection) => closed(connection)));
    },
    async close() {
      const done = new Promise((resolve) => {
        server.close(resolve);
      });
      for (const connection of connections) connection.reset();
      await done;
    },
  };
}

/** Answers every request with `response`, for as long as the connection lives. */
export function answering(response: string): OriginScript {
  return async (connection) => {
    while ((await connection.nextRequest()) !== undefined) connection.send(response);
    connection.end();
  };
}

function closed(connection: OriginConnection): Promise<void> {
  return new Promise((resolve) => {
    connection.socket.once('close', () => {
      resolve();
    });
    connection.end();
    if (connection.socket.destroyed) resolve();
  });
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
}
