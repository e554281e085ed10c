// What shadowing costs: the data plane against itself with a tenth of the requests copied to the idle
// color and compared, in CPU per small request. The budget is 1.10.
//
// node bench/shadow.ts

import { median, seededRandom, shuffled } from './harness/statistics.ts';
import { workspace } from './harness/workspace.ts';
import { measureSpeed } from './measure.ts';
import { startOrigin } from './origin/origin.ts';
import { peerNamed, startPeer } from './peers/peers.ts';
import { scenarioNamed } from './scenarios.ts';

const BUDGET = 1.1;
const ROUNDS = 30;
const SECONDS = 1;
const WARM_SECONDS = 2;
const TOOL = 'autocannon';
const NAMES = ['plane', 'plane-shadowed'] as const;

const dir = workspace();
const origin = await startOrigin(dir, 'node');
const scenario = scenarioNamed('small');
const running = [];
for (const name of NAMES) {
  const options = { dir, originPort: origin.port, workers: 1, nodeFlags: [] };
  const one = await startPeer(peerNamed(name), options);
  running.push(one);
  await measureSpeed(one, scenario, { dir, seconds: WARM_SECONDS, round: -1, tool: TOOL });
}
const random = seededRandom(1);
const micros: Record<string, number[]> = { plane: [], 'plane-shadowed': [] };
for (let round = 0; round < ROUNDS; round++) {
  for (const one of shuffled(running, random)) {
    const sample = await measureSpeed(one, scenario, { dir, seconds: SECONDS, round, tool: TOOL });
    if (sample.errors > 0) throw new Error(`${sample.peer} failed ${sample.errors} requests`);
    micros[sample.peer]!.push(sample.cpuMicrosPerRequest);
  }
}
for (const one of running) await one.child.stop();
await origin.child.stop();
// Round by round, because a machine has busier minutes.
const ratio = median(
  micros['plane-shadowed']!.map((value, round) => value / micros['plane']![round]!),
);
for (const name of NAMES) {
  console.log(`${name.padEnd(16)} ${median(micros[name]!).toFixed(2)} µs CPU per request`);
}
console.log(`ratio ${ratio.toFixed(3)}, budget ${BUDGET.toFixed(2)}`);
process.exitCode = ratio <= BUDGET ? 0 : 1;
