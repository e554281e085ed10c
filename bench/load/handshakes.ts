// A closed loop in which each request has a TLS connection of its own, by a full handshake or by the
// ticket of an earlier one. wrk and autocannon can't say which of both they did. Says one JSON line.
//
// node bench/load/handshakes.ts JSON_OF_LOOP_ORDER

import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { LOOPBACK } from '../harness/ports.ts';
import { TLS_HOST, TLS_SUITE } from '../peers/tls.ts';
import type { LoopOrder, LoopResult } from './load.ts';

const TIMEOUT_MS = 5_000;

// Written by load.ts of the same version.
const order = JSON.parse(process.argv[2] ?? '{}') as LoopOrder;
const request = readFileSync(order.requestFile);
const isResumed = order.tls === 'resumed';
/** Node offers a group that only the newest OpenSSL has, and that costs more: all get this one. */
const secureContext = tls.createSecureContext({ ecdhCurve: 'X25519', minVersion: 'TLSv1.3' });
const failures = new Map<string, number>();
let session: Buffer | undefined;
let requests = 0;

// One ticket serves for all connections; without it the first ones would need full handshakes.
if (isResumed) await exchange(true);
requests = 0;
const startedMs = performance.now();
const endMs = startedMs + order.seconds * 1_000;
await Promise.all(Array.from({ length: order.connections }, loop));
const said: LoopResult = {
  requests,
  seconds: (performance.now() - startedMs) / 1_000,
  errors: [...failures.values()].reduce((sum, count) => sum + count, 0),
  failures: Object.fromEntries(failures),
};
process.stdout.write(`RESULT ${JSON.stringify(said)}\n`, () => process.exit(0));

async function loop(): Promise<void> {
  while (performance.now() < endMs) await exchange(false);
}

/** One connection with one request; `isFirst`: there is no session yet. */
function exchange(isFirst: boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let bytes = 0;
  let isGood = false;
  let problem = '';
  const socket = tls.connect({
    port: order.port,
    host: LOOPBACK,
    servername: TLS_HOST,
    secureContext,
    // Its certificate was made for this run, and to check it would cost the load more than it says.
    rejectUnauthorized: false,
    ...(session !== undefined && { session }),
  });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')));
  socket.once('secureConnect', () => {
    if (socket.isSessionReused() !== (isResumed && !isFirst)) problem = 'wrong kind of handshake';
    if (socket.getCipher().standardName !== TLS_SUITE) problem = 'another suite';
    socket.write(request);
  });
  socket.on('session', (given: Buffer) => {
    if (isFirst) session = given;
  });
  socket.on('data', (part: Buffer) => {
    if (bytes === 0) isGood = part.toString('latin1', 0, 12) === 'HTTP/1.1 200';
    bytes += part.length;
  });
  socket.once('error', (error) => (problem = String(error)));
  socket.once('end', () => socket.end());
  socket.once('close', () => {
    if (problem === '' && !isGood) problem = 'status other than 200';
    if (problem === '' && bytes < order.answerBodyBytes) problem = 'closed without an answer';
    if (problem === '') requests++;
    else failures.set(problem, (failures.get(problem) ?? 0) + 1);
    resolve();
  });
  return promise;
}
