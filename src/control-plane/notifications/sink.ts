// One receiver of events: gets them one after the other, in order, each until it has it or its tries are
// over. Waits for no other receiver. What a delivery is, and which events it wants, it is told.

import type { Timers } from '../base/timers.ts';
import {
  SINK_EVENT_AGE_MAX_MS,
  SINK_EVENT_LIFE_MS,
  SINK_PAUSE_MS,
  SINK_POSITION_EVERY,
  SINK_RETRY_AFTER_MAX_MS,
  SINK_WAITING_MAX,
  SINK_WAITS_MS,
  EVENTS_AT_ONCE,
} from '../base/control-limits.ts';
import { messageOf } from '../base/problems.ts';
import type { EventStore, StoredEvent } from '../store/rollout-store.ts';

export type Delivery =
  | { readonly kind: 'taken' }
  /** `refused`: the receiver is there and does not want this event. `failed`: it may take it later. */
  | {
      readonly kind: 'refused' | 'failed';
      readonly reason: string;
      readonly retryAfterMs?: number | undefined;
    };

export interface SinkParts {
  /** Under which the position is stored. */
  readonly key: string;
  readonly log: EventStore;
  readonly wants: (row: StoredEvent) => boolean;
  /** Tries once. */
  readonly deliver: (row: StoredEvent, signal: AbortSignal) => Promise<Delivery>;
  /** It was given up. */
  readonly onGivenUp: (given: GivenUp) => void;
  readonly timers: Timers;
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /** In ms since the epoch. */
  readonly wallNow: () => number;
}

/** An event that its receiver did not get. */
export interface GivenUp {
  readonly row: StoredEvent;
  readonly tries: number;
  readonly reason: string;
}

/** What an operator is told of a receiver. */
export interface SinkStatus {
  readonly waiting: number;
  readonly delivered: number;
  readonly givenUp: number;
  /** Events that nothing was tried for: too many waited, or the log has them no more. */
  readonly dropped: number;
  /** Why the last try failed; empty: it did not. */
  readonly fault: string;
}

interface Waiting {
  readonly row: StoredEvent;
  readonly sinceMs: number;
}

export class Sink {
  readonly #parts: SinkParts;
  #waiting: Waiting[] = [];
  /** Every row up to here was delivered, given up, dropped, or not wanted. */
  #done: number;
  #stored: number;
  #triesOfFirst = 0;
  #failuresInARow = 0;
  #delivered = 0;
  #givenUp = 0;
  #dropped = 0;
  #fault = '';
  #running: AbortController | undefined;
  #cancelWait: (() => void) | undefined;
  #isStopped = false;

  /** Goes on where the process before has stopped; `upTo`: later rows are handed to `take`. */
  constructor(parts: SinkParts, upTo: number) {
    this.#parts = parts;
    const stored = parts.log.delivered(parts.key);
    this.#done = stored ?? upTo;
    this.#stored = this.#done;
    // At once: what happens before the first delivery is not lost with this process.
    if (stored === undefined) this.#store();
    else this.#catchUp(upTo);
    this.#next();
  }

  get status(): SinkStatus {
    return {
      waiting: this.#waiting.length,
      delivered: this.#delivered,
      givenUp: this.#givenUp,
      dropped: this.#dropped,
      fault: this.#fault,
    };
  }

  /** There are new rows. */
  take(rows: readonly StoredEvent[]): void {
    this.#enqueue(rows);
    this.#next();
  }

  /** Delivers no more; what is under way is called off and repeated by the next process. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelWait?.();
    this.#running?.abort();
  }

  #catchUp(upTo: number): void {
    const { log } = this.#parts;
    for (let seq = this.#done; seq < upTo;) {
      const rows = log.after(seq, EVENTS_AT_ONCE).filter((row) => row.seq <= upTo);
      const last = rows.at(-1);
      if (last === undefined) return;
      const gap = rows[0]!.seq - seq - 1;
      if (gap > 0) this.#drop(gap);
      this.#enqueue(rows);
      seq = last.seq;
    }
  }

  #enqueue(rows: readonly StoredEvent[]): void {
    const { wants, now, wallNow } = this.#parts;
    const sinceMs = now();
    const oldestMs = wallNow() - SINK_EVENT_AGE_MAX_MS;
    for (const row of rows) {
      if (row.seq <= this.#done) continue;
      if (!wants(row)) this.#passed(row.seq);
      else if (row.atMs < oldestMs) this.#skip(row, 'older than a day');
      else this.#waiting.push({ row, sinceMs });
    }
    while (this.#waiting.length > SINK_WAITING_MAX) {
      // The first one may be under way.
      const [oldest] = this.#waiting.splice(this.#running === undefined ? 0 : 1, 1);
      if (this.#running === undefined) this.#triesOfFirst = 0;
      this.#skip(oldest!.row, `${SINK_WAITING_MAX} events wait already`);
    }
  }

  #skip(row: StoredEvent, reason: string): void {
    this.#drop(1);
    this.#parts.onGivenUp({ row, tries: 0, reason: `dropped: ${reason}` });
    this.#passed(row.seq);
  }

  #drop(count: number): void {
    this.#dropped += count;
  }

  /** Nothing is left to do for the row `seq`. */
  #passed(seq: number): void {
    // What waits is older.
    if (this.#waiting.length > 0) return;
    this.#done = seq;
    if (seq - this.#stored >= SINK_POSITION_EVERY) this.#store();
  }

  #next(): void {
    if (this.#isStopped || this.#running !== undefined || this.#cancelWait !== undefined) return;
    const [first] = this.#waiting;
    if (first !== undefined) void this.#try(first);
  }

  async #try(first: Waiting): Promise<void> {
    this.#running = new AbortController();
    const delivery = await this.#delivery(first.row, this.#running.signal);
    this.#running = undefined;
    if (this.#isStopped) return;
    this.#triesOfFirst++;
    if (delivery.kind === 'taken') {
      this.#fault = '';
      this.#failuresInARow = 0;
      this.#delivered++;
      this.#finish(first);
      this.#next();
      return;
    }
    this.#fault = delivery.reason;
    this.#failuresInARow++;
    this.#pause(
      this.#isOver(first) ? this.#giveUp(first, delivery) : waitOf(this.#failuresInARow, delivery),
    );
  }

  async #delivery(row: StoredEvent, signal: AbortSignal): Promise<Delivery> {
    try {
      return await this.#parts.deliver(row, signal);
    } catch (error) {
      return { kind: 'failed', reason: messageOf(error) };
    }
  }

  #isOver({ sinceMs }: Waiting): boolean {
    const ageMs = this.#parts.now() - sinceMs;
    return this.#triesOfFirst > SINK_WAITS_MS.length || ageMs >= SINK_EVENT_LIFE_MS;
  }

  /** Returns how long to wait until the next one is tried. */
  #giveUp(first: Waiting, delivery: Exclude<Delivery, { kind: 'taken' }>): number {
    const { row } = first;
    this.#givenUp++;
    this.#parts.onGivenUp({ row, tries: this.#triesOfFirst, reason: delivery.reason });
    this.#finish(first);
    // A receiver that has refused may take the next one soon. One that is away is asked seldom, so it loses few.
    if (delivery.kind === 'failed') return waitOf(this.#failuresInARow, delivery);
    this.#failuresInARow = 0;
    return SINK_PAUSE_MS;
  }

  #finish({ row }: Waiting): void {
    this.#waiting.shift();
    this.#triesOfFirst = 0;
    this.#done = row.seq;
    this.#store();
  }

  #pause(ms: number): void {
    this.#cancelWait = this.#parts.timers.after(ms, () => {
      this.#cancelWait = undefined;
      this.#next();
    });
  }

  #store(): void {
    const { key, log } = this.#parts;
    this.#stored = this.#done;
    // A position that is not stored repeats a delivery, which is allowed.
    log.setDelivered(key, this.#done).catch(() => {});
  }
}

function waitOf(
  failuresInARow: number,
  { retryAfterMs = 0 }: { retryAfterMs?: number | undefined },
): number {
  const ownMs = SINK_WAITS_MS[Math.min(failuresInARow, SINK_WAITS_MS.length) - 1]!;
  return Math.max(ownMs, Math.min(retryAfterMs, SINK_RETRY_AFTER_MAX_MS));
}
