// A real worker of the data plane that a test can end: the product's own entry, and beside it an
// ear for orders of the test. Used through `workerEntry` of a daemon.

import { BroadcastChannel, workerData } from 'node:worker_threads';
import { WORKER_ROW, workerRegion } from '../../src/contract/counters.ts';
import type { WorkerBirth } from '../../src/contract/messages.ts';
import { MORTAL_CHANNEL, type LastWords, type MortalOrder } from './mortal-channel.ts';

await import('../../src/data-plane/worker.ts');
const { index, memory } = workerData as WorkerBirth;
const channel = new BroadcastChannel(MORTAL_CHANNEL);
channel.unref();
channel.addEventListener('message', (event) => {
  const order = (event as MessageEvent).data as MortalOrder | LastWords;
  if (order.kind === 'said' || order.index !== index) return;
  const connections = workerRegion(memory.counters, index)[WORKER_ROW.connectionsOpen]!;
  const words: LastWords = { kind: 'said', index, connections };
  channel.postMessage(words);
  if (order.kind === 'throw') setImmediate(fail);
  if (order.kind === 'exit') process.exit(7);
});

/** In a turn of its own: what a listener of a channel throws takes another way. */
function fail(): never {
  throw new Error('ended by a test');
}
