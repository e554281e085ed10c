// A 101 that comes before the target has the whole request. Which of the bytes that follow are content
// and which the new protocol, target and client could read differently (RFC 9110 §7.8 lets a client
// switch after its whole message only). So there is no tunnel: the client gets 502.

import t from 'tap';
import { doing, responseOf, withBench, OK } from '../support/fault-bench.ts';
import { statusOf } from '../support/message.ts';
import { failureCounts } from '../support/shared-counters.ts';

const SWITCHING = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
const EXEC = 'POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n';

/** Ends of the request that are still to come when the target switches. */
const MISSING: Readonly<Record<string, readonly [head: string, sent: string, missing: string]>> = {
  'the last byte': ['Content-Length: 2', '{', '}'],
  'the last chunk': ['Transfer-Encoding: chunked', '2\r\n{}\r\n', '0\r\n\r\n'],
  'the whole body, which waits for 100': ['Content-Length: 2\r\nExpect: 100-continue', '', '{}'],
};

for (const [name, [head, sent, missing]] of Object.entries(MISSING)) {
  await t.test(`a 101 before ${name} has come makes no tunnel`, async (t) => {
    let afterSwitch = '';
    const script = doing(async (connection) => {
      await connection.until('request', () =>
        connection.text.endsWith(`\r\n\r\n${sent}`) ? true : undefined,
      );
      const from = connection.text.length;
      connection.send(`${SWITCHING}from the target`);
      await connection.ended();
      afterSwitch = connection.text.slice(from);
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      const client = await bench.connect();
      client.send(`${EXEC}${head}\r\n\r\n${sent}`);
      const response = await responseOf(client, { from: 0, method: 'POST' });
      t.equal(statusOf(response.start), 502);
      client.send(`${missing}raw`);
      t.equal(await client.ended(), 'end', 'nothing else is read on this connection');
      t.notMatch(client.text, 'from the target');
      t.strictSame(failureCounts(bench.plane), { UPSTREAM_BAD_RESPONSE: 1 });
    });
    t.equal(afterSwitch, '', 'nothing more reaches the target');
  });
}

await t.test('a 101 after the last byte of the body makes one', async (t) => {
  const script = doing(async (connection) => {
    const request = await connection.nextRequest();
    connection.send(request?.body === '{}' ? SWITCHING : OK);
    await connection.until('raw', () => (connection.text.endsWith('raw') ? true : undefined));
    connection.send('cooked');
    connection.end();
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const client = await bench.connect();
    await client.sendCut(`${EXEC}Content-Length: 2\r\n\r\n{}`, [EXEC.length + 21]);
    await client.until('101', () => (client.text.endsWith('\r\n\r\n') ? true : undefined));
    client.send('raw');
    await client.until('cooked', () => (client.text.endsWith('cooked') ? true : undefined));
    t.match(client.text, /^HTTP\/1\.1 101 /);
    client.end();
    t.equal(await client.ended(), 'end');
  });
});
