// Counts what became of changes, for the metrics: per service and direction.

import { DURATION_EDGES_MS, observe } from '../../contract/counters.ts';
import { COLORS, otherColor, type Color, type RoutingTable } from '../../contract/table.ts';
import type { ServiceState, SwitchOutcome } from '../store/service-state.ts';
import type { SwitchRecord } from '../store/store.ts';

type TalliedOutcome = SwitchOutcome | 'refused' | 'failed';

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

  published({ service, from, to, outcome, atMs }: SwitchRecord, tookMs: number): void {
    this.#add({ service, from, to, outcome });
    this.lastAtSeconds.set(service, atMs / 1_000);
    observe(this.durations, 0, tookMs);
  }

  refused({ name, active }: ServiceState, outcome: 'refused' | 'failed'): void {
    this.#add({ service: name, from: active, to: otherColor(active), outcome });
  }

  #add({ service, from, to, outcome }: Omit<SwitchCount, 'count'>): void {
    const row = this.counts.find(
      (one) =>
        one.service === service && one.from === from && one.to === to && one.outcome === outcome,
    );
    // A deployment that took the place of another one on its color is rare: it gets a row then.
    if (row === undefined) this.counts.push({ service, from, to, outcome, count: 1 });
    else row.count++;
  }
}
