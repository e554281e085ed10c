// What must have come out of a run of a wire case: replies at the client, requests at the origin.

import { LINGER_SILENCE_MS, TICK_MS } from '../../src/base/limits.ts';
import { FIRST_EPOCH, TEST_DEPLOYMENTS, type TestPlane } from './plane.ts';
import { readResponse, readRequest, statusOf, valuesOf, type Message } from './message.ts';
import type { OriginConnection } from './origin.ts';
import type { RawPeer } from './raw-peer.ts';
import { becomes, gaugesOf } from './shared-counters.ts';
import { bytesOf, says, type Item, type WireCase } from './wire-case.ts';

/** Where one run cuts the bytes of a side; undefined: in one piece. */
export interface Cut {
  readonly side: 'client' | 'answer';
  readonly at: number;
}

const PROBE = 'GET /probe HTTP/1.1\r\nHost: probe.test\r\n\r\n';

/** What the origin notes during one run. */
export interface Visit {
  readonly plane: TestPlane;
  readonly wireCase: WireCase;
  readonly scheme: 'http' | 'https';
  readonly cut: Cut | undefined;
  /** Connections that carried a byte, in the order of their first request. */
  readonly connections: OriginConnection[];
  readonly requests: { readonly text: string; readonly connection: OriginConnection }[];
  /** Heads that began to be answered: the index of the answer script. */
  begun: number;
  /** Called after each new head. */
  onHead: () => void;
}

/** Throws, with both readings, where the client did not see the replies of the case. */
export async function expectReplies(client: RawPeer, visit: Visit): Promise<void> {
  const { replies, client: clientItems } = visit.wireCase;
  const last = replies.at(-1)!;
  if (says(clientItems, 'reset')) return;
  if (says(last, 'nothing')) {
    await client.ended();
    if (client.text !== '') throw new Error(`expected no reply; ${client.summary()}`);
    return;
  }
  const methods = methodsOf(visit.wireCase);
  const ending = endingOf(last);
  if (ending === 'reset') await breaks(client, visit);
  else if (ending !== 'open') await client.ended();
  let at = 0;
  let answered = 0;
  for (const expected of replies) {
    if (says(expected, 'tunnel')) break;
    const method = methods[answered] ?? 'GET';
    const from = at;
    const isCut = says(expected, 'cut') || says(expected, 'reset');
    const reply = await client.until('reply', () => {
      const hasEnded = client.ending === 'end';
      const found = readResponse(client.text, from, { method, hasEnded });
      if (found?.isComplete === true || (isCut && found !== undefined)) return found;
      if (client.ending !== undefined) throw new Error(`the reply is cut; ${client.summary()}`);
      return undefined;
    });
    compareReply(reply, expected, method);
    at = reply.end;
    if (statusOf(reply.start) >= 200) answered++;
  }
  if (says(last, 'tunnel')) return expectTunnelled(client, at, bytesOf(last));
  if (ending === 'reset' && client.ending !== 'reset') throw new Error('expected a reset, got FIN');
  if (client.text.length > at)
    throw new Error(`surplus bytes after the reply; ${client.summary()}`);
  if (ending === 'open') await probe(client, at);
  else client.end();
}

/** A response whose end would make it look whole is broken off once the client had time to read it. */
async function breaks(client: RawPeer, visit: Visit): Promise<void> {
  const { plane } = visit;
  // Nothing runs before the first head has come, too: time that passes then ends what connects.
  const isOver = (): boolean => visit.begun > 0 && gaugesOf(plane).inflight === 0;
  await becomes(() => client.ending !== undefined || isOver());
  await becomes(() => {
    plane.plane.wheel.advance(LINGER_SILENCE_MS / TICK_MS);
    return client.ending !== undefined;
  });
}

async function expectTunnelled(client: RawPeer, at: number, expected: string): Promise<void> {
  await client.ended();
  client.end();
  const got = client.text.slice(at);
  if (got !== expected) {
    throw new Error(`the tunnel gave ${JSON.stringify(got)}, not ${JSON.stringify(expected)}`);
  }
}

/** Shows that the connection still has one reading: a further request is answered, and only it. */
async function probe(client: RawPeer, at: number): Promise<void> {
  if (client.socket.writableEnded) return;
  client.send(PROBE);
  const reply = await client.until('answer to the probe', () => {
    const found = readResponse(client.text, at, { method: 'GET', hasEnded: false });
    if (found?.isComplete === true) return found;
    if (client.ending !== undefined) {
      throw new Error(`expected an open connection; ${client.summary()}`);
    }
    return undefined;
  });
  if (reply.body !== 'probe' || client.text.length > reply.end) {
    throw new Error(`the probe was answered wrongly; ${client.summary()}`);
  }
}

function endingOf(last: readonly Item[]): 'open' | 'close' | 'reset' {
  if (says(last, 'reset')) return 'reset';
  if (says(last, 'close') || says(last, 'cut')) return 'close';
  const status = shortFormOf(last)?.status ?? 200;
  return (status >= 400 && status < 500) || status === 501 || status === 505 ? 'close' : 'open';
}

/** A reply of which only the status counts, and perhaps the failure code. */
function shortFormOf(
  items: readonly Item[],
): { readonly status: number; readonly code: string | undefined } | undefined {
  const [, status, code] = /^(\d{3})(?: ([A-Z_]+))?\r\n$/.exec(bytesOf(items)) ?? [];
  return status === undefined ? undefined : { status: Number(status), code };
}

/** What a token of a test plane looks like; in a case, TOKEN stands for any of them. */
const TOKEN = new RegExp(
  `\\b${TEST_DEPLOYMENTS.blue.toString(36)}\\.[0-9a-z]+\\.[\\w-]{12}\\.[0-9a-z]+\\.[0-9a-z]+\\.[\\w-]{22}(?![\\w-])`,
  'g',
);

function withTokensNamed(reply: Message): Message {
  return { ...reply, fields: reply.fields.map((line) => line.replaceAll(TOKEN, 'TOKEN')) };
}

function compareReply(seen: Message, expected: readonly Item[], method: string): void {
  const reply = withTokensNamed(seen);
  const shortForm = shortFormOf(expected);
  if (shortForm === undefined) {
    const wanted = readResponse(bytesOf(expected), 0, { method, hasEnded: true });
    if (wanted === undefined) throw new Error('the expected reply has no complete head');
    if (says(expected, 'cut') || says(expected, 'reset')) {
      if (reply.isComplete) throw new Error(`expected a cut reply, got ${show(reply)}`);
      compare('reply head', show({ ...reply, body: '' }), show({ ...wanted, body: '' }));
      if (!wanted.body.startsWith(reply.body)) throw new Error(`got body ${show(reply)}`);
    } else compare('reply', show(reply), show(wanted));
    return;
  }
  const { status, code } = shortForm;
  if (statusOf(reply.start) !== status) {
    throw new Error(`expected status ${status}, got ${show(reply)}`);
  }
  if (code !== undefined) {
    compare('failure code', valuesOf(reply.fields, 'x-turnout-failure').join(), code);
  }
  if (status >= 400 && endingOf(expected) === 'close') {
    compare('Connection', valuesOf(reply.fields, 'connection').join().toLowerCase(), 'close');
  }
}

/** Throws, with both readings, where the origin did not see the requests of the case. */
export async function expectOrigin(visit: Visit, originPort: number): Promise<void> {
  const { origin, replies } = visit.wireCase;
  const wholeOf = (connection: OriginConnection): boolean =>
    visit.requests.some((request) => request.connection === connection);
  const mustEnd = visit.connections.filter((connection) => !wholeOf(connection));
  const lastReply = replies.at(-1)!;
  const isThrownAway =
    shortFormOf(lastReply)?.status === 502 || says(lastReply, 'cut') || says(lastReply, 'reset');
  const lastUsed = visit.connections.at(-1);
  if (isThrownAway && lastUsed !== undefined) mustEnd.push(lastUsed);
  if (origin === undefined) {
    await Promise.all(mustEnd.map((connection) => connection.ended()));
    return;
  }
  const isBrokenOff = says(origin.at(-1)!, 'broken off');
  // It may come after the client has its response, and must not come into the next case.
  if (isBrokenOff) {
    const { plane } = visit.plane;
    await becomes(() => visit.begun >= origin.length || [...plane.clients()].length === 0);
  }
  if (says(origin.at(-1)!, 'closed') && lastUsed !== undefined) mustEnd.push(lastUsed);
  await Promise.all(mustEnd.map((connection) => connection.ended()));
  const wanted = origin
    .filter((items) => !says(items, 'nothing') && bytesOf(items) !== '')
    .map((items) => beforeTunnel(items));
  if (!isBrokenOff && visit.begun > visit.requests.length) {
    throw new Error(`the origin saw a part of a request: ${mustEnd[0]?.summary() ?? ''}`);
  }
  compare(
    'requests at the origin',
    visit.requests.map((request) => show(readRequest(request.text)!)).join('\n---\n'),
    wanted
      .map((items) =>
        show(readRequest(expandAdded(items, visit.scheme).replace(':PORT\r', `:${originPort}\r`))!),
      )
      .join('\n---\n'),
  );
  const tunnelled = tunnelTextOf(origin.at(-1)!);
  if (tunnelled !== undefined) {
    const { connection, text } = visit.requests.at(-1)!;
    await connection.ended();
    compare(
      'tunnel at the origin',
      connection.text.slice(connection.text.indexOf(text) + text.length),
      tunnelled,
    );
  }
}

function beforeTunnel(items: readonly Item[]): readonly Item[] {
  const at = items.findIndex((item) => item.kind === 'directive' && item.name === 'tunnel');
  return at < 0 ? items : items.slice(0, at);
}

function tunnelTextOf(items: readonly Item[]): string | undefined {
  return says(items, 'tunnel')
    ? bytesOf(items).slice(bytesOf(beforeTunnel(items)).length)
    : undefined;
}

/** Writes out `(added)`: the fields that the proxy adds to each request by default. */
function expandAdded(items: readonly Item[], scheme: Visit['scheme']): string {
  const host = /^Host: *(.*)\r$/im.exec(bytesOf(items))?.[1] ?? '';
  const added = [
    'X-Forwarded-For: 127.0.0.1',
    `X-Forwarded-Proto: ${scheme}`,
    `X-Forwarded-Host: ${host}`,
    'x-turnout-hops: 1',
    'x-turnout-color: blue',
    `x-turnout-generation: ${FIRST_EPOCH}`,
    'x-turnout-role: active',
  ];
  return items
    .map((item) => {
      if (item.kind === 'bytes') return item.text;
      return item.name === 'added' ? `${added.join('\r\n')}\r\n` : '';
    })
    .join('');
}

/** Returns the methods of the requests in a client block, as far as they can be made out. */
export function methodsOf(wireCase: WireCase): string[] {
  return [...bytesOf(wireCase.client).matchAll(/^([A-Z]+) \S+ HTTP\/1/gm)].map(
    (found) => found[1]!,
  );
}

/** Chunk borders may differ; everything else may not. */
function show(message: Message): string {
  const lines = [message.start, ...message.fields, '', `[${message.framing}] ${message.body}`];
  for (const trailer of message.trailers) lines.push(`[trailer] ${trailer}`);
  if (!message.isComplete && message.framing !== 'until-close') lines.push('[cut]');
  return lines.map((line) => JSON.stringify(line).slice(1, -1)).join('\n');
}

function compare(what: string, got: string, wanted: string): void {
  if (got !== wanted) throw new Error(`${what}\n--- got\n${got}\n--- expected\n${wanted}`);
}
