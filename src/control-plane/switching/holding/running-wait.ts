// Waits until nothing runs any more on a service whose requests are held or turned away. Ends early
// when that state ends: a wait for what will not come must not last.

import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningRequest } from '../../../contract/running-request.ts';
import type { RoutingTable, Service } from '../../../contract/table.ts';
import {
  RUNNING_LOOK_MS,
  RUNNING_NAMED_MAX,
  RUNNING_WAITERS_MAX,
} from '../../base/control-limits.ts';
import type { Totals } from '../../memory/totals.ts';
import type { NameRunning } from './hold-switch.ts';
import { blocksInUse, stillRuns } from './running-counts.ts';

export interface RunningWaitParts {
  readonly table: () => RoutingTable;
  readonly totals: Pick<Totals, 'blockSlot'>;
  readonly nameRunning: NameRunning;
  /** Connections of the process before an upgrade; undefined: not known yet. */
  readonly leftBehind: () => number | undefined;
  /** Nothing is waited for any more. */
  readonly isStopping: () => boolean;
}

/** What still runs on a service at one moment. */
export interface StillRunning {
  /** Event streams left out. */
  readonly requests: number;
  readonly tunnels: number;
  readonly streams: number;
  /** Connections that the process before an upgrade finishes; undefined: not known yet. */
  readonly leftBehind: number | undefined;
  /** The oldest of it. */
  readonly oldest: readonly RunningRequest[];
  /** Requests are still held, or turned away. */
  readonly isOn: boolean;
}

interface Counts extends Pick<StillRunning, 'requests' | 'tunnels' | 'streams'> {
  readonly left: number | undefined;
  readonly isQuiet: boolean;
}

export class RunningWait {
  readonly #parts: RunningWaitParts;
  #waiterCount = 0;

  constructor(parts: RunningWaitParts) {
    this.#parts = parts;
  }

  /**
   * Resolves with what runs on the service `name` when that is nothing, after `withinMs`, or when
   * `isOn` says that its requests go through again. Too many waits end at once.
   */
  async until(
    name: string,
    withinMs: number,
    isOn: (service: Service) => boolean,
  ): Promise<StillRunning> {
    const endMs = performance.now() + withinMs;
    this.#waiterCount++;
    try {
      for (;;) {
        const service = this.#parts.table().services.find((one) => one.name === name);
        if (service === undefined) return NOTHING;
        const counts = this.#countsOf(service);
        const isOver = performance.now() >= endMs || this.#waiterCount > RUNNING_WAITERS_MAX;
        const isStill = isOn(service);
        if (!isStill || isOver || counts.isQuiet || this.#parts.isStopping()) {
          return await this.#answer(service, counts, isStill);
        }
        await sleep(RUNNING_LOOK_MS);
      }
    } finally {
      this.#waiterCount--;
    }
  }

  #countsOf(service: Service): Counts {
    const { totals, leftBehind } = this.#parts;
    const { requests, tunnels, streams } = stillRuns(totals, blocksInUse(service));
    const left = leftBehind();
    const isQuiet = requests === 0 && tunnels === 0 && left === 0;
    return { requests: Math.max(0, requests - streams), tunnels, streams, left, isQuiet };
  }

  async #answer(
    service: Service,
    { requests, tunnels, streams, left, isQuiet }: Counts,
    isOn: boolean,
  ): Promise<StillRunning> {
    const blocks = blocksInUse(service);
    const oldest = isQuiet ? [] : await this.#parts.nameRunning(blocks, RUNNING_NAMED_MAX);
    return { requests, tunnels, streams, leftBehind: left, oldest, isOn };
  }
}

/** Of a service that is not configured any more. */
const NOTHING: StillRunning = {
  requests: 0,
  tunnels: 0,
  streams: 0,
  leftBehind: 0,
  oldest: [],
  isOn: false,
};
