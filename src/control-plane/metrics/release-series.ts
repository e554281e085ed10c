// Which releases have series, and what counts in them. A release that has gone keeps its series for some
// scrapes, so that no count is lost between two of them, and then has none: else every deployment would
// leave its series for as long as the process runs.

import { FAILURE_CODES } from '../../base/failures.ts';
import { BLOCK, BLOCK_SLOTS } from '../../contract/counters.ts';
import type { BlockOwner, Slots } from '../memory/slots.ts';
import type { Totals } from '../memory/totals.ts';
import type { Labels } from './prometheus.ts';

/** A release has series until as many scrapes have had its last counts: two scrapers, and one by hand. */
export const GONE_SCRAPES = 3;
/** And for this long: scrapes are a minute apart at most, and may come twice for one scraper. */
export const GONE_MS = 300_000;
/** Of the releases that have gone, the latest have series; more are not deployed within five minutes. */
export const GONE_RELEASES_MAX = 8;

/** The blocks of one release on one color: they are one series. */
interface Release {
  readonly key: string;
  readonly labels: Labels;
  readonly blocks: number[];
  isThere: boolean;
  leftAt: number;
}

export interface ReleaseSeriesParts {
  readonly slots: Pick<Slots, 'blocks' | 'onClearing'>;
  readonly totals: Pick<Totals, 'block' | 'blockSlot' | 'isBlockQuiet'>;
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number;
}

export class ReleaseSeries {
  readonly #parts: ReleaseSeriesParts;
  /** Scrapes since the release has gone. */
  readonly #gone = new Map<string, { readonly sinceMs: number; scrapes: number }>();
  /** What was counted in blocks of a release that count for another one now. */
  readonly #carried = new Map<string, Float64Array>();
  readonly #clearedFailures = new Float64Array(FAILURE_CODES.length);

  constructor(parts: ReleaseSeriesParts) {
    this.#parts = parts;
    parts.slots.onClearing((owner, block) => this.#carry(keyOf(owner), block));
  }

  /** To be called once for each scrape; returns the releases that it shows. */
  shown(): Release[] {
    const releases = this.#releases();
    const known = new Set(releases.map(({ key }) => key));
    for (const key of this.#gone.keys()) if (!known.has(key)) this.#gone.delete(key);
    for (const key of this.#carried.keys()) if (!known.has(key)) this.#carried.delete(key);
    for (const { key, isThere } of releases) if (isThere) this.#gone.delete(key);
    const there = releases.filter(({ isThere }) => isThere);
    const leaving = releases
      .filter((release) => !release.isThere && this.#isStillShown(release))
      .toSorted((a, b) => b.leftAt - a.leftAt)
      .slice(0, GONE_RELEASES_MAX);
    return [...there, ...leaving];
  }

  /** Returns all that was counted for a release, laid out as BLOCK says. */
  sumOf({ key, blocks }: Release): Float64Array {
    const sum = Float64Array.from(this.#carried.get(key) ?? new Float64Array(BLOCK_SLOTS));
    for (const block of blocks) add(sum, this.#parts.totals.block(block));
    return sum;
  }

  /** Returns what was counted where no target was asked. */
  ofNoRelease(): Float64Array {
    return this.#parts.totals.block(0);
  }

  /** Returns the failures of all requests since the start, also those of releases without series. */
  failures(): Float64Array {
    const { slots, totals } = this.#parts;
    const sum = Float64Array.from(this.#clearedFailures);
    for (const block of [0, ...slots.blocks().map((one) => one.block)]) {
      for (let index = 0; index < sum.length; index++) {
        sum[index]! += totals.blockSlot(block, BLOCK.failures + index);
      }
    }
    return sum;
  }

  #releases(): Release[] {
    const { slots, totals } = this.#parts;
    const releases = new Map<string, Release>();
    for (const { block, service, color, release, leftAt } of slots.blocks()) {
      const labels: Labels = { service, color, release };
      const key = keyOf({ service, color, release });
      const one = releases.get(key) ?? { key, labels, blocks: [], isThere: false, leftAt: 0 };
      one.blocks.push(block);
      // Requests may outlive the table that named it.
      one.isThere ||= leftAt === undefined || !totals.isBlockQuiet(block);
      one.leftAt = Math.max(one.leftAt, leftAt ?? 0);
      releases.set(key, one);
    }
    return [...releases.values()];
  }

  #isStillShown({ key }: Release): boolean {
    const nowMs = this.#parts.now();
    const gone = this.#gone.get(key) ?? { sinceMs: nowMs, scrapes: 0 };
    this.#gone.set(key, gone);
    gone.scrapes++;
    return gone.scrapes <= GONE_SCRAPES || nowMs - gone.sinceMs < GONE_MS;
  }

  #carry(key: string, block: number): void {
    const sum = this.#parts.totals.block(block);
    for (let index = 0; index < this.#clearedFailures.length; index++) {
      this.#clearedFailures[index]! += sum[BLOCK.failures + index]!;
    }
    const carried = this.#carried.get(key);
    if (carried === undefined) this.#carried.set(key, sum);
    else add(carried, sum);
  }
}

function keyOf({
  service,
  color,
  release,
}: Pick<BlockOwner, 'service' | 'color' | 'release'>): string {
  return JSON.stringify([service, color, release]);
}

function add(sum: Float64Array, more: Float64Array): void {
  for (let slot = 0; slot < sum.length; slot++) sum[slot]! += more[slot]!;
}
