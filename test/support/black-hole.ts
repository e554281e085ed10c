// A port that takes no connection and refuses none: its queue is full, so the kernel drops every
// SYN. A thread listens and never runs again; connections that are not accepted fill its queue.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import type { Test } from 'tap';

const LISTENER = `
  const { parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    setImmediate(() => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });
  });
`;

/** More than a queue of 1 takes: one more fits while the kernel rounds up. */
const FILLERS = 4;

/** Returns the port; it is given back with the test. */
export async function openBlackHole(t: Test): Promise<number> {
  const worker = new Worker(LISTENER, { eval: true });
  const [port] = (await once(worker, 'message')) as [number];
  const fillers: Socket[] = [];
  t.teardown(async () => {
    for (const filler of fillers) filler.destroy();
    await worker.terminate();
  });
  for (let i = 0; i < FILLERS; i++) {
    const filler = connect({ port, host: '127.0.0.1' });
    filler.on('error', () => undefined);
    fillers.push(filler);
  }
  await once(fillers[0]!, 'connect');
  return port;
}
