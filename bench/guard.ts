// Short enough for every build: is Turnout still as cheap as recorded? CPU time per
// small request as a ratio to two peers in the same run, because absolute times differ
// between machines, and allocated bytes per request, which do not.
//
// npm run bench:guard

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureAllocation } from './allocation/allocation.ts';
import { median, seededRandom, shuffled } from './harness/statistics.ts';
import { workspace } from './harness/workspace.ts';
import { measureSpeed } from './measure.ts';
import { startOrigin } from './origin/origin.ts';
import { peerNamed, startPeer } from './peers/peers.ts';
import { scenarioNamed } from './scenarios.ts';
import { verifyForwarding, verifyScenario } from './verify.ts';

/** guard-bounds.json: measured when the bound was set, and the bound itself. */
interface Bound {
  readonly what: string;
  readonly measured: number;
  readonly bound: number;
}
type BoundName =
  | 'cpuOverHttpProxy3'
  | 'cpuOverBytePump'
  | 'heapBytesPerRequest'
  | 'externalBytesPerRequest';

const ROUNDS = 8;
const SECONDS = 1;
const WARM_SECONDS = 2;
/** In a round with fewer the load got no turn; 10 ms of clock would be most of what is measured. */
const REQUESTS_MIN = 1_000;
/** Rounds that must be left for a median to mean something. */
const ROUNDS_MIN = 4;
/** Both the tool and the origin come from npm alone, so every machine measures the same. */
const TOOL = 'generate';

const boundsFile = join(import.meta.dirname, 'guard-bounds.json');
// Kept in this repository.
const bounds = JSON.parse(readFileSync(boundsFile, 'utf8')) as Record<BoundName, Bound>;
const dir = workspace();
const origin = await startOrigin(dir, 'node');
let passed = 0;
let failed = 0;

const cpu = await cpuMedians(['turnout', 'http-proxy-3', 'byte-pump']);
check('cpuOverHttpProxy3', cpu['turnout']! / cpu['http-proxy-3']!);
check('cpuOverBytePump', cpu['turnout']! / cpu['byte-pump']!);
const allocation = await measureAllocation({ dir, originPort: origin.port });
check('heapBytesPerRequest', allocation.heapBytesPerRequest);
check('externalBytesPerRequest', allocation.externalBytesPerRequest);
await origin.child.stop();

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** Returns the median CPU microseconds per small request of each peer, rounds interleaved. */
async function cpuMedians(names: readonly string[]): Promise<Record<string, number>> {
  const scenario = scenarioNamed('small');
  const running = [];
  for (const name of names) {
    const options = { dir, originPort: origin.port, workers: 1, nodeFlags: [] };
    const one = await startPeer(peerNamed(name), options);
    running.push(one);
    const faults = await verifyScenario(one.port, scenario);
    if (!one.peer.isFloor) faults.push(...(await verifyForwarding(one.port, scenario)));
    if (faults.length > 0) throw new Error(`${name} answers wrongly: ${faults.join('; ')}`);
    await measureSpeed(one, scenario, { dir, seconds: WARM_SECONDS, round: -1, tool: TOOL });
  }
  const micros: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  const random = seededRandom(1);
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of shuffled(running, random)) {
      const options = { dir, seconds: SECONDS, round, tool: TOOL } as const;
      const sample = await measureSpeed(one, scenario, options);
      if (sample.errors > 0) throw new Error(`${sample.peer} failed ${sample.errors} requests`);
      if (sample.requests >= REQUESTS_MIN) micros[sample.peer]?.push(sample.cpuMicrosPerRequest);
    }
  }
  for (const one of running) await one.child.stop();
  for (const name of names) {
    const valid = micros[name]?.length ?? 0;
    if (valid < ROUNDS_MIN) {
      throw new Error(
        `expected ${ROUNDS_MIN} valid rounds of ${name}, got ${valid}: too busy a machine`,
      );
    }
    const values = (micros[name] ?? []).map((value) => value.toFixed(1)).join(' ');
    console.log(`${name.padEnd(14)} ${values} µs CPU per request`);
  }
  return Object.fromEntries(names.map((name) => [name, median(micros[name] ?? [])]));
}

function check(name: BoundName, value: number): void {
  const { what, bound, measured } = bounds[name];
  const numbers = `${digits(value)}, bound ${digits(bound)}, ${digits(measured)} when it was set`;
  if (value <= bound) {
    passed++;
    console.log(`ok      ${what}: ${numbers}`);
    return;
  }
  failed++;
  console.log(
    `FAILED  ${what}: ${numbers}\n` +
      '        Run it again on a quiet machine. If it stays, find what was added to the hot path:\n' +
      '        node bench/profile.ts --perf. If the cost is wanted, raise the bound in\n' +
      '        bench/guard-bounds.json and say why in the commit.',
  );
}

function digits(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(3);
}
