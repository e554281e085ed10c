// A shop in a process of its own, so that its memory is. Started by shop-app.ts, which tells it
// over IPC when to open and when to close its door.

import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { shopServer } from './shop-server.ts';

const server = shopServer();
/** Path of a Unix socket; empty: a free port of loopback. */
const path = process.argv[2] ?? '';

async function open(): Promise<void> {
  if (path === '') server.listen({ port: 0, host: '127.0.0.1', backlog: 1_024 });
  else server.listen({ path, backlog: 1_024 });
  await once(server, 'listening');
  const address = server.address();
  process.send!(
    typeof address === 'string' ? `unix:${address}` : `http://127.0.0.1:${address!.port}`,
  );
}

async function close(): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
  process.send!('closed');
}

process.on('message', (order) => {
  void (order === 'open' ? open() : close());
});
process.on('disconnect', () => process.exit());
// Left behind by a process that was killed.
if (path !== '') rmSync(path, { force: true });
await open();
