// Short enough for every build: is Turnout still as cheap as recorded? CPU time per
// small request as a ratio to two peers in the same run, because absolute times differ
// between machines, and allocated bytes per request, which do not.
//
// npm run bench:guard
// node bench/guard.ts --measure 5    prints new bounds from five runs instead of judging one

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureAllocation } from './allocation/allocation.ts';
import { median, seededRandom, shuffled } from './harness/statistics.ts';
import { workspace } from './harness/workspace.ts';
import { measureSpeed } from './measure.ts';
import { startOrigin } from './origin/origin.ts';
import { peerNamed, startPeer } from './peers/peers.ts';
import { scenarioNamed } from './scenarios.ts';
import { splitMicros } from './split-cost.ts';
import { verifyForwarding, verifyScenario } from './verify.ts';

/** guard-bounds.json: measured when the bound was set, and the bound itself. */
interface Bound {
  readonly what: string;
  readonly measured: number;
  readonly bound: number;
}
type Measured = Record<
  | 'cpuOverHttpProxy3'
  | 'cpuOverBytePump'
  | 'cpuDuringSplit'
  | 'heapBytesPerRequest'
  | 'externalBytesPerRequest',
  number
>;
type BoundName = keyof Measured;

const ROUNDS = 8;
const SECONDS = 1;
const WARM_SECONDS = 2;
/** In a round with fewer the load got no turn; 10 ms of clock would be most of what is measured. */
const REQUESTS_MIN = 1_000;
/** Rounds that must be left for a median to mean something. */
const ROUNDS_MIN = 4;
/** Needs npm packages only, as the origin does, so every machine measures the same. */
const TOOL = 'autocannon';

/** A bound is this many times the highest of the runs it was measured in: README, "The guard". */
const HEADROOM_CPU = 1.25;
const HEADROOM_HEAP = 1.05;
/** A request during a split may cost so many times one without. */
const SPLIT_BUDGET = 1.02;
/** Bytes: less than the smallest buffer that a request could need. */
const HEADROOM_EXTERNAL = 64;

const { values: flags } = parseArgs({ options: { measure: { type: 'string' } } });
const boundsFile = join(import.meta.dirname, 'guard-bounds.json');
// Kept in this repository.
const bounds = JSON.parse(readFileSync(boundsFile, 'utf8')) as Record<BoundName, Bound>;
const dir = workspace();
const origin = await startOrigin(dir, 'node');
let passed = 0;
let failed = 0;

if (flags.measure === undefined) judge(await measure());
else await suggest(Number(flags.measure));
await origin.child.stop();

async function measure(): Promise<Measured> {
  const cpu = await cpuMedians(['turnout', 'http-proxy-3', 'byte-pump']);
  const allocation = await measureAllocation({ dir, originPort: origin.port });
  return {
    cpuOverHttpProxy3: cpu['turnout']! / cpu['http-proxy-3']!,
    cpuOverBytePump: cpu['turnout']! / cpu['byte-pump']!,
    cpuDuringSplit: 1 + splitMicros() / cpu['turnout']!,
    heapBytesPerRequest: allocation.heapBytesPerRequest,
    externalBytesPerRequest: allocation.externalBytesPerRequest,
  };
}

function judge(measured: Measured): void {
  check('cpuOverHttpProxy3', measured.cpuOverHttpProxy3);
  check('cpuOverBytePump', measured.cpuOverBytePump);
  check('cpuDuringSplit', measured.cpuDuringSplit);
  check('heapBytesPerRequest', measured.heapBytesPerRequest);
  check('externalBytesPerRequest', measured.externalBytesPerRequest);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** Prints what guard-bounds.json would be after `runs` runs. */
async function suggest(runs: number): Promise<void> {
  const all: Measured[] = [];
  for (let run = 0; run < runs; run++) {
    const measured = await measure();
    all.push(measured);
    console.log(`run ${run + 1} of ${runs}: ${JSON.stringify(measured)}`);
  }
  const row = (name: BoundName, bound: (highest: number) => number): Bound => {
    const values = all.map((measured) => measured[name]);
    return {
      what: bounds[name].what,
      measured: rounded(median(values)),
      bound: rounded(bound(Math.max(...values))),
    };
  };
  const suggested: Record<BoundName, Bound> = {
    cpuOverHttpProxy3: row('cpuOverHttpProxy3', (highest) => highest * HEADROOM_CPU),
    cpuOverBytePump: row('cpuOverBytePump', (highest) => highest * HEADROOM_CPU),
    // The budget itself: what is measured has room to grow.
    cpuDuringSplit: row('cpuDuringSplit', () => SPLIT_BUDGET),
    heapBytesPerRequest: row('heapBytesPerRequest', (highest) => highest * HEADROOM_HEAP),
    externalBytesPerRequest: row(
      'externalBytesPerRequest',
      (highest) => Math.max(0, highest) + HEADROOM_EXTERNAL,
    ),
  };
  console.log(`\nbench/guard-bounds.json:\n${JSON.stringify(suggested, undefined, 2)}`);
}

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
      if (sample.errors > 0) {
        const reasons = JSON.stringify(sample.failures);
        throw new Error(`${sample.peer} failed ${sample.errors} requests: ${reasons}`);
      }
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

function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 100) / 100;
}
