// What a test plane has counted of handshakes.

import {
  HANDSHAKE_OUTCOMES,
  WORKER_ROW,
  workerRegion,
  type HandshakeOutcome,
} from '../../src/contract/counters.ts';
import type { Counted } from './shared-counters.ts';

/** Returns the outcomes that were counted, with their counts; one at 0 is left out. */
export function handshakeCounts({ memory }: Counted): Partial<Record<HandshakeOutcome, number>> {
  const region = workerRegion(memory.counters, 0);
  const counts = HANDSHAKE_OUTCOMES.map(
    (outcome, at) => [outcome, region[WORKER_ROW.handshakes + at]!] as const,
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}
