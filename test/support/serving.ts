// A server of a test on a free port, with the WebSockets that came in there, if any: it closes with the
// test, or before it.

import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import type { WebSocketServer } from 'ws';

/** Has `server` listen, at a Unix socket where a path is named; `close` stops that and cuts what is open, once. */
export async function serve(
  t: Test,
  server: Server,
  sockets?: WebSocketServer,
  path?: string,
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const place = path === undefined ? { port: 0, host: '127.0.0.1' } : { path };
  server.listen({ ...place, backlog: 4_096 });
  await once(server, 'listening');
  const port = path === undefined ? (server.address() as AddressInfo).port : 0;
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    for (const socket of sockets?.clients ?? []) socket.terminate();
    await closed;
  };
  t.teardown(close);
  return { port, close };
}
