// Load on raw sockets: as fast as answers come (closed loop), or at a fixed rate where
// a request counts from the moment it should have been sent, so that a proxy that
// stalls can't hide what would have come meanwhile. Says one JSON line.
//
// node bench/load/generate.ts JSON_OF_LOAD_ORDER

import { readFileSync } from 'node:fs';
import { percentile } from '../harness/statistics.ts';
import type { LoadOrder, LoadResult } from './load.ts';
import { RawConnection, type ConnectionEvents } from './raw-connection.ts';

/** Start of a fixed-rate run that is not measured: connections open, code gets compiled. */
const RATE_WARM_MS = 500;
/** How long a fixed-rate run waits for the last answers. */
const GRACE_MS = 1_000;

// Written by load.ts of the same version.
const order = JSON.parse(process.argv[2] ?? '{}') as LoadOrder;
const request = readFileSync(order.requestFile);
const latenciesMs: number[] = [];
/** How long after it was due each request was noticed here: what this process itself is late. */
const lagsMs: number[] = [];
const failures = new Map<string, number>();
const idle: RawConnection[] = [];
/** Intended times of requests that found every connection busy. */
const late: number[] = [];
let lateAt = 0;
let requests = 0;
let bytes = 0;
let isOver = false;

const events: ConnectionEvents = {
  onAnswer(connection) {
    requests++;
    bytes += connection.bytesRead;
    connection.bytesRead = 0;
    if (order.ratePerSecond > 0 && connection.intendedMs > startedMs + RATE_WARM_MS) {
      latenciesMs.push(performance.now() - connection.intendedMs);
    }
    if (isOver) return;
    if (order.requestsMax > 0 && requests >= order.requestsMax) {
      finish();
      return;
    }
    if (connection.isReusable && order.isKeptAlive) next(connection);
    else {
      connection.close();
      next(open());
    }
  },
  onFailure(_connection, reason) {
    if (isOver) return;
    failures.set(reason, (failures.get(reason) ?? 0) + 1);
    setTimeout(() => next(open()), 10); // A refusing proxy must not turn this into a busy loop.
  },
};

const startedMs = performance.now();
for (let i = 0; i < order.connections; i++) next(open());
if (order.ratePerSecond > 0) offer();
if (order.seconds > 0) {
  const warmMs = order.ratePerSecond > 0 ? RATE_WARM_MS : 0;
  setTimeout(finish, order.seconds * 1_000 + warmMs);
}

function open(): RawConnection {
  return new RawConnection({ port: order.port, host: '127.0.0.1', keepsBody: false }, events);
}

/** Gives a free connection its next request. */
function next(connection: RawConnection): void {
  if (isOver) return;
  if (order.ratePerSecond === 0) connection.send(request);
  else if (lateAt < late.length) {
    connection.intendedMs = late[lateAt++]!;
    connection.send(request);
  } else idle.push(connection);
}

/**
 * Sends what is due and asks to be called again at once: timers tick in whole
 * milliseconds, which at 20,000 requests a second would mean bursts of twenty.
 */
function offer(): void {
  const intervalMs = 1_000 / order.ratePerSecond;
  let dueMs = performance.now();
  const turn = (): void => {
    const nowMs = performance.now();
    for (; dueMs <= nowMs; dueMs += intervalMs) {
      lagsMs.push(nowMs - dueMs);
      const connection = idle.pop();
      if (connection === undefined) late.push(dueMs);
      else {
        connection.intendedMs = dueMs;
        connection.send(request);
      }
    }
    if (!isOver) setImmediate(turn);
  };
  turn();
}

function finish(): void {
  if (isOver) return;
  isOver = true;
  const seconds = (performance.now() - startedMs) / 1_000;
  if (order.ratePerSecond > 0) setTimeout(() => say(seconds), GRACE_MS);
  else say(seconds);
}

function say(seconds: number): void {
  // What was never sent has waited at least this long; left out, it would flatter the slow.
  const nowMs = performance.now();
  for (const dueMs of late.slice(lateAt)) latenciesMs.push(nowMs - dueMs);
  const result: LoadResult = {
    requests,
    seconds,
    bytes,
    errors: [...failures.values()].reduce((sum, count) => sum + count, 0),
    failures: Object.fromEntries(failures),
    unsent: late.length - lateAt,
    p50Ms: percentile(latenciesMs, 50),
    p99Ms: percentile(latenciesMs, 99),
    maxMs: percentile(latenciesMs, 100),
    lagP99Ms: percentile(lagsMs, 99),
  };
  // JSON has no NaN: latencies of a closed loop are left out.
  const text = JSON.stringify(result, (_, value: unknown) =>
    Number.isNaN(value) ? undefined : value,
  );
  process.stdout.write(`RESULT ${text}\n`, () => process.exit(0));
}
