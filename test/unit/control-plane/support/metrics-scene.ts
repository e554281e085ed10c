// What a process has to tell of itself by metrics: counters of two workers, which the test writes, and
// made-up answers of all other parts.

import { workerRegion } from '../../../../src/contract/counters.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import { type Endpoint } from '../../../../src/contract/table.ts';
import type { DrainStatus } from '../../../../src/control-plane/switching/drain-status.ts';
import { ReleaseSeries } from '../../../../src/control-plane/metrics/release-series.ts';
import type { AcmeStatus } from '../../../../src/control-plane/acme/acme-types.ts';
import type { FileReport } from '../../../../src/control-plane/certificates/certificate-files.ts';
import {
  RolloutTally,
  type RunningRollout,
} from '../../../../src/control-plane/memory/rollout-tally.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { SwitchTally } from '../../../../src/control-plane/publishing/switch-tally.ts';
import { Totals } from '../../../../src/control-plane/memory/totals.ts';
import { begun } from './begun.ts';
import { NO_NAMES, serviceConfig, target } from './fixtures.ts';

const SERVICES = [
  serviceConfig(),
  serviceConfig({ name: 'a "quoted"\nname', blue: { release: '', targets: [target(1)] } }),
];

export function metricsScene() {
  const memory = allocateSharedMemory(2);
  const totals = new Totals(memory, 2);
  const slots = new Slots(totals);
  const { table, stored } = begun(SERVICES, { slots });
  const tally = new SwitchTally(table);
  const drains: DrainStatus[] = [];
  const parts = {
    version: '1.2.3',
    totals,
    series: new ReleaseSeries({ slots, totals, now: () => 0 }),
    table: () => table,
    tally,
    health: ({ slot }: Endpoint) => [
      { slot, state: slot === 0 ? ('up' as const) : ('down' as const) },
    ],
    names: NO_NAMES,
    ejections: {
      of: (slot: number) => (slot === 1 ? { reason: 'it fails', untilMs: 0 } : undefined),
      countOf: (slot: number) => 3 * slot,
    },
    workers: { listeningCount: 2, restarts: 1 },
    drains: { running: (): DrainStatus[] => drains },
    reloader: { last: undefined },
    certificates: () => CERTIFICATES,
    acmeOrders: { counts: { obtained: 4, failed: 2 }, status: () => ACME },
    outages: { of: () => undefined },
    failover: { counts: () => ({ switched: 1, failed: 2, blocked: 3 }) },
    rolloutMetrics: { tally: new RolloutTally(), running: (): RunningRollout[] => [] },
    hookFailures: () => new Map([['afterDrain', 2]]),
    isHalted: () => false,
    isSwitchingFrozen: () => true,
    turnedAway: new Map([['unauthenticated', 3]]),
    logLinesDropped: () => 7,
    store: { fault: 'the disk is full' },
  };
  const regions = [workerRegion(memory.counters, 0), workerRegion(memory.counters, 1)] as const;
  return { parts, regions, table, states: stored.services, tally, slots, drains };
}

const DAY_MS = 86_400_000;
const CERTIFICATES: readonly FileReport[] = [
  {
    name: 'a.test',
    names: [],
    source: '/a.pem',
    beginsAtMs: 0,
    endsAtMs: 90 * DAY_MS,
    problem: 'is empty',
  },
  {
    name: 'a.test',
    names: [],
    source: '/a.pem',
    beginsAtMs: 0,
    endsAtMs: 90 * DAY_MS,
    problem: '',
  },
  { name: 'b.test', names: [], source: 'acme', beginsAtMs: 0, endsAtMs: DAY_MS, problem: '' },
];

const WELL = {
  notAfterMs: DAY_MS,
  isOrdering: false,
  nextTryMs: 0,
  failures: 0,
  problem: '',
  advice: '',
};
const ACME: readonly AcmeStatus[] = [
  { ...WELL, domain: 'a.test' },
  { ...WELL, domain: 'b.test', failures: 3, problem: 'no such name' },
];
