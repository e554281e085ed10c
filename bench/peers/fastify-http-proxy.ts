// @fastify/http-proxy as its readme shows it; undici keeps the connections to the origin.
//
// node bench/peers/fastify-http-proxy.ts LISTEN_PORT ORIGIN_PORT

import proxy from '@fastify/http-proxy';
import fastify from 'fastify';

const [listenPort, originPort] = process.argv.slice(2).map(Number);

const server = fastify({ logger: false, keepAliveTimeout: 0, bodyLimit: 1024 ** 3 });
await server.register(proxy, {
  upstream: `http://127.0.0.1:${originPort}`,
  undici: { connections: 128, pipelining: 1 },
  replyOptions: {
    rewriteRequestHeaders: (request, headers) => ({
      ...headers,
      host: request.headers.host,
      'x-forwarded-for': request.socket.remoteAddress ?? '',
      'x-forwarded-proto': 'http',
    }),
  },
});
await server.listen({ port: listenPort ?? 0, host: '127.0.0.1', backlog: 4096 });
// An orderly end, so that a profiler gets to write what it saw.
process.once('SIGTERM', () => process.exit(0));
