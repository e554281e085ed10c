// The load of hold-load.ts: offers numbered requests at a fixed rate, whatever becomes of them.

import { RawConnection } from '../../bench/load/raw-connection.ts';
import { AdminClient } from './admin-client.ts';
import type { CallNote, HoldAsk, HoldLoadPlan, HoldVerdict, SentNote } from './hold-load.ts';

const plan = JSON.parse(process.argv[2]!) as HoldLoadPlan;
const admin = new AdminClient(plan.admin);
const TURN_MS = 2;
/** Requests that are answered before the load counts as started. */
const WARM_COUNT = 20;

interface Flight {
  readonly path: string;
  readonly sentAt: number;
}

const notes: SentNote[] = [];
const failures = new Map<string, number>();
const idle: RawConnection[] = [];
const flights = new Map<RawConnection, Flight>();
/** Requests that are due and found no connection. */
let lateCount = 0;
let openCount = 0;
let openMax = 0;
let sentCount = 0;
let tick = 0;
let firstAnswerMs = 0;
let lastAnswerMs = 0;
let isOver = false;
let whenIdle: (() => void) | undefined;

const events = {
  onAnswer(connection: RawConnection): void {
    const { path, sentAt } = flights.get(connection)!;
    flights.delete(connection);
    lastAnswerMs = performance.now();
    if (notes.length === 0) firstAnswerMs = lastAnswerMs;
    notes.push({ path, sentAt, answeredAt: ++tick, body: connection.bodyText });
    if (notes.length === WARM_COUNT) process.send!('started');
    if (connection.isReusable) idle.push(connection);
    else closed();
    sendLate();
  },
  onFailure(connection: RawConnection, reason: string): void {
    const flight = flights.get(connection);
    flights.delete(connection);
    const place = idle.indexOf(connection);
    if (place !== -1) idle.splice(place, 1);
    closed();
    // A connection may close while nothing is on it; whatever else happens is a failure.
    const isHarmless = flight === undefined && reason === 'closed by the other side';
    if (!isHarmless) failures.set(reason, (failures.get(reason) ?? 0) + 1);
    sendLate();
  },
};

function closed(): void {
  openCount--;
}

function offer(): void {
  const startedMs = performance.now();
  let offered = 0;
  const turn = setInterval(() => {
    if (isOver) {
      clearInterval(turn);
      return;
    }
    const due = Math.floor(((performance.now() - startedMs) / 1_000) * plan.ratePerSecond);
    lateCount += due - offered;
    offered = due;
    sendLate();
  }, TURN_MS);
}

function sendLate(): void {
  while (lateCount > 0) {
    const connection = idle.pop() ?? open();
    if (connection === undefined) return;
    lateCount--;
    const path = `/n/${sentCount++}`;
    flights.set(connection, { path, sentAt: ++tick });
    connection.send(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: shop.test\r\n\r\n`));
  }
  if (isOver && flights.size === 0) whenIdle?.();
}

function open(): RawConnection | undefined {
  if (openCount >= plan.connectionsMax) return undefined;
  openCount++;
  openMax = Math.max(openMax, openCount);
  return new RawConnection({ port: plan.port, host: '127.0.0.1', keepsBody: true }, events);
}

async function call(path: string, body: object): Promise<CallNote> {
  const calledAt = ++tick;
  const { status, text } = await admin.post(path, body);
  return { calledAt, answeredAt: ++tick, status, text };
}

async function finish(): Promise<HoldVerdict> {
  isOver = true;
  await new Promise<void>((resolve) => {
    whenIdle = resolve;
    sendLate();
  });
  const seconds = (lastAnswerMs - firstAnswerMs) / 1_000;
  for (const connection of idle) connection.close();
  admin.close();
  return {
    notes,
    failures: Object.fromEntries(failures),
    answeredPerSecond: notes.length / seconds,
    connections: openMax,
  };
}

process.on('message', (ask: HoldAsk) => void obey(ask));

async function obey(ask: HoldAsk): Promise<void> {
  const result = ask.do === 'call' ? await call(ask.path, ask.body) : await finish();
  // What was said last must have left before the end.
  process.send!(result, () => {
    if (ask.do === 'finish') process.disconnect();
  });
}

// A test that has gone needs no load.
process.once('disconnect', () => process.exit());
offer();
