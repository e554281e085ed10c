// Load for switches: every connection sends one kind of request again and again and
// notes when it was sent, when it was answered and by which color. When its input ends
// it is given the switches, and judges its own notes.
//
// node bench/switching/client.ts PORT CONNECTIONS < JSON_OF_SWITCHES

import { RawConnection } from '../load/raw-connection.ts';
import { bodyOf, KIBIBYTE } from '../scenarios.ts';
import { judge, type Note, type Switch, type Verdict } from './judge.ts';

const [port, count] = process.argv.slice(2).map(Number);
const UPLOAD_BYTES = 64 * KIBIBYTE;
const LAST_ANSWERS_MS = 1_000;

/** Mostly small requests, as in life; one connection in eight each uploads or gets chunks. */
const KINDS_BY_TURN = [0, 0, 0, 1, 0, 0, 0, 2];
const REQUESTS = [
  Buffer.from('GET /color HTTP/1.1\r\nHost: bench.example\r\n\r\n'),
  Buffer.from('GET /color-chunked HTTP/1.1\r\nHost: bench.example\r\n\r\n'),
  Buffer.concat([
    Buffer.from('POST /color-upload HTTP/1.1\r\nHost: bench.example\r\n'),
    Buffer.from(`Content-Length: ${UPLOAD_BYTES}\r\n\r\n`),
    bodyOf(UPLOAD_BYTES),
  ]),
];

const notes: Note[] = [];
const failures = new Map<string, number>();
const inFlight = new Set<RawConnection>();
let isOver = false;

const events = {
  onAnswer(connection: RawConnection): void {
    inFlight.delete(connection);
    const color = colorOf(connection);
    if (color === undefined) fail(`a body that is wrong: ${connection.bodyText.slice(0, 40)}`);
    else notes.push({ sentMs: connection.intendedMs, answeredMs: nowMs(), color });
    if (isOver) return;
    if (connection.isReusable) send(connection);
    else open(connection.kind);
  },
  onFailure(connection: RawConnection, reason: string): void {
    // An idle connection that the proxy closed is no failed request.
    if (inFlight.delete(connection)) fail(reason);
    if (!isOver) setTimeout(() => open(connection.kind), 5);
  },
};

for (let i = 0; i < (count ?? 0); i++) open(KINDS_BY_TURN[i % KINDS_BY_TURN.length]!);

let input = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (text: string) => (input += text));
process.stdin.once('end', () => {
  isOver = true;
  setTimeout(finish, LAST_ANSWERS_MS);
});

function open(kind: number): void {
  const connection = new RawConnection(
    { port: port ?? 0, host: '127.0.0.1', keepsBody: true },
    events,
  );
  connection.kind = kind;
  send(connection);
}

function send(connection: RawConnection): void {
  connection.intendedMs = nowMs();
  inFlight.add(connection);
  connection.send(REQUESTS[connection.kind]!);
}

function colorOf(connection: RawConnection): Note['color'] | undefined {
  const { bodyText, kind } = connection;
  const isBlue = bodyText.includes('blue');
  if (isBlue === bodyText.includes('green')) return undefined;
  if (kind === 2 && !bodyText.endsWith(` ${UPLOAD_BYTES}`)) return undefined;
  return isBlue ? 'blue' : 'green';
}

function finish(): void {
  for (const connection of inFlight) {
    fail(`no answer within ${LAST_ANSWERS_MS} ms of the end`);
    connection.close();
  }
  // Written by switching.ts.
  const switches = JSON.parse(input) as Switch[];
  const verdict: Verdict = {
    ...judge(notes, switches),
    failed: [...failures.values()].reduce((sum, one) => sum + one, 0),
    failures: Object.fromEntries(failures),
  };
  process.stdout.write(`RESULT ${JSON.stringify(verdict)}\n`, () => process.exit(0));
}

function fail(reason: string): void {
  failures.set(reason, (failures.get(reason) ?? 0) + 1);
}

/** CLOCK_MONOTONIC, which all processes share; performance.now() has an origin of its own. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
