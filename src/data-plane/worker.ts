// Entry of a worker thread: opens a data plane from `workerData` and passes messages on. An
// error that was not caught ends the thread, and the control plane starts another.

import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import type { Order, Report, WorkerBirth } from '../contract/messages.ts';
import { openPlane } from './plane.ts';

assert(parentPort !== null, 'worker.ts runs in a worker thread');
const port = parentPort;

const report = (message: Report): void => port.postMessage(message);

const plane = openPlane(workerData as WorkerBirth, report);
port.on('message', (order: Order) => plane.obey(order));
