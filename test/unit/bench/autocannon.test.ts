// The load of the benches by autocannon: which of the requests that failed it counts.
// Knows nothing of speed.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import type { LoopOrder, LoopResult } from '../../../bench/load/load.ts';
import { bodyOf } from '../../../bench/scenarios.ts';

const SCRIPT = join(import.meta.dirname, '../../../bench/load/autocannon.ts');
const REQUEST = 'GET /small HTTP/1.1\r\nHost: bench.example\r\nX-Own: 1\r\n\r\n';
const REQUESTS = 20;
const CONNECTIONS = 2;
const BODY = bodyOf(8).toString();
const GOOD = `HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n${BODY}`;

type Answer = (socket: Socket, index: number, request: string) => void;

/** Sends REQUESTS requests to a server that answers with `answer`; returns what was said. */
async function load(
  test: Test,
  answer: Answer,
  order: Partial<LoopOrder> = {},
): Promise<LoopResult> {
  let index = 0;
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => answer(socket, index++, bytes.toString('latin1')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  test.teardown(() => server.close());
  const address = server.address();
  const requestFile = join(test.testdir(), 'request');
  writeFileSync(requestFile, REQUEST);
  const whole: LoopOrder = {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    requestFile,
    connections: CONNECTIONS,
    isKeptAlive: true,
    seconds: 0,
    requestsMax: REQUESTS,
    answerBodyBytes: 8,
    tls: undefined,
    ...order,
  };
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, JSON.stringify(whole)]);
  return JSON.parse(stdout.slice('RESULT '.length)) as LoopResult;
}

await t.test('every good answer counts, and the request is the one of the file', async (t) => {
  const requests = new Set<string>();
  const said = await load(t, (socket, _index, request) => {
    requests.add(request);
    socket.write(GOOD);
  });
  t.match(said, { requests: REQUESTS, errors: 0 });
  t.strictSame([...requests], [REQUEST]);
});

await t.test('a connection that is closed without an answer is an error', async (t) => {
  const said = await load(t, (socket, index) => {
    if (index % 5 === 4) socket.end();
    else socket.write(GOOD);
  });
  t.match(said, { requests: 16, errors: 4, failures: { 'closed without an answer': 4 } });
});

await t.test('a connection that is reset is an error, and only one', async (t) => {
  const said = await load(t, (socket, index) => {
    if (index % 5 === 4) socket.resetAndDestroy();
    else socket.write(GOOD);
  });
  t.match(said, { requests: 16, errors: 4, failures: { 'connection failed': 4 } });
});

await t.test('a status other than 200 is an error', async (t) => {
  const said = await load(t, (socket, index) =>
    socket.write(index % 5 === 4 ? GOOD.replace('200 OK', '503 Busy') : GOOD),
  );
  t.match(said, { requests: 16, failures: { 'status other than 200': 4 } });
});

await t.test('a body that is not the expected one is an error', async (t) => {
  const said = await load(t, (socket, index) =>
    socket.write(index % 5 === 4 ? GOOD.replace(BODY, 'The slow') : GOOD),
  );
  t.match(said, { errors: 4, failures: { 'wrong body': 4 } });
});

await t.test('with a new connection for each request every answer counts', async (t) => {
  const connections = new Set<Socket>();
  const said = await load(
    t,
    (socket) => {
      connections.add(socket);
      socket.write(GOOD);
    },
    { isKeptAlive: false },
  );
  t.match(said, { requests: REQUESTS, errors: 0 });
  t.equal(connections.size, REQUESTS);
});
