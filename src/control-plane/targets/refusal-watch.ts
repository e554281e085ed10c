// Looks whether workers fail to connect to an address of a name: it may have moved just now, as a
// container does that is made anew. Only raises the doubt; names.ts decides when to ask again.

import { ENDPOINT_ROW } from '../../contract/counters.ts';
import { deploymentsOf, isNamed, type RoutingTable } from '../../contract/table.ts';
import { REFUSALS_LOOK_MS } from '../base/control-limits.ts';
import type { Timers } from '../base/timers.ts';
import type { Totals } from '../memory/totals.ts';
import type { Names } from './names.ts';

interface RefusalWatchParts {
  /** The one in force. */
  readonly table: () => RoutingTable;
  readonly names: Pick<Names, 'of' | 'doubt'>;
  readonly totals: Pick<Totals, 'endpoint'>;
  readonly timers: Timers;
}

export class RefusalWatch {
  readonly #parts: RefusalWatchParts;
  /** Connects that had failed by the last look, by slot. */
  #failed: ReadonlyMap<number, number> = new Map();
  #cancel = (): void => {};

  constructor(parts: RefusalWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#cancel = this.#parts.timers.after(REFUSALS_LOOK_MS, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#cancel();
  }

  #look(): void {
    const { names, totals } = this.#parts;
    const failed = new Map(
      this.#slots().map((slot) => [slot, totals.endpoint(slot, ENDPOINT_ROW.connectFailures)]),
    );
    const before = this.#failed;
    this.#failed = failed;
    // A count that is lower belongs to another address, which got the slot meanwhile.
    for (const [slot, count] of failed) if (count > (before.get(slot) ?? count)) names.doubt(slot);
  }

  /** Slots of all addresses to which names lead. */
  #slots(): number[] {
    const endpoints = this.#parts
      .table()
      .services.flatMap((service) =>
        deploymentsOf(service).flatMap((one) => one.endpoints.filter(isNamed)),
      );
    return endpoints.flatMap((one) => this.#parts.names.of(one)).map(({ slot }) => slot);
  }
}
