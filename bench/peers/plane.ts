// Turnout's data plane alone, on a main thread and with every default: for profiles
// without the control plane, and for counting what a request allocates.
//
// node bench/peers/plane.ts LISTEN_PORT ORIGIN_PORT [SHARE]    SHARE of 10,000 requests is copied to green
// With --expose-gc, a line `collect` on its input collects garbage, and `heap ID` prints
// what is in use as `HEAP ID {…}`.

import { createInterface } from 'node:readline';
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { loadConfig } from '../../src/config/load.ts';
import { NO_CERTIFICATES } from '../../src/contract/certificates.ts';
import { allocateSharedMemory } from '../../src/contract/shared-memory.ts';
import type { Deployment } from '../../src/contract/table.ts';
import { openPlane } from '../../src/data-plane/plane.ts';
import type { HeapState } from '../allocation/heap-state.ts';

const [listenPort, originPort, share] = process.argv.slice(2);
const VERSION = 1;
const EPOCH = 1;

const origin = `http://127.0.0.1:${originPort}`;
const loaded = loadConfig({
  file: '',
  environment: {},
  flags: { listen: `127.0.0.1:${listenPort}`, blue: origin, green: origin, workers: '1' },
  machine: { platform: process.platform, cpus: 1, descriptors: Infinity },
});
if (!loaded.ok) throw new Error(`expected a configuration, got ${JSON.stringify(loaded.faults)}`);
const { config } = loaded;
const [service] = config.services;
if (service === undefined) throw new Error('expected a service in the configuration');

const KEY = new Uint8Array(32);
const SHADOW = {
  deployment: 2,
  fields: ['content-type'],
  ignore: [],
  ignorePaths: [],
  bodyBytesMax: 65_536,
  slowerMs: 0,
};
const memory = allocateSharedMemory(1);
Atomics.store(memory.pointer, 0, VERSION);
openPlane(
  {
    index: 0,
    workerCount: 1,
    memory,
    keys: { signing: KEY, accepted: [KEY], previews: KEY },
    instance: 'bench',
    settings: config.dataPlane,
    names: [],
    reusePort: false,
    inherited: [],
    certificates: NO_CERTIFICATES,
    tables: [
      {
        version: VERSION,
        epoch: EPOCH,
        services: [
          {
            name: service.name,
            hosts: service.hosts,
            paths: service.paths,
            active: service.active,
            blue: deployment('blue', 1),
            green: deployment('green', 2),
            leaving: [],
            draining: [],
            previewed: [],
            legacy: [],
            split: undefined,
            shadow: share === undefined ? undefined : { ...SHADOW, share: Number(share) },
            hold: undefined,
            maintenance: undefined,
            policy: service.policy,
          },
        ],
      },
    ],
  },
  (report) => {
    if (report.kind === 'listen-failed') throw new Error(report.message);
  },
);

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'collect') globalThis.gc?.();
  if (!line.startsWith('heap ')) return;
  // Observers are told in a later turn, so this one waits for that before it answers.
  const { used_heap_size: heapBytes, external_memory: externalBytes } = getHeapStatistics();
  setTimeout(() => {
    const state: HeapState = { heapBytes, externalBytes, collections };
    process.stdout.write(`HEAP ${line.slice(5)} ${JSON.stringify(state)}\n`);
  }, 20);
});
// An orderly end, so that a profiler gets to write what it saw.
process.once('SIGTERM', () => process.exit(0));

function deployment(color: 'blue' | 'green', slot: number): Deployment {
  const { release, targets } = service![color];
  return {
    number: slot,
    color,
    release,
    block: slot,
    servedSince: color === service!.active ? EPOCH : 0,
    previewSeries: 0,
    lockedOut: undefined,
    endpoints: targets.map((target) => ({
      ...target,
      slot,
      deployment: slot,
    })),
  };
}
