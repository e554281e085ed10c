// Shows why a fixed rate comes from load/schedule.ts and not from autocannon: both offer the
// same rate to a server that stalls once, and the server notes when each request came.
//
// node bench/schedules.ts

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { runToEnd } from './harness/child.ts';
import { LOOPBACK } from './harness/ports.ts';
import { median } from './harness/statistics.ts';
import { workspace } from './harness/workspace.ts';
import { requestBytes, scenarioNamed } from './scenarios.ts';

const RATE_PER_SECOND = 2_000;
const SECONDS = 5;
const CONNECTIONS = 20;
const STALL_MS = 300;
/** When it begins after the first request: as autocannon sends, and when it waits for the next second. */
const STALLS_AFTER_MS = [2_030, 2_600];
/** The part of each second in which the most requests come is looked for in steps of this. */
const SLOT_MS = 200;
const WITHIN_MS = 20_000;

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const ROOT = join(import.meta.dirname, '..');
const arrivalsMs: number[] = [];
let stallAfterMs = 0;
const dir = workspace();
const requestFile = join(dir, 'request');
writeFileSync(requestFile, requestBytes(scenarioNamed('bare')));

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.on('data', () => {
    if (arrivalsMs.length === 0) setTimeout(stall, stallAfterMs);
    arrivalsMs.push(performance.now());
    socket.write(ANSWER);
  });
});
server.listen(0, LOOPBACK);
await new Promise((resolve) => server.once('listening', resolve));
const address = server.address();
const port = typeof address === 'object' && address !== null ? address.port : 0;

// Of the requests that are due within the stall the last ones wait for nothing, the first ones
// for all of it.
const shareMet = STALL_MS / 1_000 / SECONDS;
const expectedP99Ms = STALL_MS * (1 - 0.01 / shareMet);
console.log(
  `${RATE_PER_SECOND} requests a second for ${SECONDS} s; a stall of ${STALL_MS} ms makes ` +
    `${expectedP99Ms.toFixed(0)} ms the p99 of what is due every ${1_000 / RATE_PER_SECOND} ms\n`,
);
console.log(
  `| load | in the fullest ${SLOT_MS} ms of a second | ` +
    `${STALLS_AFTER_MS.map((ms) => `p99 ms, stall at ${ms} ms`).join(' | ')} |`,
);
console.log('| --- | --- | --- | --- |');

const order = { port, requestFile, connections: CONNECTIONS, seconds: SECONDS };
const schedule = JSON.stringify({ ...order, ratePerSecond: RATE_PER_SECOND });
await show('load/schedule.ts', /"p99Ms":([\d.]+)/, ['bench/load/schedule.ts', schedule]);
const flags = `--overallRate ${RATE_PER_SECOND} --connections ${CONNECTIONS} --duration ${SECONDS}`;
const url = `http://${LOOPBACK}:${port}/small`;
const autocannon = ['node_modules/autocannon/autocannon.js', ...flags.split(' '), '--json', url];
await show('autocannon', /"p99":([\d.]+)/, autocannon);
const uncorrected = autocannon.toSpliced(-1, 0, '--ignoreCoordinatedOmission');
await show('autocannon, uncorrected', /"p99":([\d.]+)/, uncorrected);
server.close();

async function show(name: string, p99: RegExp, script: readonly string[]): Promise<void> {
  const command = [process.execPath, join(ROOT, script[0]!), ...script.slice(1)];
  const shares: number[] = [];
  const latencies: string[] = [];
  for (stallAfterMs of STALLS_AFTER_MS) {
    arrivalsMs.length = 0;
    const said = await runToEnd(command, { place: 'proxy', withinMs: WITHIN_MS });
    shares.push(...fullestShares());
    latencies.push(Number(p99.exec(said)?.[1]).toFixed(0));
  }
  console.log(`| ${name} | ${(median(shares) * 100).toFixed(0)} % | ${latencies.join(' | ')} |`);
}

/** Returns for each second the share of its requests that came in its fullest slot. */
function fullestShares(): number[] {
  const [firstMs] = arrivalsMs;
  const seconds = Map.groupBy(arrivalsMs, (ms) => Math.floor((ms - firstMs!) / 1_000));
  return [...seconds.values()].map((second) => {
    const slots = Map.groupBy(second, (ms) => Math.floor((ms - firstMs!) / SLOT_MS));
    return Math.max(...[...slots.values()].map((slot) => slot.length)) / second.length;
  });
}

/** Keeps this thread from everything, as a collection of garbage or a busy neighbor would. */
function stall(): void {
  const endMs = performance.now() + STALL_MS;
  while (performance.now() < endMs);
}
