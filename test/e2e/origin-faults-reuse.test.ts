// A target that closes its idle connections just as they are taken for the next request. A request
// that may be repeated is, and succeeds; one that may not is never executed twice.

import t from 'tap';
import { OK, responseOf, withBench, holdsNoSocket, doing } from '../support/fault-bench.ts';
import { statusOf, valuesOf } from '../support/message.ts';
import type { OriginScript } from '../support/origin.ts';
import { failureCounts, retryCount } from '../support/shared-counters.ts';

const ROUNDS = 400;

/** Executions by the id in the target. */
type Executed = Map<string, number>;

/**
 * Answers, and closes the idle connection a little later: right away, in the next turn of the
 * loop, or when it sees the first byte of the next request, which it then does not execute.
 */
function closingOrigin(executed: Executed): OriginScript {
  let connections = 0;
  return async (connection) => {
    const mode = connections++ % 5;
    const request = await connection.nextRequest();
    if (request === undefined) return;
    const id = request.start.split(' ')[1] ?? '';
    executed.set(id, (executed.get(id) ?? 0) + 1);
    const { socket } = connection;
    if (mode === 0) socket.write(OK, () => connection.end());
    else if (mode === 1) socket.write(OK, () => connection.reset());
    else if (mode === 2) socket.write(OK, () => setImmediate(() => connection.end()));
    else {
      connection.send(OK);
      const at = connection.takenTo;
      await connection.watch(() => (connection.text.length > at ? true : undefined));
      if (mode === 3) connection.end();
      else connection.reset();
    }
  };
}

for (const method of ['GET', 'PUT', 'POST'] as const) {
  const body = method === 'GET' ? '' : 'Content-Length: 0\r\n';
  await t.test(`${ROUNDS} ${method} requests race with closing connections`, async (t) => {
    const executed: Executed = new Map();
    await withBench(t, { script: closingOrigin(executed), patch: {} }, async (bench) => {
      const client = await bench.connect();
      const statuses: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const from = client.text.length;
        client.send(`${method} /${round} HTTP/1.1\r\nHost: a\r\n${body}\r\n`);
        const response = await responseOf(client, { from, method });
        t.strictSame(valuesOf(response.fields, 'connection'), [], 'the client connection stays');
        statuses.push(statusOf(response.start));
      }
      const failed = statuses.filter((status) => status !== 200).length;
      if (method === 'POST') {
        t.ok(failed > 0, `${failed} of ${ROUNDS} could not be repeated`);
        t.strictSame(failureCounts(bench.plane), { UPSTREAM_CLOSED: failed });
        t.equal(retryCount(bench.plane), 0);
      } else {
        t.equal(failed, 0, 'all of them succeed');
        t.ok(retryCount(bench.plane) > 0, `${retryCount(bench.plane)} were sent again`);
      }
      const most = Math.max(...executed.values());
      t.equal(most, 1, 'no request is executed twice');
    });
  });
}

await t.test(
  'a connection opened ahead that went stale is repeated like a reused one',
  async (t) => {
    let connections = 0;
    const script = doing(async (connection) => {
      connections++;
      if (connections === 1) {
        await connection.watch(() => (connection.text === '' ? undefined : true));
        connection.end();
        return;
      }
      await connection.nextRequest();
      connection.send(OK);
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      await bench.plane.switchTo('blue');
      t.equal(connections, 1, 'opened while the table was prepared');
      t.equal((await bench.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).body, 'ok');
      t.equal(retryCount(bench.plane), 1);
    });
  },
);

await t.test('a body byte that has left is never sent to a second connection', async (t) => {
  let connections = 0;
  let bodies = 0;
  const script = doing(async (connection) => {
    connections++;
    const request = await connection.nextRequest();
    if (request === undefined) return;
    bodies += request.body === '' ? 0 : 1;
    connection.send(OK);
    const at = connection.takenTo;
    await connection.watch(() => (connection.text.endsWith('body') ? true : undefined));
    bodies += connection.text.slice(at).endsWith('body') ? 1 : 0;
    connection.reset();
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send('GET /warm HTTP/1.1\r\nHost: a\r\n\r\n');
    const { end } = await responseOf(client, { from: 0, method: 'GET' });
    client.send('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody');
    const response = await responseOf(client, { from: end, method: 'PUT' });
    t.equal(statusOf(response.start), 502, 'idempotent, but its body was consumed');
    t.equal(bodies, 1);
    t.equal(connections, 1);
  });
});

await t.test('after all of this the process holds no socket', holdsNoSocket);
