// What is delivered of a message that breaks off, and how its end looks: every kind of message, every
// way to break off, over TCP and Unix sockets, to a side that reads at once, later or slowly.
// docs/cuts.md is made of the outcomes; TURNOUT_WRITE_DOCS=1 writes it again.

import { readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { CutBench, READINGS, readAs, type Reading, type Transport } from '../support/cut-bench.ts';
import { readRequest, readResponse, type Message } from '../support/message.ts';
import type { OriginConnection } from '../support/origin.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { CHUNKED, chunk, streamHead } from '../support/sse-events.ts';
import { closePayload, message, OPCODE, serverFrame } from '../support/ws-frames.ts';
import { socketPath } from '../unit/data-plane/support/stream-pair.ts';

const PAGE = new URL('../../docs/cuts.md', import.meta.url);

/** As much as the sockets on the way hold, so that all of it has come before it breaks off. */
const DATA = 'd'.repeat(90_000);
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const UPGRADE = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
const SWITCHING =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
const CLOSE = serverFrame({
  opcode: OPCODE.close,
  payload: closePayload(1001, ''),
  isFinal: true,
});

const CUTS = ['FIN', 'RST', 'garbage', 'stall'] as const;

type Cut = (typeof CUTS)[number];

interface Kind {
  /** What the client sends; where that is the message, what has come of it. */
  readonly request: string;
  /** What the target sends before it breaks off; undefined: the client breaks off its upload. */
  readonly response: string | undefined;
  /** What can be no part of the message; undefined: anything can. */
  readonly garbage: string | undefined;
}

const KINDS: Readonly<Record<string, Kind>> = {
  'response with a length': {
    request: GET,
    response: `HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n${DATA}`,
    garbage: undefined,
  },
  'chunked response': {
    request: GET,
    response: `HTTP/1.1 200 OK\r\n${CHUNKED}\r\n${chunk(DATA)}`,
    garbage: 'no chunk\r\n',
  },
  'response that the close ends': {
    request: GET,
    response: `HTTP/1.1 200 OK\r\n\r\n${DATA}`,
    garbage: undefined,
  },
  'chunked response, to an HTTP/1.0 client': {
    request: GET.replace('1.1', '1.0'),
    response: `HTTP/1.1 200 OK\r\n${CHUNKED}\r\n${chunk(DATA)}`,
    garbage: 'no chunk\r\n',
  },
  'event stream': {
    request: GET,
    response: `${streamHead(CHUNKED)}${chunk(`data: ${DATA}\n\n`)}`,
    garbage: 'no chunk\r\n',
  },
  'WebSocket, a message': {
    request: UPGRADE,
    response: `${SWITCHING}${message(DATA)}`,
    garbage: undefined,
  },
  'WebSocket, a message and a Close': {
    request: UPGRADE,
    response: `${SWITCHING}${message(DATA)}${CLOSE}`,
    garbage: undefined,
  },
  'upload with a length': {
    request: `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n${DATA}`,
    response: undefined,
    garbage: undefined,
  },
  'chunked upload': {
    request: `POST / HTTP/1.1\r\nHost: a\r\n${CHUNKED}\r\n${chunk(DATA)}`,
    response: undefined,
    garbage: 'no chunk\r\n',
  },
};

const LOOKS = {
  whole: 'the end that the target meant',
  cut: 'an end; shows the cut',
  closed: 'an end, after the Close',
  reset: 'a reset',
  silence: 'silence until the client leaves',
} as const;

const rows: string[] = [];

/** Here the target says itself that this is the end; on a Unix socket, whatever it does. */
const MEANT: readonly string[] = [
  'response that the close ends, FIN, TCP',
  'response that the close ends, FIN, Unix',
  'response that the close ends, RST, Unix',
];

for (const [name, kind] of Object.entries(KINDS)) {
  for (const cut of CUTS) {
    if (cut === 'garbage' && kind.garbage === undefined) continue;
    await t.test(`${name}, broken off by ${cut}`, async (t) => {
      const outcomes: string[] = [];
      for (const transport of ['TCP', 'Unix'] as const) {
        const outcome = await outcomesOf(t, transport, kind, cut);
        outcomes.push(outcome);
        t.ok(outcome.startsWith('all'), outcome);
        const isMeant = MEANT.includes([name, cut, transport].join(', '));
        t.equal(outcome.includes(LOOKS.whole), isMeant, `${transport}: ${outcome}`);
      }
      rows.push(`| ${[name, cut, ...outcomes].join(' | ')} |`);
    });
  }
}

await t.test('docs/cuts.md says so', (t) => {
  const text = readFileSync(PAGE, 'utf8');
  const before = text.slice(0, text.indexOf('| message'));
  const table = ['| message | broken off by | TCP | Unix |', '| --- | --- | --- | --- |', ...rows];
  const said = `${before}${table.join('\n')}\n`;
  if (process.env['TURNOUT_WRITE_DOCS'] === '1') writeFileSync(PAGE, said);
  else t.strictSame(cellsOf(text), cellsOf(said));
  t.end();
});

/** Cells of a table, whatever the widths of its columns. */
function cellsOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\| *-/.test(line))
    .map((line) => line.replaceAll(/ +/g, ' '));
}

/** Returns one outcome where all readings have the same, else each by its reading. */
async function outcomesOf(t: Test, transport: Transport, kind: Kind, cut: Cut): Promise<string> {
  const seen: string[] = [];
  for (const reading of READINGS) {
    const directory = socketPath(t);
    const bench = await CutBench.open(transport, (name) => `${directory}${name}`);
    try {
      seen.push(await outcome(bench, kind, cut, reading));
    } finally {
      await bench.close();
    }
  }
  if (seen.every((one) => one === seen[0])) return seen[0]!;
  return READINGS.map((reading, index) => `${reading}: ${seen[index]}`).join('; ');
}

async function outcome(bench: CutBench, kind: Kind, cut: Cut, reading: Reading): Promise<string> {
  const client = await bench.connect();
  client.send(kind.request);
  const target = await bench.target();
  const isUpload = kind.response === undefined;
  const [breaker, reader] = isUpload ? [client, target] : [target, client];
  const isOver = async (): Promise<void> => {
    if (kind.response !== undefined) {
      await target.until('request', () => (target.text.includes('\r\n\r\n') ? true : undefined));
      target.send(kind.response);
    }
    await bench.handedOn(DATA.length);
    breakOff(breaker, cut, { bench, garbage: kind.garbage });
    await bench.rest(kind.request === UPGRADE ? breaker : undefined);
  };
  await readAs(reader, reading, isOver);
  const ending = await bench.endOf(reader);
  const result = `${delivered(reader, kind)}, then ${lookOf(reader, kind, ending)}`;
  client.socket.destroy();
  target.socket.destroy();
  return result;
}

function breakOff(
  breaker: RawPeer | OriginConnection,
  cut: Cut,
  { bench, garbage }: { readonly bench: CutBench; readonly garbage: string | undefined },
): void {
  if (cut === 'FIN') breaker.end();
  else if (cut === 'RST') breaker.reset();
  else if (cut === 'garbage') breaker.send(garbage!);
  else bench.stall();
}

/** Returns the message as it has come, undefined inside a tunnel. */
function messageOf({ text, ending }: RawPeer, kind: Kind): Message | undefined {
  if (kind.request === UPGRADE) return undefined;
  if (kind.response === undefined) return readRequest(text);
  return readResponse(text, 0, { method: 'GET', hasEnded: ending === 'end' });
}

function delivered(reader: RawPeer, kind: Kind): string {
  const bytes = messageOf(reader, kind)?.body ?? reader.text;
  return bytes.includes(DATA) ? 'all' : `not all (${bytes.length} bytes)`;
}

function lookOf(reader: RawPeer, kind: Kind, ending: 'end' | 'reset' | 'silence'): string {
  if (messageOf(reader, kind)?.isComplete === true) return LOOKS.whole;
  if (ending !== 'end') return LOOKS[ending];
  return reader.text.endsWith(CLOSE) ? LOOKS.closed : LOOKS.cut;
}
