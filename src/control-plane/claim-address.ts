// Whether an address is free, asked before workers share it.

import { once } from 'node:events';
import { createServer } from 'node:net';
import type { ListenAddress } from '../contract/settings.ts';
import { listenFault } from './listen-fault.ts';
import { codeOf, messageOf, StartError } from './problems.ts';
import { removeStaleSocket } from './stale-socket.ts';

/**
 * Fails when somebody listens on the address already. The workers share their port with
 * `reusePort`, and so would a second Turnout of the same user: half of the traffic would
 * go astray without a word. Binding once without it tells. The file of a Unix socket tells by
 * itself, unless it was left behind: then it goes.
 */
export async function claimAddress(listen: ListenAddress): Promise<void> {
  if (listen.kind === 'unix') {
    await removeStaleSocket(listen.path);
    return;
  }
  if (listen.port === 0) return;
  const server = createServer();
  try {
    server.listen({ host: listen.host, port: listen.port, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    const fault = { code: codeOf(error), message: messageOf(error) };
    throw new StartError(listenFault(listen, fault), { cause: error });
  }
  server.close();
  await once(server, 'close');
}
