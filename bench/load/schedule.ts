// Requests at a fixed rate on raw sockets. The latency of each counts from the moment at
// which it was due, so a proxy that stalls can't hide the requests that came meanwhile.
// No load tool of npm does this: bench/README.md shows what autocannon does. Says one JSON line.
//
// node bench/load/schedule.ts JSON_OF_SCHEDULE_ORDER

import { readFileSync } from 'node:fs';
import { percentile } from '../harness/statistics.ts';
import type { ScheduleOrder, ScheduleResult } from './load.ts';
import { RawConnection, type ConnectionEvents } from './raw-connection.ts';

/** Start of the run that is not measured: connections open, code gets compiled. */
const WARM_MS = 500;
/** How long the end waits for the last answers. */
const GRACE_MS = 1_000;
/** A proxy that refuses connections must not turn this into a busy loop. */
const REOPEN_MS = 10;

// Written by load.ts of the same version.
const order = JSON.parse(process.argv[2] ?? '{}') as ScheduleOrder;
const request = readFileSync(order.requestFile);
const latenciesMs: number[] = [];
/** How long after it was due this process noticed each request. */
const lagsMs: number[] = [];
const failures = new Map<string, number>();
const idle: RawConnection[] = [];
/** When the requests were due that found every connection busy. */
const late: number[] = [];
let lateAt = 0;
let requests = 0;
let isOver = false;

const events: ConnectionEvents = {
  onAnswer(connection) {
    requests++;
    if (connection.intendedMs > startedMs + WARM_MS) {
      latenciesMs.push(performance.now() - connection.intendedMs);
    }
    if (isOver) return;
    if (connection.isReusable) next(connection);
    else {
      connection.close();
      next(open());
    }
  },
  onFailure(_connection, reason) {
    if (isOver) return;
    failures.set(reason, (failures.get(reason) ?? 0) + 1);
    setTimeout(() => next(open()), REOPEN_MS);
  },
};

const startedMs = performance.now();
for (let i = 0; i < order.connections; i++) next(open());
offer();
setTimeout(finish, order.seconds * 1_000 + WARM_MS);

function open(): RawConnection {
  return new RawConnection({ port: order.port, host: '127.0.0.1', keepsBody: false }, events);
}

/** Gives a free connection its next request. */
function next(connection: RawConnection): void {
  if (isOver) return;
  if (lateAt < late.length) {
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
  isOver = true;
  const seconds = (performance.now() - startedMs) / 1_000;
  setTimeout(() => say(seconds), GRACE_MS);
}

function say(seconds: number): void {
  // What was never sent has waited at least this long; left out, it would flatter the slow.
  const nowMs = performance.now();
  for (const dueMs of late.slice(lateAt)) latenciesMs.push(nowMs - dueMs);
  const result: ScheduleResult = {
    requests,
    seconds,
    errors: [...failures.values()].reduce((sum, count) => sum + count, 0),
    failures: Object.fromEntries(failures),
    unsent: late.length - lateAt,
    p50Ms: percentile(latenciesMs, 50),
    p99Ms: percentile(latenciesMs, 99),
    maxMs: percentile(latenciesMs, 100),
    lagP99Ms: percentile(lagsMs, 99),
  };
  process.stdout.write(`RESULT ${JSON.stringify(result)}\n`, () => process.exit(0));
}
