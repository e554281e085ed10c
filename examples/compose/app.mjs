// A tiny app that says its release. SIGTERM ends it once what runs has ended.

import { createServer } from 'node:http';

const { RELEASE = 'v0', PORT = '3000' } = process.env;
const server = createServer((request, response) => {
  response.setHeader('content-type', 'text/plain');
  response.end(request.url === '/healthz' ? 'ok\n' : `hello from ${RELEASE}\n`);
}).listen(Number(PORT));
process.once('SIGTERM', () => server.close());
