// Switches: how long the call takes, and under full load also failed requests and requests on
// the wrong color. Exits 1 when a client noticed anything.
//
// node bench/switch.ts [--switches 1000] [--workers 1,2] [--load none,full]

import { parseArgs } from 'node:util';
import { workspace } from './harness/workspace.ts';
import { runSwitches } from './switching/switching.ts';

const { values: flags } = parseArgs({
  options: {
    switches: { type: 'string', default: '1000' },
    workers: { type: 'string', default: '1,2' },
    load: { type: 'string', default: 'none,full' },
  },
});

const dir = workspace();
let noticed = 0;
for (const load of ['none', 'full'] as const) {
  if (!flags.load.split(',').includes(load)) continue;
  for (const workers of flags.workers.split(',').map(Number)) {
    const run = await runSwitches({ dir, workers, switches: Number(flags.switches), load });
    noticed += run.failed + run.wrong;
    console.log(
      `${workers} worker(s), load ${load}, least busy core ${(run.leastBusyCore * 100).toFixed(0)} %: ` +
        `${run.switches} switches, ${run.requests} requests (${run.judged} of a certain color), ` +
        `${run.failed} failed, ${run.wrong} on the wrong color; ` +
        `call p50 ${run.p50Ms.toFixed(2)} ms, p99 ${run.p99Ms.toFixed(2)} ms, max ${run.maxMs.toFixed(2)} ms`,
    );
    for (const [reason, count] of Object.entries(run.failures)) {
      console.log(`  ${count} × ${reason}`);
    }
  }
}
process.exitCode = noticed === 0 ? 0 : 1;
