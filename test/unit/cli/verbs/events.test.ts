// `turnout events` against a server whose streams end, break and come back, as a test says.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { fakeTerminal, turnout, type FakeTerminal } from '../support/terminal.ts';

/** One connection after the other gets one of `scripts`; the last one stays open. */
async function streams(t: Test, scripts: readonly (string | readonly string[])[]) {
  const asked: { readonly url: string; readonly since: unknown }[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const script = scripts[asked.length] ?? '';
    const isLast = asked.length >= scripts.length - 1;
    asked.push({ url: request.url ?? '', since: request.headers['last-event-id'] });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const parts = typeof script === 'string' ? [script] : script;
    for (const part of parts) response.write(part);
    if (!isLast) response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { admin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** Returns a frame as it goes over the wire. */
function frame(id: string, event: string, data: unknown): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function event(id: number, kind: string, facts: object, more: object = {}): object {
  const at = '2026-11-30T14:05:10.123Z';
  return { id, event: kind, aliases: [], at, service: 'shop', rollout: null, facts, ...more };
}

const HELLO = 'retry: 1\n\nevent: hello\ndata: {"version":"1"}\n\n: still here\n\n';
const SAFE = frame('9-1', 'drain', event(1, 'drain.safe', { release: 'v1', color: 'blue' }));
const FROZEN = frame(
  '9-2',
  'freeze',
  event(2, 'freeze', { on: true, reason: 'sale' }, { service: null }),
);
const STAGE = frame(
  '9-3',
  'event',
  event(3, 'rollout.stage', { stage: 'baking' }, { rollout: 'r-7' }),
);

/** Ends the command with Ctrl-C once it has printed `lines` lines. */
function endsAfter(lines: number): FakeTerminal {
  const terminal = fakeTerminal();
  const { out } = terminal;
  return Object.assign(terminal, {
    out: (text: string) => {
      out(text);
      if (terminal.outs.length === lines) terminal.signals.emit('SIGINT');
    },
  });
}

await t.test('each event is one line; a stream that ends goes on where it was', async (t) => {
  const tick = 'event: tick\ndata: {}\n\n';
  const { admin, asked } = await streams(t, [
    // Cut in the middle of a frame, and of a frame that is never finished.
    [HELLO, SAFE.slice(0, 30), `${SAFE.slice(30)}${tick}${FROZEN.slice(0, 20)}`],
    HELLO + FROZEN + frame('9-4', 'rollout', {}) + STAGE,
  ]);
  const args = ['events', '--service', 'shop', '--since', '9-0', '--admin', admin];
  const { code, out, err } = await turnout(args, endsAfter(3));
  t.equal(code, 0, 'Ctrl-C is how it ends');
  t.strictSame(out.split('\n'), [
    '2026-11-30T14:05:10Z shop drain.safe: v1 on blue',
    '2026-11-30T14:05:10Z freeze: switching is frozen: sale',
    '2026-11-30T14:05:10Z shop r-7 rollout.stage: baking',
  ]);
  t.match(err, /^asking again: /);
  t.strictSame(asked, [
    { url: '/v1/events?service=shop', since: '9-0' },
    { url: '/v1/events?service=shop', since: '9-1' },
  ]);
});

await t.test('scripts get one document on each line, with the id to go on from', async (t) => {
  const { admin } = await streams(t, [HELLO + SAFE + STAGE]);
  const { out, err } = await turnout(['events', '--json', '--admin', admin], endsAfter(2));
  const lines = out.split('\n').map((line) => JSON.parse(line) as unknown);
  t.match(lines, [
    { id: '9-1', frame: 'drain', data: { event: 'drain.safe' } },
    { id: '9-3', frame: 'event', data: { facts: { stage: 'baking' } } },
  ]);
  t.equal(err, '');
});

await t.test('what is not kept any more is told', async (t) => {
  const gone = frame('9-8', 'gone', { detail: 'gone' });
  const { admin } = await streams(t, [HELLO + gone]);
  const { out } = await turnout(['events', '--since', '8-1', '--admin', admin], endsAfter(1));
  t.match(out, /not kept any more/);
});

await t.test('it ends once its reader has gone', async (t) => {
  const { admin } = await streams(t, [HELLO + SAFE + STAGE]);
  const terminal = fakeTerminal();
  terminal.close();
  t.match(await turnout(['events', '--admin', admin], terminal), { code: 0 });
});

await t.test('texts of events forge no line and steer no terminal', async (t) => {
  const reason = 'x\nFORGED\u001b[2J\u202e';
  const facts = { on: true, reason };
  const hostile = frame('9-1', 'freeze', event(1, 'freeze', facts, { service: 'a\nb' }));
  const broken = 'event: event\ndata: {"event":\n\nevent: event\ndata: 7\n\n';
  const { admin } = await streams(t, [HELLO + broken + hostile]);
  const { out } = await turnout(['events', '--admin', admin], endsAfter(3));
  t.equal(out.split('\n').length, 3);
  t.notOk(out.includes('\u001b') || out.includes('\u202e'));
});
