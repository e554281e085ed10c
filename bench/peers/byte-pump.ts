// The floor for anything on node:net: copies bytes both ways and understands none.
// One origin connection for each client connection.
//
// node bench/peers/byte-pump.ts LISTEN_PORT ORIGIN_PORT

import { connect, createServer, type Socket } from 'node:net';

const [listenPort, originPort] = process.argv.slice(2).map(Number);

const server = createServer({ noDelay: true }, (client) => {
  const origin = connect({ port: originPort ?? 0, host: '127.0.0.1', noDelay: true });
  pump(client, origin);
  pump(origin, client);
});
server.listen({ port: listenPort, host: '127.0.0.1', backlog: 4096 });
// An orderly end, so that a profiler gets to write what it saw.
process.once('SIGTERM', () => process.exit(0));

function pump(from: Socket, to: Socket): void {
  from.on('data', (bytes) => {
    if (!to.write(bytes)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
}
