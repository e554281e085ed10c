// The last minute of every release: how much, how well, how fast. Looks at the shared counters
// once a second and keeps the sums; a percentile comes from summed buckets. What a preview shows
// is left out. Knows neither HTTP nor what the numbers are good for.

import {
  BLOCK,
  DECISIONS,
  DECISION,
  DURATION_EDGES_MS,
  requestSlot,
  STATUS_MIN,
} from '../../contract/counters.ts';
import { runningOf, type RoutingTable } from '../../contract/table.ts';
import { RECENT_EVERY_MS, RECENT_GAP_MAX_MS, RECENT_SLOTS } from '../base/control-limits.ts';
import type { Totals } from './totals.ts';

/** What one release did within the last minute, or since it is known. */
export interface RecentTraffic {
  /** One for each look, the latest last; at most RECENT_SLOTS. */
  readonly requestsPerSecond: readonly number[];
  /** The same, of those answered with 500 to 599. */
  readonly errorsPerSecond: readonly number[];
  readonly requests: number;
  /** Answered with 500 to 599, by the target or by Turnout. */
  readonly errors: number;
  /** Estimated within a bucket; undefined: nothing that takes a time was answered. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

interface RecentParts {
  readonly totals: Pick<Totals, 'blockRange' | 'blockSlot' | 'lifeOf'>;
  readonly table: () => RoutingTable;
  /** Milliseconds that only grow; default: those of the process. */
  readonly now?: () => number;
}

const STATUS_COUNT = requestSlot(1, STATUS_MIN) - requestSlot(0, STATUS_MIN);
const ERROR_MIN = 500;
const BUCKETS = DURATION_EDGES_MS.length + 1;

/** A look at one block: requests, errors, then the buckets; all of them since the start. */
const REQUESTS = 0;
const ERRORS = 1;
const FIRST_BUCKET = 2;
const COLUMNS = FIRST_BUCKET + BUCKETS;

/** Between so many looks lie RECENT_SLOTS seconds. */
const LOOKS = RECENT_SLOTS + 1;

/** What is judged: everything but previews. */
const JUDGED = DECISIONS.map((_, index) => index).filter((index) => index !== DECISION.preview);

/**
 * The looks at one block, a ring:
 *
 *   look n  ─►  row n % LOOKS of `sums`
 */
interface Window {
  readonly sums: Float64Array;
  /** The first look. */
  readonly born: number;
  /** Whose counters these are: `lifeOf` the block. */
  readonly life: number;
}

/** Samples the counters of every release that a table names. */
export class Recent {
  readonly #parts: RecentParts;
  readonly #now: () => number;
  readonly #windows = new Map<number, Window>();
  readonly #timesMs = new Float64Array(LOOKS);
  /** Number of the latest look; -1 before the first. */
  #look = -1;
  #table: RoutingTable | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: RecentParts) {
    this.#parts = parts;
    this.#now = parts.now ?? (() => performance.now());
  }

  start(): void {
    this.look();
    // One timer for everything; it keeps no process alive.
    this.#timer = setInterval(() => this.look(), RECENT_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks once. Allocates only when a release is new. */
  look(): void {
    const nowMs = this.#now();
    const lastMs = this.#timesMs[this.#look % LOOKS] ?? nowMs;
    if (nowMs - lastMs > RECENT_GAP_MAX_MS) this.#windows.clear();
    this.#look += 1;
    this.#timesMs[this.#look % LOOKS] = nowMs;
    this.#follow(this.#parts.table());
    for (const [block, { sums }] of this.#windows) this.#copy(block, sums);
  }

  /** Returns the last minute of `block`; empty where no table names it. */
  of(block: number): RecentTraffic {
    const window = this.#windows.get(block);
    if (window === undefined || window.life !== this.#parts.totals.lifeOf(block)) return NOTHING;
    const first = Math.max(window.born, this.#look - RECENT_SLOTS);
    const { sums } = window;
    const at = (look: number, column: number): number => sums[(look % LOOKS) * COLUMNS + column]!;
    const grown = (column: number): number => at(this.#look, column) - at(first, column);
    const rates = (column: number): number[] => {
      const all: number[] = [];
      for (let look = first + 1; look <= this.#look; look++) {
        const elapsedMs = this.#timesMs[look % LOOKS]! - this.#timesMs[(look - 1) % LOOKS]!;
        const count = at(look, column) - at(look - 1, column);
        all.push(elapsedMs > 0 ? (count / elapsedMs) * 1_000 : 0);
      }
      return all;
    };
    const buckets = Array.from({ length: BUCKETS }, (_, index) => grown(FIRST_BUCKET + index));
    return {
      requestsPerSecond: rates(REQUESTS),
      errorsPerSecond: rates(ERRORS),
      requests: grown(REQUESTS),
      errors: grown(ERRORS),
      p50Ms: percentileMs(buckets, 0.5),
      p99Ms: percentileMs(buckets, 0.99),
    };
  }

  /** Keeps windows for the blocks that `table` names, and for no other. */
  #follow(table: RoutingTable): void {
    if (table === this.#table && this.#windows.size > 0) return;
    this.#table = table;
    const named = new Set(table.services.flatMap(runningOf).map(({ block }) => block));
    for (const block of this.#windows.keys()) if (!named.has(block)) this.#windows.delete(block);
    for (const block of named) {
      const life = this.#parts.totals.lifeOf(block);
      if (this.#windows.get(block)?.life === life) continue;
      const sums = new Float64Array(LOOKS * COLUMNS);
      this.#windows.set(block, { sums, born: this.#look, life });
    }
  }

  #copy(block: number, sums: Float64Array): void {
    copySums(this.#parts.totals, block, sums, (this.#look % LOOKS) * COLUMNS);
  }
}

/** Numbers of `copySums`. */
export const SUM_COLUMNS = {
  requests: REQUESTS,
  errors: ERRORS,
  firstBucket: FIRST_BUCKET,
  count: COLUMNS,
};

/** Writes what `block` has counted since its life began into `sums`, from `at` on. Allocates nothing. */
export function copySums(
  totals: Pick<Totals, 'blockRange' | 'blockSlot'>,
  block: number,
  sums: Float64Array,
  at: number,
): void {
  let requests = 0;
  let errors = 0;
  for (const decision of JUDGED) {
    const ok = ERROR_MIN - STATUS_MIN;
    const failed = totals.blockRange(block, requestSlot(decision, ERROR_MIN), STATUS_COUNT - ok);
    errors += failed;
    requests += failed + totals.blockRange(block, requestSlot(decision, STATUS_MIN), ok);
  }
  sums[at + REQUESTS] = requests;
  sums[at + ERRORS] = errors;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    sums[at + FIRST_BUCKET + bucket] = totals.blockSlot(block, BLOCK.duration + bucket);
  }
}

const NOTHING: RecentTraffic = {
  requestsPerSecond: [],
  errorsPerSecond: [],
  requests: 0,
  errors: 0,
  p50Ms: undefined,
  p99Ms: undefined,
};

/**
 * Returns the time under which `share` of what was counted lies, evenly spread within a bucket;
 * what is over the last edge counts as that edge. Undefined where nothing was counted.
 */
export function percentileMs(buckets: readonly number[], share: number): number | undefined {
  const count = buckets.reduce((sum, one) => sum + one, 0);
  if (count <= 0) return undefined;
  const wanted = count * share;
  let below = 0;
  for (const [index, inside] of buckets.entries()) {
    if (below + inside < wanted || inside === 0) {
      below += inside;
      continue;
    }
    const from = index === 0 ? 0 : DURATION_EDGES_MS[index - 1]!;
    const to = DURATION_EDGES_MS[index] ?? from;
    return from + ((wanted - below) / inside) * (to - from);
  }
  return DURATION_EDGES_MS.at(-1)!;
}
