// Adds up what the workers count: one region each, one writer per slot, so a plain read
// is right. Also puts the gauges of a dead worker back to zero.

import {
  blockOffset,
  BLOCK_GAUGES,
  BLOCK_SLOTS,
  BLOCKS_MAX,
  DECISIONS,
  DURATION_EDGES_MS,
  ENDPOINT_GAUGES,
  ENDPOINT_ROW_SLOTS,
  endpointOffset,
  ENDPOINTS_MAX,
  HEALTH_WORD,
  requestSlot,
  STATUS_MIN,
  WORKER_ROW,
  workerRegion,
} from '../../contract/counters.ts';
import {
  clearClients,
  clientsOf,
  countClients,
  type ClientCounts,
} from '../../contract/client-sightings.ts';
import {
  clearSightings,
  countSightings,
  lastGivenS,
  sightingsOf,
  SLICES_PER_WINDOW,
} from '../../contract/session-sightings.ts';
import type { SharedMemory } from '../../contract/shared-memory.ts';
import type { SlotMemory } from './slots.ts';

const STATUS_MAX = 599;

/** The shared counters, seen as one. */
export class Totals implements SlotMemory {
  readonly #regions: readonly Float64Array[];
  readonly #sightings: readonly Uint32Array[];
  readonly #clients: readonly Uint32Array[];
  readonly #health: Int32Array;
  /** How often each block was put back to zero for another owner. */
  readonly #lives = new Uint32Array(BLOCKS_MAX);

  constructor(memory: SharedMemory, workerCount: number) {
    const workers = Array.from({ length: workerCount }, (_, index) => index);
    this.#regions = workers.map((index) => workerRegion(memory.counters, index));
    this.#health = memory.health;
    this.#clients = workers.map((index) => clientsOf(memory.clients, index));
    this.#sightings = workers.map((index) => sightingsOf(memory.sightings, index));
  }

  /** Returns the sum of one slot of a block. */
  blockSlot(block: number, slot: number): number {
    return this.#sum(blockOffset(block) + slot);
  }

  /** Returns the sum of `count` slots of a block from `first` on. Allocates nothing. */
  blockRange(block: number, first: number, count: number): number {
    const from = blockOffset(block) + first;
    let sum = 0;
    for (const region of this.#regions) {
      for (let slot = from; slot < from + count; slot++) sum += region[slot]!;
    }
    return sum;
  }

  /** Returns a number that changes whenever a block begins to count for another owner. */
  lifeOf(block: number): number {
    return this.#lives[block]!;
  }

  /** Returns about how many sessions were seen on a block within `windowS` before `nowS`. */
  sessions(
    block: number,
    { nowS, windowS }: { readonly nowS: number; readonly windowS: number },
  ): number {
    const sliceS = Math.max(1, Math.ceil(windowS / SLICES_PER_WINDOW));
    const lastSlice = Math.floor(nowS / sliceS);
    return countSightings(this.#sightings, {
      block,
      firstSlice: lastSlice - SLICES_PER_WINDOW,
      lastSlice,
    });
  }

  /** Returns when a session was last given on a block, in seconds since the epoch; 0: never. */
  lastGivenS(block: number): number {
    return lastGivenS(this.#sightings, block);
  }

  /** Returns about how many clients a block has answered lately, at `nowS` since the epoch. */
  clients(block: number, nowS: number): ClientCounts {
    return countClients(this.#clients, block, nowS);
  }

  isBlockQuiet(block: number): boolean {
    return BLOCK_GAUGES.every((slot) => this.blockSlot(block, slot) === 0);
  }

  isEndpointQuiet(slot: number): boolean {
    return ENDPOINT_GAUGES.every((gauge) => this.endpoint(slot, gauge) === 0);
  }

  clearBlock(block: number): void {
    this.#lives[block]! += 1;
    const at = blockOffset(block);
    for (const region of this.#regions) region.fill(0, at, at + BLOCK_SLOTS);
    for (const part of this.#sightings) clearSightings(part, block);
    for (const part of this.#clients) clearClients(part, block);
  }

  clearEndpoint(slot: number): void {
    const at = endpointOffset(slot);
    for (const region of this.#regions) region.fill(0, at, at + ENDPOINT_ROW_SLOTS);
    Atomics.store(this.#health, slot, HEALTH_WORD.unknown);
  }

  /** Returns the sum of one slot of the worker rows. */
  worker(slot: number): number {
    return this.#sum(slot);
  }

  /** Returns one block, summed over all workers, laid out as BLOCK says. */
  block(block: number): Float64Array {
    const at = blockOffset(block);
    const sum = new Float64Array(BLOCK_SLOTS);
    for (const region of this.#regions) {
      for (let slot = 0; slot < BLOCK_SLOTS; slot++) sum[slot]! += region[at + slot]!;
    }
    return sum;
  }

  /** Returns the sum of one slot of an endpoint row. */
  endpoint(endpoint: number, slot: number): number {
    return this.#sum(endpointOffset(endpoint) + slot);
  }

  #sum(slot: number): number {
    let sum = 0;
    for (const region of this.#regions) sum += region[slot]!;
    return sum;
  }
}

export interface RequestCount {
  readonly reason: string;
  readonly status: number;
  readonly count: number;
}

/** Returns the requests of a summed block by decision and status, without the zeros. */
export function requestCounts(block: Float64Array): RequestCount[] {
  const counts: RequestCount[] = [];
  for (const [index, reason] of DECISIONS.entries()) {
    for (let status = STATUS_MIN; status <= STATUS_MAX; status++) {
      const count = block[requestSlot(index, status)]!;
      if (count > 0) counts.push({ reason, status, count });
    }
  }
  return counts;
}

export interface HistogramTotals {
  /** Count per bucket, each on its own; the last one takes what is over the last edge. */
  readonly buckets: readonly number[];
  readonly sumMs: number;
}

/** Returns the histogram whose first bucket is at `at` of a summed block. */
export function histogramAt(slots: Float64Array, at: number): HistogramTotals {
  const sumAt = at + DURATION_EDGES_MS.length + 1;
  return { buckets: Array.from(slots.subarray(at, sumAt)), sumMs: slots[sumAt]! };
}

/**
 * Zeroes what goes up and down in the region of a worker that has ended. Counters stay.
 * Only touches slots that are in use, so unused pages keep costing nothing.
 */
export function resetGauges(memory: SharedMemory, workerIndex: number): void {
  const region = workerRegion(memory.counters, workerIndex);
  const gauges: number[] = [WORKER_ROW.connectionsOpen, WORKER_ROW.handshakesOpen];
  for (let block = 0; block < BLOCKS_MAX; block++) {
    gauges.push(...BLOCK_GAUGES.map((slot) => blockOffset(block) + slot));
  }
  for (let slot = 0; slot < ENDPOINTS_MAX; slot++) {
    gauges.push(...ENDPOINT_GAUGES.map((gauge) => endpointOffset(slot) + gauge));
  }
  for (const slot of gauges) if (region[slot] !== 0) region[slot] = 0;
}
