// Opens connections and keeps them idle, so that their memory in the proxy can be
// weighed. A process of its own: 10,000 sockets at each end, and the limit of open
// files counts per process.
//
// node bench/load/hold.ts PORT COUNT answered|fresh|tls
// Says `held N` when all are open; on the end of its input `open N`, and ends.

import { requestBytes, scenarioNamed } from '../scenarios.ts';
import { RawConnection } from './raw-connection.ts';

const [port, count] = process.argv.slice(2, 4).map(Number);
const isTls = process.argv[4] === 'tls';
const isAnswered = process.argv[4] !== 'fresh';
/** Fewer at a time than any peer keeps as idle connections to its origin. */
const OPENING_MAX = 32;
/** A fresh connection is silent: nothing says when it is open, so they are paced instead. */
const FRESH_PAUSE_MS = 5;

const request = requestBytes(scenarioNamed('small'));
const connections: RawConnection[] = [];
let lost = 0;
let settled = 0;

const events = {
  onAnswer: () => settle(),
  onFailure: () => {
    lost++;
    settle();
  },
};

for (let i = 0; i < OPENING_MAX; i++) openNext();
process.stdin.on('data', () => undefined);
process.stdin.once('end', () => {
  process.stdout.write(`open ${connections.length - lost}\n`, () => process.exit(0));
});

function openNext(): void {
  if (connections.length >= (count ?? 0)) return;
  const connection = new RawConnection(
    { port: port ?? 0, host: '127.0.0.1', keepsBody: false, isTls },
    events,
  );
  connections.push(connection);
  if (isAnswered) connection.send(request);
  else setTimeout(settle, FRESH_PAUSE_MS);
}

function settle(): void {
  settled++;
  if (settled === count) process.stdout.write(`held ${settled - lost}\n`);
  else openNext();
}
