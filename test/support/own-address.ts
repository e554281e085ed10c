// Addresses of loopback that no other process uses, for a test that has to know a port before it is
// opened, opens one again after it was closed, or needs one port for two protocols. On 127.0.0.1 any
// process of the machine may be given that port in between.

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** Returns an address of 127.0.0.0/8 (RFC 1122 §3.2.1.3), one of 16 million. */
export function ownAddress(): string {
  return `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`;
}

/** Resolves with a port of an own address at which nothing listens. */
export async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
