// Whether an address is free, asked before workers share it.

import { once } from 'node:events';
import { createServer } from 'node:net';
import type { ListenAddress } from '../../contract/worker-settings.ts';
import { listenFault } from './listen-fault.ts';
import { codeOf, messageOf, StartError } from '../base/problems.ts';
import { claimSocketFile } from './socket-claim.ts';

/**
 * Fails when a process listens on the address already. The workers share their port with
 * `reusePort`, and so would a second Turnout of the same user: half of the traffic would
 * go astray without a word. Binding once without it tells. The file of a Unix socket that was left
 * behind goes.
 */
export async function claimAddress(listen: ListenAddress): Promise<void> {
  try {
    if (listen.kind === 'unix') await claimSocketFile(listen.path);
    else if (listen.port !== 0) await claimPort(listen.host, listen.port);
  } catch (error) {
    const fault = { code: codeOf(error), message: messageOf(error) };
    throw new StartError(listenFault(listen, fault), { cause: error });
  }
}

async function claimPort(host: string, port: number): Promise<void> {
  const server = createServer();
  server.listen({ host, port, exclusive: true });
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}
