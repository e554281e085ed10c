// Entry of a worker thread: opens a data plane from `workerData` and passes messages on.

import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import type { Order, Report, WorkerBirth } from '../contract/messages.ts';
import { openPlane } from './plane.ts';

assert(parentPort !== null, 'worker.ts runs in a worker thread');
const port = parentPort;

const report = (message: Report): void => port.postMessage(message);

// A broken rule leaves shared state in doubt: say why, then let the control plane replace us.
process.on('uncaughtException', (error) => {
  report({ kind: 'fault', message: error.message, stack: error.stack ?? '' });
  setImmediate(() => process.exit(1));
});

const plane = openPlane(workerData as WorkerBirth, report);
port.on('message', (order: Order) => plane.obey(order));
