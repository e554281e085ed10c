// A proxy with an admin API that makes the mistakes which tests of switches must see.

import { once } from 'node:events';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import type { Color } from '../../src/contract/table.ts';

/**
 * `late`: answers the call, and some requests later sends traffic to the new color.
 * `cutting`: cuts what runs when it switches. `none`: does it right.
 */
export type Flaw = 'late' | 'cutting' | 'none';

/** Requests that a late switch still sends to the old color. */
const LATE_BY_REQUESTS = 3;

export interface FlawedProxy {
  readonly port: number;
  /** `host:port`. */
  readonly admin: string;
}

/** Opens a proxy in front of two ports of this machine; it closes with the test. */
export async function openFlawedProxy(
  t: Test,
  flaw: Flaw,
  ports: Readonly<Record<Color, number>>,
): Promise<FlawedProxy> {
  const agent = new Agent({ keepAlive: true });
  let color: Color = 'blue';
  let next: Color = 'blue';
  let lateBy = 0;
  const proxy = createServer((incoming, outgoing) => {
    if (lateBy > 0 && --lateBy === 0) color = next;
    const { method, url: path, headers } = incoming;
    const onward = request({ port: ports[color], host: '127.0.0.1', agent, method, path, headers });
    onward.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  const admin = createServer((incoming, outgoing) => {
    let body = '';
    incoming.setEncoding('utf8').on('data', (part: string) => (body += part));
    incoming.on('end', () => {
      next = (JSON.parse(body) as { readonly to: Color }).to;
      if (flaw === 'late') lateBy = LATE_BY_REQUESTS;
      else color = next;
      if (flaw === 'cutting') proxy.closeAllConnections();
      outgoing.end();
    });
  });
  t.teardown(() => {
    agent.destroy();
    for (const server of [proxy, admin]) {
      server.close();
      server.closeAllConnections();
    }
  });
  return { port: await portOf(proxy), admin: `127.0.0.1:${await portOf(admin)}` };
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
