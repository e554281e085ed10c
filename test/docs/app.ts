// An environment for the documents' commands: says its release on every path, on all addresses.
// Usage: node app.ts RELEASE PORT

import { createServer } from 'node:http';

const [release = '', port = ''] = process.argv.slice(2);
createServer((request, response) => {
  request.resume();
  response.end(`${release}\n`);
}).listen(Number(port), '::');
