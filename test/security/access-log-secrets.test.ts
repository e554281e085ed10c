// The access log of a real Turnout, with every request in it: no cookie, no credential, no query,
// no body, whatever way the request takes.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { startTurnout } from '../e2e/turnout-process.ts';
import { connectRaw } from '../support/raw-peer.ts';

const SECRET = 's3cr3t';

await t.test('no secret of a request or a response is logged', async (t) => {
  const target = createServer((request, response) => {
    request.resume();
    response.setHeader('set-cookie', `session=${SECRET}`);
    response.setHeader('x-token', SECRET);
    if (request.url?.startsWith('/drop') === true) request.socket.destroy();
    else response.end(SECRET);
  });
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  t.teardown(() => target.close());
  const { port } = target.address() as AddressInfo;
  const running = await startTurnout(
    t,
    ['--blue', `http://127.0.0.1:${port}`, '--green', `http://127.0.0.1:${port}`],
    { TURNOUT_ACCESS_LOG: 'all' },
  );
  const proxyPort = Number(running.proxy.split(':').at(-1));
  const fields = [
    'Host: shop.test',
    `Cookie: session=${SECRET}`,
    `Authorization: Bearer ${SECRET}`,
    `Proxy-Authorization: Basic ${SECRET}`,
    `X-Api-Key: ${SECRET}`,
    `Referer: http://a/?token=${SECRET}`,
  ].join('\r\n');
  const requests = [
    `GET /one?token=${SECRET} HTTP/1.1\r\n${fields}\r\n\r\n`,
    `POST /two HTTP/1.1\r\n${fields}\r\nContent-Length: ${SECRET.length}\r\n\r\n${SECRET}`,
    `GET http://shop.test/three?token=${SECRET} HTTP/1.1\r\n${fields}\r\n\r\n`,
    `GET /drop?token=${SECRET} HTTP/1.1\r\n${fields}\r\n\r\n`,
    `GET /bad?token=${SECRET} HTTP/1.1\r\n${fields}\r\nA B: ${SECRET}\r\n\r\n`,
    `GET /host?token=${SECRET} HTTP/1.1\r\nHost: ${SECRET}@a\r\n\r\n`,
    `${SECRET} /method HTTP/1.1\r\nHost: a\r\n\r\n`,
    `POST /chunk HTTP/1.1\r\n${fields}\r\nTransfer-Encoding: chunked\r\n\r\n${SECRET}\r\n`,
  ];
  for (const request of requests) {
    const client = await connectRaw(proxyPort);
    client.send(request);
    await client.until('answer', () => (client.text.includes('\r\n\r\n') ? true : undefined));
    client.socket.destroy();
  }
  const accessLines = (): string[] =>
    running.lines.filter((line) => line.includes('"kind":"access"'));
  const isLast = (line: string): boolean =>
    line.includes('"kind":"access"') && accessLines().length >= requests.length;
  running.process.kill('SIGTERM');
  await Promise.race([running.line(isLast), running.ended]);
  await running.ended;
  t.equal(accessLines().length, requests.length, 'one line for each request');
  t.strictSame(
    running.lines.filter((line) => line.includes(SECRET)),
    [],
    'no line holds the secret',
  );
  const paths = accessLines().map((line) => (JSON.parse(line) as { readonly path?: string }).path);
  t.ok(paths.includes('/one'), 'the path is there, without its query');
});
