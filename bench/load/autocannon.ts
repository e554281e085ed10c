// A closed loop by autocannon, with the errors that autocannon does not count.
// Says one JSON line.
//
// node bench/load/autocannon.ts JSON_OF_LOOP_ORDER

import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';
import { bodyOf } from '../scenarios.ts';
import { urlOf, type LoopOrder, type LoopResult } from './load.ts';

/** Longer than the pauses of a busy machine, so that only a lost answer takes so long. */
const TIMEOUT_SECONDS = 5;
/** How often autocannon looks whether it is done; a count of requests ends at such a moment. */
const SAMPLE_MS = 100;

// Written by load.ts of the same version.
const order = JSON.parse(process.argv[2] ?? '{}') as LoopOrder;
const request = readFileSync(order.requestFile);
const expected = order.answerBodyBytes < 0 ? undefined : bodyOf(order.answerBodyBytes).toString();
/** Answers of each connection. */
const answered = new Map<autocannon.Client, number>();
let answeredBadly = 0;

const startedMs = performance.now();
const result = await autocannon({
  url: urlOf(order),
  connections: order.connections,
  timeout: TIMEOUT_SECONDS,
  sampleInt: SAMPLE_MS,
  setupClient,
  ...(order.requestsMax > 0 ? { amount: order.requestsMax } : { duration: order.seconds }),
  ...(order.isKeptAlive ? {} : { reconnectRate: 1 }),
  ...(expected !== undefined && order.isKeptAlive && { verifyBody: (body) => body === expected }),
});
const seconds = (performance.now() - startedMs) / 1_000;
say();

/**
 * Makes `client` send the bytes of the file instead of a request of its own, which would
 * always say `Connection: keep-alive`, and counts what it gets: autocannon counts nothing
 * when it opens a new connection for each request.
 */
function setupClient(client: autocannon.Client): void {
  if (!('getRequestBuffer' in client)) throw new Error('expected the client of autocannon 9');
  Object.assign(client, { getRequestBuffer: () => request });
  answered.set(client, 0);
  client.on('headers', ({ statusCode }) => {
    if (Number(statusCode) === 200) answered.set(client, (answered.get(client) ?? 0) + 1);
    else answeredBadly++;
  });
}

function say(): void {
  const requests = [...answered.values()].reduce((sum, count) => sum + count, 0);
  // At the end of a timed run each connection may wait for one answer; every other request
  // without an answer was on a connection that was closed, which autocannon calls no error.
  const waiting = order.requestsMax > 0 ? 0 : order.connections;
  const unanswered = result.requests.sent - requests - answeredBadly - waiting;
  const failures = {
    'status other than 200': answeredBadly,
    'wrong body': result.mismatches,
    'no answer in time': result.timeouts,
    'connection failed': result.errors - result.timeouts,
    'closed without an answer': Math.max(0, unanswered - result.errors),
    'connection without any answer': [...answered.values()].filter((count) => count === 0).length,
  };
  const said: LoopResult = {
    requests,
    seconds,
    errors: Object.values(failures).reduce((sum, count) => sum + count, 0),
    failures: Object.fromEntries(Object.entries(failures).filter(([, count]) => count > 0)),
  };
  process.stdout.write(`RESULT ${JSON.stringify(said)}\n`, () => process.exit(0));
}
