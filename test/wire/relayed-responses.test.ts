// Whatever a target sends: what we relay of it is a response in the eyes of Node's strict llhttp, which
// reads the same as our own strict reader; and what was cut is no whole response to either.

import * as fc from 'fast-check';
import t from 'tap';
import { REPLY } from '../support/arbitrary-message.ts';
import { nodeResponse } from '../support/llhttp.ts';
import { doing, withBench } from '../support/fault-bench.ts';
import { ownResponse } from '../support/own-reader.ts';
import { connectRaw } from '../support/raw-peer.ts';

const RUNS = Number(process.env['TURNOUT_RUNS'] ?? 600);
const METHOD = fc.constantFrom('GET', 'GET', 'GET', 'HEAD');

/** Responses that peers of ours relay, as they come from a target. */
const ODD = fc.constantFrom(
  'HTTP/1.1 200 OK\nContent-Length: 2\n\nhi',
  'HTTP/1.2 200 OK\r\nContent-Length: 0002\r\n\r\nhi',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi',
  'HTTP/1.1 200 OK\r\nSet-Cookie: a=\x01b\r\nContent-Length : 2\r\n\r\nhi',
  'HTTP/1.1 200 OK\r\nX: a\r\n  b\r\nConnection: keep-alive; timeout=5\r\nContent-Length: 2\r\n\r\nhi',
  'HTTP/1.1 200 OK\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n2 ; a = b\r\nhi\r\n0  \r\nExpires: 0\r\nX-Sum: 1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nConnection: content-length\r\nTransfer-Encoding: chunked,\r\n\r\n2;\r\nhi\r\n0\r\n\r\n',
);

await t.test('what is relayed of any response has one reading', async (t) => {
  let next = '';
  const script = doing(async (connection) => {
    if ((await connection.nextRequest()) !== undefined) connection.send(next);
    connection.end();
  });
  let relayedCount = 0;
  await withBench(t, { script, patch: {} }, async ({ plane }) => {
    const relayed = async (method: string): Promise<{ text: string; isClean: boolean }> => {
      const client = await connectRaw(plane.port);
      client.send(`${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      const ending = await client.ended();
      client.socket.destroy();
      return { text: client.text, isClean: ending === 'end' };
    };
    const replies = fc.oneof({ weight: 5, arbitrary: REPLY }, ODD);
    const property = fc.asyncProperty(replies, METHOD, async (reply, method) => {
      next = reply;
      const { text, isClean } = await relayed(method);
      const node = await nodeResponse(text, method);
      const own = ownResponse(text, method);
      if (own === 'fault' || node === undefined) throw new Error(`unreadable: ${show(text)}`);
      if (own === 'incomplete') {
        if (node.isComplete) throw new Error(`cut, and whole to llhttp: ${show(text)}`);
        return;
      }
      if (!isClean) return;
      if (!/^x-turnout-failure:/im.test(text)) relayedCount++;
      const { status, fields, body, trailers } = own;
      const ours = { status, fields, body, trailers, isComplete: true };
      const theirs = {
        status: node.status,
        fields: node.fields,
        body: node.body,
        trailers: node.trailers,
        isComplete: node.isComplete,
      };
      if (show(ours) !== show(theirs)) throw new Error(`${show(ours)} is ${show(theirs)}`);
    });
    await fc.assert(property, { numRuns: RUNS });
  });
  t.ok(relayedCount > RUNS / 6, `${relayedCount} of ${RUNS} responses were relayed`);
});

function show(value: unknown): string {
  return JSON.stringify(value);
}
