// Where the time of the proxy goes under load: top functions by self time.
// The default is V8's own sampling profiler, which sees JavaScript only and calls
// system calls `(program)`; `--perf` adds native code and the kernel.
//
// node bench/profile.ts [--peer turnout] [--scenario small] [--seconds 5] [--top 30] [--perf]

import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { Child } from './harness/child.ts';
import { workspace } from './harness/workspace.ts';
import { measureSpeed } from './measure.ts';
import { startOrigin } from './origin/origin.ts';
import { peerNamed, startPeer, type RunningPeer } from './peers/peers.ts';
import { makeTlsFiles } from './peers/tls.ts';
import { scenarioNamed, type Scenario } from './scenarios.ts';

const { values: flags } = parseArgs({
  options: {
    peer: { type: 'string', default: 'turnout' },
    scenario: { type: 'string', default: 'small' },
    seconds: { type: 'string', default: '5' },
    top: { type: 'string', default: '30' },
    perf: { type: 'boolean', default: false },
  },
});

/** JIT and inline caches settle well within this. */
const WARM_SECONDS = 2;
/** Off the 1 ms beat of timers, and cheap: about 1 % of a core. */
const PERF_HERTZ = 1_999;
const NAME_COLUMNS = 46;

const dir = workspace();
const scenario = scenarioNamed(flags.scenario);
const seconds = Number(flags.seconds);
const top = Number(flags.top);
const origin = await startOrigin(dir);
const running = await startPeer(peerNamed(flags.peer), {
  dir,
  originPort: origin.port,
  workers: 1,
  ...(scenario.tls !== undefined && { tls: makeTlsFiles(dir) }),
  nodeFlags: flags.perf
    ? ['--perf-basic-prof-only-functions', '--interpreted-frames-native-stack']
    : ['--cpu-prof', '--cpu-prof-dir', dir, '--cpu-prof-interval', '250'],
});
// Warm up first: the compiler is not what is looked for.
await measureSpeed(running, scenario, { dir, seconds: WARM_SECONDS, round: 0 });
if (flags.perf) await profileByPerf(running, scenario);
else await profileByV8(running, scenario);
await origin.child.stop();

async function profileByV8(peer: RunningPeer, load: Scenario): Promise<void> {
  const fromMicros = monotonicMicros();
  const sample = await measureSpeed(peer, load, { dir, seconds, round: 1 });
  const toMicros = monotonicMicros();
  await peer.child.stop(); // The profiles are written when the threads end.
  const files = readdirSync(dir).filter((name) => name.endsWith('.cpuprofile'));
  const profiles = files.map((file) => selfTimes(join(dir, file), { fromMicros, toMicros }));
  // One thread serves; the others sleep.
  const busiest = profiles.toSorted((a, b) => b.busyMicros - a.busyMicros)[0];
  if (busiest === undefined) throw new Error(`expected a profile, got: ${peer.child.output}`);
  const perRequest = (micros: number): string => (micros / sample.requests).toFixed(2).padStart(7);
  console.log(
    `${load.name}: ${sample.cpuMicrosPerRequest.toFixed(1)} µs CPU per request (profiler on), ` +
      `${sample.requests} requests, utilization ${sample.utilization.toFixed(2)}\n` +
      `${busiest.file}\n\n   self   µs/req  function`,
  );
  for (const [name, micros] of busiest.byFunction.slice(0, top)) {
    const share = ((micros / busiest.busyMicros) * 100).toFixed(1).padStart(6);
    console.log(`${share} % ${perRequest(micros)}  ${name}`);
  }
}

async function profileByPerf(peer: RunningPeer, load: Scenario): Promise<void> {
  const data = join(dir, 'perf.data');
  const recorder = new Child(
    [
      'perf',
      'record',
      '-e',
      'cpu-clock',
      '-F',
      String(PERF_HERTZ),
      '-o',
      data,
      '-p',
      String(peer.child.pid),
      '--',
      'sleep',
      String(seconds),
    ],
    { place: 'load' },
  );
  const sample = await measureSpeed(peer, load, { dir, seconds, round: 1 });
  await recorder.exited;
  console.log(`${load.name}: ${sample.cpuMicrosPerRequest.toFixed(1)} µs CPU per request\n`);
  for (const sort of ['dso', 'symbol,dso']) {
    const { stdout } = spawnSync(
      'perf',
      ['report', '-i', data, '--stdio', '--sort', sort, '--percent-limit', '0.3'],
      { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
    );
    const lines = stdout
      .split('\n')
      .filter((line) => /^\s+\d/.test(line))
      .map((line) => line.replace(/(\s+-)+\s*$/, '').replaceAll(/\s{3,}/g, '   '));
    console.log(`${lines.slice(0, top).join('\n')}\n`);
  }
  await peer.child.stop();
}

interface SelfTimes {
  readonly file: string;
  readonly busyMicros: number;
  /** `[name, micros]`, most expensive first. */
  readonly byFunction: readonly (readonly [string, number])[];
}

/** The part of the DevTools format that is read here; times are CLOCK_MONOTONIC. */
interface CpuProfile {
  readonly startTime: number;
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

function selfTimes(
  path: string,
  window: { readonly fromMicros: number; readonly toMicros: number },
): SelfTimes {
  // Written by V8 in a documented format.
  const profile = JSON.parse(readFileSync(path, 'utf8')) as CpuProfile;
  const names = new Map(
    profile.nodes.map(({ id, callFrame }) => {
      const where =
        callFrame.url === '' ? '' : `${basename(callFrame.url)}:${callFrame.lineNumber + 1}`;
      return [id, `${(callFrame.functionName || '(anonymous)').padEnd(NAME_COLUMNS)} ${where}`];
    }),
  );
  const totals = new Map<string, number>();
  let nowMicros = profile.startTime;
  profile.samples.forEach((id, index) => {
    const micros = profile.timeDeltas[index] ?? 0;
    nowMicros += micros;
    const name = names.get(id) ?? '';
    if (nowMicros < window.fromMicros || nowMicros > window.toMicros) return;
    if (!name.startsWith('(idle)')) totals.set(name, (totals.get(name) ?? 0) + micros);
  });
  const byFunction = [...totals].toSorted((a, b) => b[1] - a[1]);
  const busyMicros = byFunction.reduce((sum, [, micros]) => sum + micros, 0);
  return { file: path, busyMicros, byFunction };
}

function monotonicMicros(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}
