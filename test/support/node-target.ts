// A target on Node's own HTTP server, behind a plane: it records how it reads what it is sent, and
// answers with the URL it has read, so that responses and readings can be compared one by one.

import { createServer, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { openTestPlane, type SettingsPatch, type TestPlane } from './plane.ts';
import { connectRaw, type RawPeer } from './raw-peer.ts';
import { comesToRest } from './shared-counters.ts';

export interface Reading {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

export interface NodeTarget {
  readonly plane: TestPlane;
  /** Requests that came whole, in the order in which they ended. */
  readonly readings: Reading[];
  connect(): Promise<RawPeer>;
}

/** Text that the response to `url` ends with. */
export function responseTo(url: string): string {
  return `<${url}>`;
}

export async function withNodeTarget(
  t: Test,
  patch: SettingsPatch,
  body: (target: NodeTarget) => Promise<void>,
): Promise<void> {
  const readings: Reading[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('latin1');
    request.on('error', () => undefined);
    request.on('data', (part: string) => (text += part));
    request.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = request;
      readings.push({ method, url, headers, rawHeaders, body: text });
      response.end(responseTo(url));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const plane = await openTestPlane({ blue: [port], green: [] }, patch);
  const clients: RawPeer[] = [];
  try {
    await body({
      plane,
      readings,
      async connect() {
        const client = await connectRaw(plane.port);
        clients.push(client);
        return client;
      },
    });
    for (const client of clients) client.socket.destroy();
    await comesToRest(t, plane);
  } finally {
    for (const client of clients) client.socket.destroy();
    await plane.stop();
    server.closeAllConnections();
    server.close();
  }
}
