// http-proxy-3 as its readme shows it, with keep-alive to the origin.
//
// node bench/peers/http-proxy-3.ts LISTEN_PORT ORIGIN_PORT

import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'http-proxy-3';

const [listenPort, originPort] = process.argv.slice(2).map(Number);

const proxy = createProxyServer({
  target: `http://127.0.0.1:${originPort}`,
  agent: new Agent({ keepAlive: true, maxFreeSockets: 1_024 }),
  xfwd: true,
});
proxy.on('error', (_error, _request, response) => {
  if (response !== undefined && 'writeHead' in response && !response.headersSent) {
    response.writeHead(502);
  }
  response?.end();
});

const server = createServer({ keepAliveTimeout: 0 }, (request, response) =>
  proxy.web(request, response),
);
server.listen({ port: listenPort, host: '127.0.0.1', backlog: 4096 });
// An orderly end, so that a profiler gets to write what it saw.
process.once('SIGTERM', () => process.exit(0));
