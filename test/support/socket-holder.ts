// Stands in for systemd: opens sockets, never accepts from them, and starts a program with them as
// sd_listen_fds(3) says, again each time it ends.
//
// `argv`: number of starts, names of the sockets separated by colons, the program and its arguments.
// Sockets of one name share one address; `name@path` is a Unix socket. Says the ports as one JSON line.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { listenerFd } from '../../src/base/listener-fd.ts';

const [starts, names = '', ...command] = process.argv.slice(2);
const ports: Record<string, number> = {};
const fds: number[] = [];
for (const entry of names.split(':')) {
  const [name = '', path] = entry.split('@');
  const server = createServer();
  if (path === undefined) {
    server.listen({ host: '127.0.0.1', port: ports[name] ?? 0, reusePort: true });
  } else server.listen({ path });
  await once(server, 'listening');
  if (path === undefined) ports[name] = (server.address() as AddressInfo).port;
  fds.push(listenerFd(server)!);
}
process.stdout.write(`${JSON.stringify(ports)}\n`);

// From here on this thread never gets to accept anything.
for (let count = 0; count < Number(starts); count++) {
  spawnSync('sh', ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', ...command], {
    stdio: ['ignore', 'inherit', 'inherit', ...fds],
    env: {
      ...process.env,
      LISTEN_FDS: String(fds.length),
      LISTEN_FDNAMES: names.replaceAll(/@[^:]*/g, ''),
    },
  });
}
process.exit();
