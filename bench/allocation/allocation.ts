// Bytes that the data plane allocates per small request: the one number of a bench that
// does not depend on what else the machine does. The young generation is made so large
// that nothing is collected in between; then heap after − heap before is what was allocated.

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runLoop } from '../load/load.ts';
import { peerNamed, startPeer, type RunningPeer } from '../peers/peers.ts';
import { answerBodyBytes, requestBytes, scenarioNamed } from '../scenarios.ts';
import { median } from '../harness/statistics.ts';
import type { HeapState } from './heap-state.ts';

export interface Allocation {
  readonly requests: number;
  /** Lowest of the repeats: what else the process does meanwhile can only add to it. */
  readonly heapBytesPerRequest: number;
  /** Median over the repeats. */
  readonly externalBytesPerRequest: number;
  /** `[lowest, highest]` of the repeats: shows how steady the number is. */
  readonly heapBytesRange: readonly [number, number];
}

/** 10,000 requests of 10 KiB each would still fit into the young generation below. */
const REQUESTS = 10_000;
const SEMI_SPACE_MEBIBYTES = 256;
const WARM_REQUESTS = 30_000;
/** So many that nothing else in the process disturbed at least one of them. */
const REPEATS = 7;
const ANSWER_WITHIN_MS = 5_000;

/** Measures the data plane of this checkout; throws when a collection spoiled every repeat. */
export async function measureAllocation(setup: {
  readonly dir: string;
  readonly originPort: number;
}): Promise<Allocation> {
  const running = await startPeer(peerNamed('plane'), {
    ...setup,
    workers: 1,
    nodeFlags: [
      '--expose-gc',
      `--min-semi-space-size=${SEMI_SPACE_MEBIBYTES}`,
      `--max-semi-space-size=${SEMI_SPACE_MEBIBYTES}`,
    ],
  });
  const small = scenarioNamed('small');
  const requestFile = join(setup.dir, 'allocation.request');
  writeFileSync(requestFile, requestBytes(small));
  const load = async (requestsMax: number): Promise<void> => {
    const { errors, failures } = await runLoop(
      {
        port: running.port,
        requestFile,
        requestsMax,
        connections: 16,
        isKeptAlive: true,
        tls: undefined,
        seconds: 0,
        answerBodyBytes: answerBodyBytes(small),
      },
      'autocannon',
    );
    if (errors > 0) throw new Error(`expected no failures, got ${JSON.stringify(failures)}`);
  };
  await load(WARM_REQUESTS);
  const heap: number[] = [];
  const external: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    running.child.process.stdin?.write('collect\n');
    const before = await heapState(running);
    await load(REQUESTS);
    const after = await heapState(running);
    if (after.collections !== before.collections) continue;
    heap.push((after.heapBytes - before.heapBytes) / REQUESTS);
    external.push((after.externalBytes - before.externalBytes) / REQUESTS);
  }
  await running.child.stop();
  if (heap.length === 0) throw new Error('expected repeats without a garbage collection, got none');
  return {
    requests: REQUESTS,
    heapBytesPerRequest: Math.min(...heap),
    externalBytesPerRequest: median(external),
    heapBytesRange: [Math.min(...heap), Math.max(...heap)],
  };
}

async function heapState(running: RunningPeer): Promise<HeapState> {
  const id = randomUUID(); // Told apart from earlier answers and from the access log.
  running.child.process.stdin?.write(`heap ${id}\n`);
  const endMs = performance.now() + ANSWER_WITHIN_MS;
  while (performance.now() < endMs) {
    const line = new RegExp(`^HEAP ${id} (.*)$`, 'm').exec(running.child.output)?.[1];
    // Printed by plane.ts of this checkout.
    if (line !== undefined) return JSON.parse(line) as HeapState;
    await delay(5);
  }
  throw new Error(`expected a HEAP line, got ${running.child.output.slice(-500)}`);
}
