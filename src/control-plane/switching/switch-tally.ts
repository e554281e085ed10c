// Counts what became of changes, for the metrics: per service and direction.

import { DURATION_EDGES_MS, observe } from '../../contract/counters.ts';
import {
  COLORS,
  otherColor,
  type Color,
  type RoutingTable,
  type Service,
} from '../../contract/table.ts';
import type { SwitchOutcome, SwitchRecord } from '../store/store.ts';

export type TalliedOutcome = SwitchOutcome | 'refused' | 'failed';

const OUTCOMES: readonly TalliedOutcome[] = ['switched', 'rolled-back', 'refused', 'failed'];

export interface SwitchCount {
  readonly service: string;
  readonly from: Color;
  readonly to: Color;
  readonly outcome: TalliedOutcome;
  count: number;
}

/** Grows while the process lives; every label set exists from the start, at zero. */
export class SwitchTally {
  readonly counts: SwitchCount[] = [];
  /** Buckets, rest and sum, as `observe` lays them out. */
  readonly durations = new Float64Array(DURATION_EDGES_MS.length + 2);
  /** Seconds since the epoch, per service that was switched. */
  readonly lastAtSeconds = new Map<string, number>();

  constructor(first: RoutingTable) {
    this.follow(first);
  }

  /** Begins to count for services that are new in `table`. */
  follow({ services }: RoutingTable): void {
    const known = new Set(this.counts.map(({ service }) => service));
    for (const { name } of services.filter((service) => !known.has(service.name))) {
      const rows = COLORS.flatMap((from) =>
        OUTCOMES.map((outcome): SwitchCount => {
          return { service: name, from, to: otherColor(from), outcome, count: 0 };
        }),
      );
      this.counts.push(...rows);
    }
  }

  published(record: SwitchRecord, tookMs: number): void {
    this.#add(record.service, record.from, record.outcome);
    this.lastAtSeconds.set(record.service, record.atMs / 1_000);
    observe(this.durations, 0, tookMs);
  }

  refused(service: Service, outcome: 'refused' | 'failed'): void {
    this.#add(service.name, service.active, outcome);
  }

  #add(service: string, from: Color, outcome: TalliedOutcome): void {
    const row = this.counts.find(
      (row) => row.service === service && row.from === from && row.outcome === outcome,
    );
    if (row) row.count++;
  }
}
