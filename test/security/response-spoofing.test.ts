// What a target may claim in a response: nothing that makes it two, and nothing in the name of the proxy.
// And what a refusal tells a client: nothing about the inside.

import { createServer } from 'node:net';
import { once } from 'node:events';
import t from 'tap';
import { openTestPlane } from '../support/plane.ts';
import { valuesOf } from '../support/message.ts';
import { withBench, GET, doing } from '../support/fault-bench.ts';
import { becomes } from '../support/shared-counters.ts';

/** Answers that try to be two, or to speak for the proxy. */
const SPLITS: Readonly<Record<string, string>> = {
  'a bare CR in a value':
    'HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n',
  'a bare LF in a value':
    'HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n',
  'a bare CR in the reason': 'HTTP/1.1 200 OK\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n',
  'a field without a colon': 'HTTP/1.1 200 OK\r\nevil\r\nContent-Length: 0\r\n\r\n',
  'a sign before the length': 'HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nevil',
  'a list of lengths that differ': 'HTTP/1.1 200 OK\r\nContent-Length: 4, 5\r\n\r\nevil',
};

for (const [what, answer] of Object.entries(SPLITS)) {
  await t.test(`a response with ${what} is refused whole`, async (t) => {
    const script = doing(async (connection) => {
      await connection.nextRequest();
      connection.send(answer);
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      const response = await bench.ask(GET);
      t.match(response.start, /^HTTP\/1\.1 502 /);
      t.notMatch(`${response.fields.join('\n')}${response.body}`, /evil/);
    });
  });
}

/** Responses with one reading that some clients would read otherwise: they are sent on in order. */
const STRAIGHTENED: Readonly<
  Record<string, readonly [answer: string, fields: string[], body: string]>
> = {
  'a folded value': [
    'HTTP/1.1 200 OK\r\nA: b\r\n\tSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n',
    ['A: b Set-Cookie: evil=1', 'Content-Length: 0'],
    '',
  ],
  'a blank before the colon': [
    'HTTP/1.1 200 OK\r\nevil : 1\r\nContent-Length: 0\r\n\r\n',
    ['evil: 1', 'Content-Length: 0'],
    '',
  ],
  'a list of lengths': [
    'HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\ngood',
    ['Content-Length: 4'],
    'good',
  ],
};

for (const [what, [answer, fields, body]] of Object.entries(STRAIGHTENED)) {
  await t.test(`a response with ${what} has one reading for each client`, async (t) => {
    const script = doing(async (connection) => {
      await connection.nextRequest();
      connection.send(answer);
    });
    await withBench(t, { script, patch: {} }, async (bench) => {
      const response = await bench.ask(GET);
      t.match(response.start, /^HTTP\/1\.1 200 /);
      const ours = /^(x-request-id|via|set-cookie: turnout|cache-control)/i;
      t.strictSame(
        response.fields.filter((line) => !ours.test(line)),
        fields,
      );
      t.equal(response.body, body);
    });
  });
}

await t.test('a target cannot speak for the proxy in its responses', async (t) => {
  const script = doing(async (connection) => {
    await connection.nextRequest();
    connection.send(
      'HTTP/1.1 103 Early\r\nX-Turnout-Color: evil\r\n\r\n' +
        'HTTP/1.1 200 OK\r\nX-Turnout-Failure: evil\r\nX-Turnout-Color: evil\r\nContent-Length: 2\r\n\r\nok',
    );
  });
  for (const exposeColor of [false, true]) {
    await withBench(t, { script, patch: { exposeColor } }, async (bench) => {
      const client = await bench.connect();
      client.send(GET);
      await client.until('answer', () => (client.text.endsWith('ok') ? true : undefined));
      t.notMatch(client.text, /evil/);
      t.equal(/x-turnout-color: blue/.test(client.text), exposeColor);
    });
  }
});

await t.test('a refusal says nothing about the inside of the network', async (t) => {
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const address = closed.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  closed.close();
  await once(closed, 'close');
  const plane = await openTestPlane({ blue: [port], green: [] }, { forwarding: { via: 'edge' } });
  t.teardown(() => plane.stop());
  const { connectRaw } = await import('../support/raw-peer.ts');
  for (const request of [GET, 'GET / HTTP/1.1\r\n\r\n', 'BREW / HTTP/1.1\r\nHost: a\r\n\r\n']) {
    const client = await connectRaw(plane.port);
    client.send(request);
    await client.until('answer', () => (/\r\n\r\n.+\n$/s.test(client.text) ? true : undefined));
    t.notMatch(client.text, new RegExp(String(port)), 'no port of a target');
    t.notMatch(client.text, /127\.0\.0\.1|localhost|ECONN|node|at .*\.ts/i);
    t.strictSame(valuesOf(client.text.split('\r\n').slice(1), 'server'), []);
    client.socket.destroy();
  }
  await becomes(() => plane.plane.tally.connectionsOpen === 0);
});
