// The last hour of each color, a point each ten seconds: how much, how well, how fast. A color has one
// deployment after the other; each point says which one it was. Knows no HTTP.

import { COLORS, runningOf, type Color, type RoutingTable } from '../../contract/table.ts';
import { BLOCK } from '../../contract/counters.ts';
import { RECENT_GAP_MAX_MS, SERIES_EVERY_MS, SERIES_POINTS } from '../base/control-limits.ts';
import { copySums, percentileMs, SUM_COLUMNS } from '../memory/recent.ts';
import type { Totals } from '../memory/totals.ts';

export interface SeriesPoint {
  /** Its end, in ms since the epoch. */
  readonly atMs: number;
  readonly deployment: number;
  readonly release: string;
  readonly requestsPerSecond: number;
  /** Of them, answered with 500 to 599. */
  readonly errorsPerSecond: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** At the end of the point. */
  readonly inflight: number;
}

interface SeriesParts {
  readonly totals: Pick<Totals, 'blockRange' | 'blockSlot' | 'lifeOf'>;
  readonly table: () => RoutingTable;
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /** In ms since the epoch. */
  readonly wallNow: () => number;
}

/** What a block had counted when it was last looked at. */
interface Look {
  readonly life: number;
  readonly sums: Float64Array;
}

/** What has been added since the look before. */
type Grown = Float64Array;

export class Series {
  readonly #parts: SeriesParts;
  /** By block; of every deployment of the table, so that one that comes to a color is known. */
  #looks = new Map<number, Look>();
  /** By service. */
  readonly #points = new Map<string, Record<Color, SeriesPoint[]>>();
  #lastMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: SeriesParts) {
    this.#parts = parts;
  }

  start(): void {
    this.look();
    this.#timer = setInterval(() => this.look(), SERIES_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Returns the points of a service, the oldest first, at most those of the last `minutes`. */
  of(service: string, minutes: number): Readonly<Record<Color, readonly SeriesPoint[]>> {
    const points = this.#points.get(service) ?? { blue: [], green: [] };
    const fromMs = this.#parts.wallNow() - minutes * 60_000;
    const since = (color: Color): SeriesPoint[] =>
      points[color].filter(({ atMs }) => atMs > fromMs);
    return { blue: since('blue'), green: since('green') };
  }

  /** Looks once. */
  look(): void {
    const { table, now, wallNow } = this.#parts;
    const nowMs = now();
    const elapsedMs = nowMs - (this.#lastMs ?? nowMs);
    this.#lastMs = nowMs;
    const { services } = table();
    const grown = this.#grown(services.flatMap(runningOf).map(({ block }) => block));
    const names = new Set(services.map(({ name }) => name));
    for (const name of this.#points.keys()) if (!names.has(name)) this.#points.delete(name);
    // A machine that slept has measured nothing meanwhile.
    if (elapsedMs <= 0 || elapsedMs > SERIES_EVERY_MS + RECENT_GAP_MAX_MS) return;
    const atMs = wallNow();
    for (const service of services) {
      const points = this.#points.get(service.name) ?? { blue: [], green: [] };
      this.#points.set(service.name, points);
      for (const color of COLORS) {
        const { number: deployment, release, block } = service[color];
        const sums = grown.get(block);
        if (deployment === 0 || sums === undefined) continue;
        const inflight = this.#parts.totals.blockSlot(block, BLOCK.inflight);
        points[color].push({ atMs, deployment, release, ...rates(sums, elapsedMs), inflight });
        if (points[color].length > SERIES_POINTS) points[color].shift();
      }
    }
  }

  /** Returns what each block has counted since the last look; none for a block that was not known then. */
  #grown(blocks: readonly number[]): Map<number, Grown> {
    const { totals } = this.#parts;
    const looks = new Map<number, Look>();
    const grown = new Map<number, Grown>();
    for (const block of blocks) {
      const before = this.#looks.get(block);
      const sums = new Float64Array(SUM_COLUMNS.count);
      const life = totals.lifeOf(block);
      copySums(totals, block, sums, 0);
      looks.set(block, { life, sums });
      if (before?.life !== life) continue;
      // Counters of a worker that has died stay; one that is smaller is not ours to guess about.
      grown.set(
        block,
        sums.map((sum, column) => Math.max(0, sum - before.sums[column]!)),
      );
    }
    this.#looks = looks;
    return grown;
  }
}

function rates(
  sums: Grown,
  elapsedMs: number,
): Omit<SeriesPoint, 'atMs' | 'deployment' | 'release' | 'inflight'> {
  const buckets = [...sums.subarray(SUM_COLUMNS.firstBucket)];
  return {
    requestsPerSecond: (sums[SUM_COLUMNS.requests]! / elapsedMs) * 1_000,
    errorsPerSecond: (sums[SUM_COLUMNS.errors]! / elapsedMs) * 1_000,
    p50Ms: percentileMs(buckets, 0.5),
    p99Ms: percentileMs(buckets, 0.99),
  };
}
