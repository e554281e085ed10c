// What the shared memory of a test plane says: failures by code and the gauges that must come
// back to 0. Tests look here because operators do: a failure that is not counted is not seen.

import type { Test } from 'tap';
import { FAILURE_CODES, FAILURE_INDEX, type FailureCode } from '../../src/base/failures.ts';
import {
  BLOCK,
  BLOCKS_MAX,
  ENDPOINTS_MAX,
  ENDPOINT_ROW,
  RETRY_REASONS,
  WORKER_ROW,
  blockOffset,
  endpointOffset,
  workerRegion,
} from '../../src/contract/counters.ts';
import type { SharedMemory } from '../../src/contract/shared-memory.ts';
import { PATIENCE_MS } from './patience.ts';

export interface Gauges {
  readonly connectionsOpen: number;
  readonly inflight: number;
  readonly tunnels: number;
  readonly streams: number;
  readonly held: number;
  readonly endpointInflight: number;
  readonly endpointConnections: number;
}

export const NOTHING_OPEN: Gauges = {
  connectionsOpen: 0,
  inflight: 0,
  tunnels: 0,
  streams: 0,
  held: 0,
  endpointInflight: 0,
  endpointConnections: 0,
};

/** What of a test plane is looked at here. */
export interface Counted {
  readonly memory: SharedMemory;
  readonly plane: { readonly wheel: { advance(ticks: number): void } };
}

/** Returns the codes that were counted, with their counts; a code at 0 is left out. */
export function failureCounts(
  counted: Pick<Counted, 'memory'>,
): Partial<Record<FailureCode, number>> {
  const counts: Partial<Record<FailureCode, number>> = {};
  for (const code of FAILURE_CODES) {
    const count = sumOfBlocks(counted.memory, BLOCK.failures + FAILURE_INDEX[code]);
    if (count !== 0) counts[code] = count;
  }
  return counts;
}

export function retryCount(counted: Counted): number {
  return RETRY_REASONS.reduce(
    (sum, _, index) => sum + sumOfBlocks(counted.memory, BLOCK.retries + index),
    0,
  );
}

export function workerCount(counted: Counted, row: keyof typeof WORKER_ROW): number {
  return workerRegion(counted.memory.counters, 0)[WORKER_ROW[row]]!;
}

export function endpointCount(counted: Counted, row: keyof typeof ENDPOINT_ROW): number {
  const region = workerRegion(counted.memory.counters, 0);
  let sum = 0;
  for (let slot = 0; slot < ENDPOINTS_MAX; slot++) {
    sum += region[endpointOffset(slot) + ENDPOINT_ROW[row]]!;
  }
  return sum;
}

export function gaugesOf(counted: Counted): Gauges {
  return {
    connectionsOpen: workerCount(counted, 'connectionsOpen'),
    inflight: sumOfBlocks(counted.memory, BLOCK.inflight),
    tunnels: sumOfBlocks(counted.memory, BLOCK.tunnels),
    streams: sumOfBlocks(counted.memory, BLOCK.streams),
    held: sumOfBlocks(counted.memory, BLOCK.held),
    endpointInflight: endpointCount(counted, 'inflight'),
    endpointConnections: endpointCount(counted, 'connections'),
  };
}

/** Lets every idle time pass, and fails `t` unless all gauges come back to 0. */
export async function comesToRest(t: Test, counted: Counted): Promise<void> {
  const seen = await eventually(
    () => {
      counted.plane.wheel.advance(TICKS_PER_LOOK);
      const gauges = gaugesOf(counted);
      return Object.values(gauges).every((value) => value === 0) ? gauges : undefined;
    },
    () => gaugesOf(counted),
  );
  t.strictSame(seen, NOTHING_OPEN, 'every gauge is back at 0');
}

/**
 * Resolves with what `look` returns once that is not undefined; asked again in each turn of the
 * event loop. When it does not come in time, resolves with `otherwise()`.
 */
export async function eventually<T>(look: () => T | undefined, otherwise: () => T): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > endMs) return otherwise();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** Resolves with true once `look` does, with false when it never does. */
export function becomes(look: () => boolean): Promise<boolean> {
  return eventually(
    () => (look() ? true : undefined),
    () => false,
  );
}

const TICKS_PER_LOOK = 10;

export function sumOfBlocks(memory: SharedMemory, slot: number): number {
  const region = workerRegion(memory.counters, 0);
  let sum = 0;
  for (let block = 0; block < BLOCKS_MAX; block++) sum += region[blockOffset(block) + slot]!;
  return sum;
}
