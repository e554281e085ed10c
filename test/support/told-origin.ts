// A target that expects a PROXY header, in the clear, at the beginning of each connection, and answers
// every request with what that header has said. It may speak TLS behind it, or listen on a Unix socket.

import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import type { Test } from 'tap';
import type { ConnectionEnds } from '../../src/base/proxy-greeting.ts';
import { INCOMPLETE, readProxyHeader } from '../../src/data-plane/doorstep/proxy-header.ts';

export interface ToldOrigin {
  readonly port: number;
  /** What each connection has said, in the order in which they came; `none`: no header. */
  readonly headers: readonly string[];
  /** Connections that are open. */
  readonly open: ReadonlySet<Socket>;
}

export interface ToldOptions {
  /** PEM: TLS is spoken behind the header. */
  readonly certificate?: { readonly cert: string; readonly key: string };
  /** Of a Unix socket. */
  readonly path?: string;
  /** Also takes connections that have no header. */
  readonly isLenient?: boolean;
  /** Answers instead; `said`: as the header of its connection. */
  readonly answer?: (said: string, ...args: Parameters<RequestListener>) => void;
}

/** Returns `ends` in one text: `203.0.113.7 5000 > 192.0.2.1 443`. */
export function endsText(ends: ConnectionEnds | undefined): string {
  if (ends === undefined) return 'no client';
  const { from, to } = ends;
  return `${from.address} ${from.port} > ${to.address} ${to.port}`;
}

export async function openToldOrigin(t: Test, options: ToldOptions = {}): Promise<ToldOrigin> {
  const { certificate, path, isLenient = false, answer } = options;
  const headers: string[] = [];
  const open = new Set<Socket>();
  /** By the port of the other side, which TLS lets through; a Unix socket has one connection at a time. */
  const said = new Map<number | undefined, string>();
  const listener: RequestListener = (request, response) => {
    const text = said.get(request.socket.remotePort) ?? 'none';
    if (answer === undefined) response.end(text);
    else answer(text, request, response);
  };
  const http =
    certificate === undefined
      ? createHttpServer(listener)
      : createHttpsServer(certificate, listener);
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => {});
    let bytes = Buffer.alloc(0);
    const read = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const header = readProxyHeader(bytes);
      if (header === INCOMPLETE) return;
      const isMissing = 'problem' in header;
      if (isMissing && !isLenient) {
        socket.destroy();
        return;
      }
      socket.off('data', read);
      socket.pause();
      const text = isMissing ? 'none' : endsText(header.ends);
      headers.push(text);
      said.set(socket.remotePort, text);
      const rest = isMissing ? bytes : bytes.subarray(header.length);
      if (rest.length > 0) socket.unshift(rest);
      http.emit('connection', socket);
      // TLS takes what stands in the socket by itself.
      if (certificate === undefined) socket.resume();
    };
    socket.on('data', read);
  });
  server.listen(path ?? { port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const port = path === undefined ? (server.address() as AddressInfo).port : 0;
  return { port, headers, open };
}
