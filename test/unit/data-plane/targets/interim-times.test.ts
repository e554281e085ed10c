// Informational responses and time: they are bounded by their rate, and a wait for 100 is the time of
// the target, not of the client.

import t from 'tap';
import { INFORMATIONAL_MAX, INFORMATIONAL_MS } from '../../../../src/base/limits.ts';
import { GET, OK, doing, withBench } from '../../../support/fault-bench.ts';
import { failureCounts } from '../../../support/shared-counters.ts';

const PROCESSING = 'HTTP/1.1 102 Processing\r\n\r\n';

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

await t.test('a target may say for as long as it works that it does', async (t) => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const script = doing(async (connection) => {
    await connection.nextRequest();
    connection.send(PROCESSING.repeat(INFORMATIONAL_MAX));
    await gates[0]!.promise;
    connection.send(PROCESSING.repeat(INFORMATIONAL_MAX));
    await gates[1]!.promise;
    connection.send(OK);
    await connection.ended();
    connection.end();
  });
  await withBench(t, { script, patch: {} }, async (bench) => {
    const client = await bench.connect();
    client.send(GET);
    for (const [index, gate] of gates.entries()) {
      const wanted = (index + 1) * INFORMATIONAL_MAX;
      await client.until(
        `${wanted} responses`,
        () => count(client.text, PROCESSING) === wanted || undefined,
      );
      bench.passTime(INFORMATIONAL_MS);
      gate.resolve();
    }
    await client.until('the final response', () => client.text.endsWith(OK) || undefined);
    t.strictSame(failureCounts(bench.plane), {});
  });
});

const EXPECTING = 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n';
const patch = {
  client: { bodyIdleTimeoutMs: 1_000 },
  upstream: { headTimeoutMs: 10_000 },
};

await t.test('a client that waits for 100 is not slow', async (t) => {
  const asked = Promise.withResolvers<void>();
  const mayGoOn = Promise.withResolvers<void>();
  const script = doing(async (connection) => {
    await connection.nextHead();
    asked.resolve();
    await mayGoOn.promise;
    connection.send('HTTP/1.1 100 Continue\r\n\r\n');
    await connection.nextRequest();
    connection.send(OK);
    await connection.ended();
    connection.end();
  });
  await withBench(t, { script, patch }, async (bench) => {
    const client = await bench.connect();
    client.send(EXPECTING);
    await asked.promise;
    bench.passTime(5_000);
    mayGoOn.resolve();
    await client.until('100', () => client.text.includes(' 100 ') || undefined);
    client.send('hello');
    await client.until('the final response', () => client.text.endsWith(OK) || undefined);
    t.strictSame(failureCounts(bench.plane), {});
  });
});

for (const [name, sends, saysContinue, status, code] of [
  ['a target that never says 100 is to blame', '', false, 504, 'UPSTREAM_TIMEOUT'],
  ['after 100 it is the client that is slow', '', true, 408, 'REQUEST_TIMEOUT'],
  ['a client that does not wait for 100 is slow by itself', 'he', false, 408, 'REQUEST_TIMEOUT'],
] as const) {
  await t.test(name, async (t) => {
    const asked = Promise.withResolvers<void>();
    const script = doing(async (connection) => {
      await connection.nextHead();
      if (saysContinue) connection.send('HTTP/1.1 100 Continue\r\n\r\n');
      if (sends !== '')
        await connection.until('body', () => connection.text.endsWith(sends) || undefined);
      asked.resolve();
      await connection.ended();
      connection.end();
    });
    await withBench(t, { script, patch }, async (bench) => {
      const client = await bench.connect();
      client.send(EXPECTING + sends);
      await asked.promise;
      if (saysContinue) await client.until('100', () => client.text.includes(' 100 ') || undefined);
      if (status === 408) bench.passTime(1_000);
      else bench.passTime(10_000);
      await client.until('the response', () => client.text.includes(` ${status} `) || undefined);
      t.strictSame(failureCounts(bench.plane), { [code]: 1 });
    });
  });
}
