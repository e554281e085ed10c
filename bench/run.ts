// One command: start the origin and the peers, check every answer, warm up, measure in
// interleaved rounds, report. How to read the outcome: bench/README.md.
//
// npm run bench -- [--only turnout,nginx] [--scenarios small,64k] [--rounds 5]
//   [--seconds 2] [--parts speed,latency,affinity,idle,start,switch] [--seed N] [--quick]

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureAffinity } from './affinity.ts';
import { describeMachine } from './harness/machine.ts';
import { median, seededRandom, shuffled } from './harness/statistics.ts';
import { workspace } from './harness/workspace.ts';
import {
  HOLD_KINDS,
  measureIdle,
  measureStart,
  type IdleSample,
  type StartSample,
} from './idle.ts';
import { measureLatency, measureSpeed, type LatencySample, type Sample } from './measure.ts';
import { startOrigin } from './origin/origin.ts';
import {
  buildTurnout,
  PEERS,
  peerNamed,
  startPeer,
  type Peer,
  type RunningPeer,
} from './peers/peers.ts';
import { makeTlsFiles, type TlsFiles } from './peers/tls.ts';
import { budgetRows } from './report/budgets.ts';
import { cpuChart } from './report/chart.ts';
import { report } from './report/markdown.ts';
import { LAG_MS_MAX, YARDSTICK, type Results } from './report/results.ts';
import { SCENARIOS, scenarioNamed, type Scenario } from './scenarios.ts';
import { runSwitches } from './switching/switching.ts';
import type { SwitchResult } from './switching/result.ts';
import { verifyForwarding, verifyScenario } from './verify.ts';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    scenarios: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    parts: { type: 'string' },
    seed: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});

/** The first second is the compiler; after two, the CPU time of every peer has settled. */
const WARM_SECONDS = 2;
/** Share of the yardstick's peak at which latency is measured. */
const OFFERED_SHARE = 0.5;
/** Below this rate there is no point in looking for one that the load can keep. */
const OFFERED_MIN = 2_000;
const SWITCHES = 1_000;

const list = (text: string | undefined): string[] => text?.split(',').filter(Boolean) ?? [];
const rounds = Number(flags.rounds ?? (flags.quick ? 2 : 5));
const seconds = Number(flags.seconds ?? (flags.quick ? 1 : 2));
const parts = new Set(
  list(flags.parts ?? (flags.quick ? 'speed,start' : 'speed,latency,affinity,idle,start,switch')),
);
const seed = Number(flags.seed ?? Date.now() % 1_000_000);
const scenarios = flags.scenarios ? list(flags.scenarios).map(scenarioNamed) : SCENARIOS;
const random = seededRandom(seed);
const notes: string[] = [];

const startedAt = new Date().toISOString();
const machine = describeMachine();
const peers = chosenPeers();
const dir = workspace();
const origin = await startOrigin(dir);
console.log(`origin ${origin.kind}; seed ${seed}; ${rounds} rounds of ${seconds} s`);
if (!machine.pinned) note('not pinned: the proxy shares its core with the load');

const tlsFiles = makeTlsFiles(dir);
const running = await startAll();
const overTls = scenarios.some(({ tls }) => tls !== undefined) ? await startAllOverTls() : [];
const speed = parts.has('speed') ? await speedPart() : [];
const latency = parts.has('latency') ? await latencyPart() : [];
for (const one of [...running, ...overTls]) await one.child.stop();
const affinity = parts.has('affinity') ? await affinityPart() : [];
const { idle, start } = await restPart();
await origin.child.stop();
const switching = parts.has('switch') ? await switchPart() : [];

finish({
  startedAt,
  machine,
  origin: origin.kind,
  seed,
  rounds,
  secondsPerRound: seconds,
  notes,
  peers: peers.map((peer) => ({
    name: peer.name,
    version: peer.version(),
  })),
  speed,
  latency,
  idle,
  start,
  switching,
  affinity,
});

function chosenPeers(): Peer[] {
  const wanted = flags.only
    ? list(flags.only).map(peerNamed)
    : PEERS.filter((peer) => peer.isInTable);
  return wanted.filter((peer) => {
    if (peer.isHere()) return true;
    const remedy = peer.source === 'Debian' ? '.ci/tools installs it' : 'not in this checkout';
    note(`${peer.name} is not here: ${remedy}`);
    return false;
  });
}

async function startAll(): Promise<RunningPeer[]> {
  return await startEach(peers, undefined);
}

async function startAllOverTls(): Promise<RunningPeer[]> {
  return await startEach(
    peers.filter(({ canSpeakTls }) => canSpeakTls),
    tlsFiles,
  );
}

async function startEach(
  chosen: readonly Peer[],
  tls: TlsFiles | undefined,
): Promise<RunningPeer[]> {
  const started: RunningPeer[] = [];
  for (const peer of chosen) {
    try {
      started.push(
        await startPeer(peer, {
          dir,
          originPort: origin.port,
          workers: 1,
          nodeFlags: [],
          ...(tls && { tls }),
        }),
      );
    } catch (error) {
      note(`not measured: ${String(error)}`);
    }
  }
  return started;
}

/** Returns the peers that answer `scenario` as they should; the others are named and not timed. */
async function correctPeers(scenario: Scenario): Promise<RunningPeer[]> {
  const correct: RunningPeer[] = [];
  for (const one of scenario.tls === undefined ? running : overTls) {
    const faults = await verifyScenario(one.port, scenario);
    if (!one.peer.isFloor && scenario.method === 'GET') {
      faults.push(...(await verifyForwarding(one.port, scenario)));
    }
    if (faults.length === 0) correct.push(one);
    else note(`${one.peer.name} is not timed in ${scenario.name}: ${faults.join('; ')}`);
  }
  return correct;
}

async function speedPart(): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const scenario of scenarios) {
    const correct = await correctPeers(scenario);
    for (const one of correct) {
      await measureSpeed(one, scenario, { dir, seconds: WARM_SECONDS, round: -1 });
    }
    for (let round = 0; round < rounds; round++) {
      for (const one of shuffled(correct, random)) {
        const sample = await measureSpeed(one, scenario, { dir, seconds, round });
        if (sample.requests === 0) {
          note(`${sample.peer} got no answer through in ${scenario.name}, round ${round}`);
          continue;
        }
        samples.push(sample);
        if (sample.errors > 0) {
          const reasons = Object.entries(sample.failures).map(
            ([why, count]) => `${count} × ${why}`,
          );
          note(
            `${sample.peer} failed ${sample.errors} requests of ${scenario.name}, round ${round}` +
              (reasons.length > 0 ? `: ${reasons.join(', ')}` : ''),
          );
        }
      }
    }
    for (const { peer } of correct) {
      const own = samples.filter((one) => one.scenario === scenario.name && one.peer === peer.name);
      const micros = median(own.map((one) => one.cpuMicrosPerRequest));
      console.log(`${scenario.name.padEnd(8)} ${peer.name.padEnd(20)} ${micros.toFixed(1)} µs`);
    }
  }
  return samples;
}

async function latencyPart(): Promise<LatencySample[]> {
  const small = scenarioNamed('small');
  const yardstick = running.find((one) => one.peer.name === YARDSTICK);
  const measuredPeak = speed.filter((one) => one.peer === YARDSTICK && one.scenario === 'small');
  if (yardstick === undefined) {
    note(`latency is not measured: its rate is a share of the peak of ${YARDSTICK}`);
    return [];
  }
  if (measuredPeak.length === 0) {
    measuredPeak.push(await measureSpeed(yardstick, small, { dir, seconds, round: -1 }));
  }
  const peak = Math.max(...measuredPeak.map((one) => one.requestsPerSecond));
  const wanted = Math.round(peak * OFFERED_SHARE);
  const ratePerSecond = await keptRate(yardstick, wanted);
  console.log(`latency at ${ratePerSecond} requests a second`);
  if (ratePerSecond < wanted) {
    note(
      `latency is measured at ${ratePerSecond} requests a second instead of ${wanted}, half of the ` +
        `peak of ${YARDSTICK}: the load shares its core with the origin and is late at more`,
    );
  }
  const samples: LatencySample[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const one of shuffled(running, random)) {
      samples.push(await measureLatency(one, small, { dir, seconds, round, ratePerSecond }));
    }
  }
  return samples;
}

/** Returns `wanted`, halved until the load keeps its schedule before the cheapest peer. */
async function keptRate(yardstick: RunningPeer, wanted: number): Promise<number> {
  for (let ratePerSecond = wanted; ; ratePerSecond = Math.round(ratePerSecond / 2)) {
    const options = { dir, seconds, round: -1, ratePerSecond };
    const { lagP99Ms } = await measureLatency(yardstick, scenarioNamed('small'), options);
    if (lagP99Ms <= LAG_MS_MAX || ratePerSecond < OFFERED_MIN) return ratePerSecond;
  }
}

async function restPart(): Promise<{ idle: IdleSample[]; start: StartSample[] }> {
  const idle: IdleSample[] = [];
  const start: StartSample[] = [];
  const setup = { dir, originPort: origin.port };
  if (parts.has('start') && running.some((one) => one.peer.name === 'turnout')) buildTurnout();
  for (const { peer } of running) {
    if (parts.has('start')) start.push(await measureStart(peer, setup));
    if (!parts.has('idle')) continue;
    for (const kind of HOLD_KINDS) {
      if (kind === 'tls' && !peer.canSpeakTls) continue;
      idle.push(await measureIdle(peer, { ...setup, tlsFiles }, kind));
    }
  }
  return { idle, start };
}

async function affinityPart(): Promise<Sample[]> {
  if (!running.some((one) => one.peer.name === 'turnout')) return [];
  return await measureAffinity({ dir, originPort: origin.port, rounds, seconds, random });
}

async function switchPart(): Promise<SwitchResult[]> {
  if (!running.some((one) => one.peer.name === 'turnout')) return [];
  const results: SwitchResult[] = [];
  for (const load of ['none', 'full'] as const) {
    for (const workers of [1, 2]) {
      results.push(await runSwitches({ dir, workers, switches: SWITCHES, load }));
    }
  }
  return results;
}

/** Prints the report; a complete run is also kept in bench/results. */
function finish(results: Results): void {
  const text = report(results, budgetRows(results));
  console.log(`\n${text}\n`);
  const isComplete = !flags.quick && !flags.only && !flags.scenarios && !flags.parts;
  if (!isComplete) {
    console.log('Not written to bench/results: only a complete run is.');
    return;
  }
  const folder = join(import.meta.dirname, 'results');
  const name = join(folder, `${startedAt.slice(0, 10)}-${machine.commit}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${name}.json`, `${JSON.stringify(results, undefined, 1)}\n`);
  writeFileSync(`${name}.md`, `${text}\n`);
  writeFileSync(`${name}.svg`, cpuChart(results));
  console.log(`Written: ${name}.json, .md, .svg`);
}

function note(sentence: string): void {
  notes.push(sentence);
  console.log(`note: ${sentence}`);
}
