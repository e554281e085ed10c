// What a worker of the table of test/support/plane.ts counts as running now. Looks at the few rows
// which that table uses, because tests look often.

import {
  BLOCK,
  blockOffset,
  ENDPOINT_ROW,
  endpointOffset,
  WORKER_ROW,
  workerRegion,
} from '../../../../src/contract/counters.ts';
import type { SharedMemory } from '../../../../src/contract/shared-memory.ts';

/** Blocks of nowhere, blue and green; slots of as many endpoints. */
const ROWS = [0, 1, 2].flatMap((index) => [
  [`requests of block ${index}`, blockOffset(index) + BLOCK.inflight] as const,
  [`held requests of block ${index}`, blockOffset(index) + BLOCK.held] as const,
  [`tunnels of block ${index}`, blockOffset(index) + BLOCK.tunnels] as const,
  [`streams of block ${index}`, blockOffset(index) + BLOCK.streams] as const,
  [`requests at endpoint ${index}`, endpointOffset(index) + ENDPOINT_ROW.inflight] as const,
  [`connections to endpoint ${index}`, endpointOffset(index) + ENDPOINT_ROW.connections] as const,
]);

/** Returns a line for each count that is not 0; for clients, `clients: 1`. */
export function countedIn(memory: SharedMemory): string[] {
  const region = workerRegion(memory.counters, 0);
  return [['clients', WORKER_ROW.connectionsOpen] as const, ...ROWS]
    .filter(([, at]) => region[at] !== 0)
    .map(([name, at]) => `${name}: ${region[at]}`);
}
