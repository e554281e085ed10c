// When each of many connections is closed, so that their clients do not all come back at once.
// Has a timer of its own: the wheel turns too coarsely to spread thousands over seconds.

import type { LongLived } from '../../contract/service-policy.ts';

/** The queue is looked at no more often than this. */
const STEP_MS = 10;

/** A close this late means that the thread stood still: what was due must not come all at once. */
const LATE_MS = 2 * STEP_MS;

/** Something that can be brought to an end in order. */
export interface Closable {
  /** Begins the end; does nothing where it has begun or come already. */
  endGently(): void;
  /** `endGently` threw: ends at once. */
  onFault(error: unknown): void;
}

export interface Pace {
  readonly longLived: LongLived;
  /** Window of `spread`, wait of `linger`. */
  readonly windowMs: number;
  /** 0: no limit. */
  readonly closesPerSecond: number;
}

/**
 * Returns when each of `count` closes is due, in ms from now, ascending. `spread` gives each an
 * equal share of the window and a random moment in it. `random` gives numbers below 1.
 */
export function dueTimes(count: number, pace: Pace, random: () => number): number[] {
  const { longLived, windowMs, closesPerSecond } = pace;
  const slowestMs = closesPerSecond === 0 ? 0 : 1_000 / closesPerSecond;
  const firstMs = longLived === 'linger' ? windowMs : 0;
  // The limit wins over the window: a storm of clients is what it is there to prevent.
  const shareMs = Math.max(slowestMs, longLived === 'spread' ? windowMs / count : 0);
  const spreadMs = longLived === 'spread' ? shareMs : 0;
  return Array.from({ length: count }, (_, i) => firstMs + i * shareMs + random() * spreadMs);
}

/** What is closed together, and can be called off together. */
export type PaceKey = number | string;

interface Due {
  readonly atMs: number;
  readonly isLimited: boolean;
  readonly key: PaceKey;
  readonly closable: Closable;
}

/** Closes things when they are due. */
export class ClosingPace {
  /** By time, ascending. */
  #queue: Due[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Takes `closables` of `key`, which are closed in random order. */
  add(key: PaceKey, closables: readonly Closable[], pace: Pace): void {
    const nowMs = performance.now();
    const order = shuffled(closables);
    const times = dueTimes(order.length, pace, Math.random);
    const isLimited = pace.closesPerSecond > 0;
    const added = order.map((closable, i): Due => {
      return { atMs: nowMs + times[i]!, isLimited, key, closable };
    });
    this.#queue = inOrder([...this.#queue, ...added]);
    this.#run();
  }

  /** Forgets what was not closed yet of `key`: all of it, or what `isMeant` tells. */
  cancel(key: PaceKey, isMeant: (closable: Closable) => boolean = () => true): void {
    this.#queue = this.#queue.filter((due) => due.key !== key || !isMeant(due.closable));
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
  }

  /** Keeps the limit on closes also after the thread stood still: what has one comes later. */
  #postpone(nowMs: number): void {
    const first = this.#queue.find(({ isLimited }) => isLimited);
    const lateMs = nowMs - (first?.atMs ?? nowMs);
    if (lateMs <= LATE_MS) return;
    this.#queue = inOrder(
      this.#queue.map((due) => (due.isLimited ? { ...due, atMs: due.atMs + lateMs } : due)),
    );
  }

  #run(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const nowMs = performance.now();
    this.#postpone(nowMs);
    let count = 0;
    while (count < this.#queue.length && this.#queue[count]!.atMs <= nowMs) count++;
    for (const { closable } of this.#queue.splice(0, count)) endGently(closable);
    const next = this.#queue[0];
    if (next === undefined) return;
    this.#timer = setTimeout(() => this.#run(), Math.max(STEP_MS, next.atMs - nowMs));
  }
}

function inOrder(queue: readonly Due[]): Due[] {
  return queue.toSorted((a, b) => a.atMs - b.atMs);
}

/** Fisher and Yates, so that no kind of client is always the last. */
function shuffled<T>(items: readonly T[]): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** An error in one must not keep the others open. */
function endGently(closable: Closable): void {
  try {
    closable.endGently();
  } catch (error) {
    closable.onFault(error);
  }
}
