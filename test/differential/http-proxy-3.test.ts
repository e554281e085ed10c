// The same requests through Turnout and through http-proxy-3 reach the same origin alike, except
// where a named reason in reasons.ts says otherwise.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createProxyServer } from 'http-proxy-3';
import t from 'tap';
import { readResponse, statusOf, type Message } from '../support/message.ts';
import { openOrigin, type Origin } from '../support/origin.ts';
import { openTestPlane } from '../support/plane.ts';
import { connectRaw } from '../support/raw-peer.ts';
import { REASONS, type Difference } from './reasons.ts';
import { SAMPLE_REQUESTS } from './requests.ts';

const seen: Message[] = [];
const origin = await openOrigin(async (connection) => {
  for (;;) {
    const request = await connection.nextRequest();
    if (request === undefined) break;
    seen.push(request);
    connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  }
  connection.end();
});
const plane = await openTestPlane({ blue: [origin.port], green: [] }, {});
const peer = await openPeer(origin);

t.teardown(async () => {
  await plane.stop();
  await peer.close();
  await origin.close();
});

const used = new Set<string>();

await t.test('Turnout and http-proxy-3 forward the same requests alike', async (t) => {
  t.ok(SAMPLE_REQUESTS.length >= 100, `${SAMPLE_REQUESTS.length} requests`);
  for (const { name, text } of SAMPLE_REQUESTS) {
    const turnout = await forwarded(plane.port, text);
    const other = await forwarded(peer.port, text);
    const unexplained = differences(turnout, other).filter((difference) => {
      const reason = REASONS.find(({ explains }) => explains(difference, text));
      if (reason !== undefined) used.add(reason.name);
      return reason === undefined;
    });
    t.strictSame(unexplained, [], name);
  }
});

await t.test('every reason for a difference is used', async (t) => {
  const unused = REASONS.filter(({ name }) => !used.has(name)).map(({ name }) => name);
  t.strictSame(unused, []);
});

/** Sends `text` to `port` and returns the request that the origin saw for it. */
async function forwarded(port: number, text: string): Promise<Message> {
  seen.length = 0;
  const client = await connectRaw(port);
  client.send(text);
  const reply = await client.until('response', () => {
    const found = readResponse(client.text, 0, {
      method: text.slice(0, text.indexOf(' ')),
      hasEnded: client.ending === 'end',
    });
    return found?.isComplete === true ? found : undefined;
  });
  client.reset();
  if (statusOf(reply.start) !== 200 || seen.length !== 1) {
    throw new Error(`expected one forwarded request, got ${seen.length}; ${client.summary()}`);
  }
  return seen[0]!;
}

function differences(turnout: Message, other: Message): Difference[] {
  const found: Difference[] = [];
  const [methodA, targetA] = turnout.start.split(' ');
  const [methodB, targetB] = other.start.split(' ');
  if (methodA !== methodB) found.push({ kind: 'method' });
  if (targetA !== targetB) found.push({ kind: 'target' });
  if (turnout.body !== other.body) found.push({ kind: 'body' });
  // A length of 0 shows as a field of one side only.
  if (turnout.body !== '' && turnout.framing !== other.framing) found.push({ kind: 'framing' });
  if (turnout.trailers.join('\n') !== other.trailers.join('\n')) found.push({ kind: 'trailers' });
  found.push(...fieldDifferences(turnout, other));
  return found;
}

function fieldDifferences(turnout: Message, other: Message): Difference[] {
  const found: Difference[] = [];
  const a = byName(turnout.fields);
  const b = byName(other.fields);
  for (const [name, ours] of a) {
    const theirs = b.get(name);
    if (theirs === undefined) {
      found.push({ kind: 'only-turnout', name });
      continue;
    }
    if (ours.spelling !== theirs.spelling) found.push({ kind: 'case', name });
    if (ours.values.length !== theirs.values.length) found.push({ kind: 'repeats', name });
    const separator = name === 'cookie' ? '; ' : ', ';
    if (ours.values.join(separator) !== theirs.values.join(separator)) {
      found.push({ kind: 'value', name });
    }
  }
  for (const name of b.keys()) if (!a.has(name)) found.push({ kind: 'only-peer', name });
  const common = (names: Iterable<string>): string =>
    [...names].filter((name) => a.has(name) && b.has(name) && !isFraming(name)).join();
  if (common(a.keys()) !== common(b.keys())) found.push({ kind: 'order' });
  return found;
}

/** Every hop writes its own framing, so its place among the fields says nothing. */
function isFraming(name: string): boolean {
  return name === 'transfer-encoding' || name === 'content-length';
}

interface NamedValues {
  readonly spelling: string;
  readonly values: string[];
}

/** Lower-case name → spelling of its first line and all its values, in the order of first lines. */
function byName(fields: readonly string[]): Map<string, NamedValues> {
  const named = new Map<string, NamedValues>();
  for (const line of fields) {
    const spelling = line.slice(0, line.indexOf(':'));
    const value = line.slice(spelling.length + 1).replaceAll(/^[ \t]+|[ \t]+$/g, '');
    const name = spelling.toLowerCase();
    const known = named.get(name);
    if (known === undefined) named.set(name, { spelling, values: [value] });
    else known.values.push(value);
  }
  return named;
}

async function openPeer(
  target: Origin,
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const proxy = createProxyServer({ target: `http://127.0.0.1:${target.port}` });
  proxy.on('error', (_error, _request, response) => {
    // The client sees its connection end, and the test says which request did that.
    response?.destroy();
  });
  const server = createServer((request, response) => {
    proxy.web(request, response);
  });
  server.on('checkExpectation', (request, response) => {
    proxy.web(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
        proxy.close();
      }),
  };
}
