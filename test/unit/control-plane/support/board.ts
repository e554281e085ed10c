// A switchboard with fake workers, a store in memory, health as the test sets it and shared memory
// in which the test counts for the workers.

import type { ServiceConfig } from '../../../../src/config/config.ts';
import {
  blockOffset,
  ENDPOINT_ROW,
  endpointOffset,
  workerRegion,
} from '../../../../src/contract/counters.ts';
import {
  markGiven,
  markSighting,
  SLICES_PER_WINDOW,
} from '../../../../src/contract/session-sightings.ts';
import type { RunningRequest } from '../../../../src/contract/running-request.ts';
import { allocateSharedMemory } from '../../../../src/contract/shared-memory.ts';
import {
  deploymentsOf,
  isLive,
  type Endpoint,
  type RoutingTable,
  type Service,
} from '../../../../src/contract/table.ts';
import { DrainWatch } from '../../../../src/control-plane/switching/drain-watch.ts';
import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import type { TableHolders } from '../../../../src/control-plane/publishing/table-holders.ts';
import { Outages } from '../../../../src/control-plane/targets/outages.ts';
import { Recent } from '../../../../src/control-plane/memory/recent.ts';
import type { SpotCheck } from '../../../../src/control-plane/switching/checks/spot-check.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import type {
  ChangeRequest,
  RollbackRequest,
  SwitchRequest,
} from '../../../../src/control-plane/deployments/change-request.ts';
import type { TargetHealth } from '../../../../src/control-plane/switching/checks/switch-check.ts';
import type { RegisterRequest } from '../../../../src/control-plane/deployments/registration.ts';
import type { WindowsNow } from '../../../../src/control-plane/freezes/windows.ts';
import type { MigrationHands } from '../../../../src/control-plane/switching/holding/migrations.ts';
import { Switchboard } from '../../../../src/control-plane/switching/switchboard.ts';
import { Totals } from '../../../../src/control-plane/memory/totals.ts';
import { begun } from './begun.ts';
import { serviceConfig, target, TestLog } from './fixtures.ts';
import { MemoryStore } from './memory-store.ts';

const UP: TargetHealth = { state: 'up', reason: '' };
export const DOWN: TargetHealth = { state: 'down', reason: 'connection refused' };
export const UNKNOWN: TargetHealth = { state: 'unknown', reason: '' };

/** Two targets on green, so that one of them can be down. */
const TWO_ON_GREEN = serviceConfig({
  green: { release: 'v2', targets: [target(3002), target(3003)] },
});

class FakeHolders implements TableHolders {
  readonly prepared: number[] = [];
  readonly adopted: number[] = [];
  readonly forgotten: number[] = [];
  /** What a prepare does; resolves when all workers are ready. */
  onPrepare: (table: RoutingTable) => Promise<void> = async () => {};
  /** Resolves when all workers go by the table. */
  onAdopt: (version: number) => Promise<void> = async () => {};

  async prepare(table: RoutingTable): Promise<void> {
    this.prepared.push(table.version);
    await this.onPrepare(table);
  }
  async point(): Promise<void> {}
  async adopt(version: number): Promise<void> {
    this.adopted.push(version);
    await this.onAdopt(version);
  }
  forget(version: number): void {
    this.forgotten.push(version);
  }
}

const noSpotCheck: SpotCheck = async (_subject, known) => known;

const NO_WINDOWS: WindowsNow = { present: undefined, freeAtMs: undefined, next: undefined };

/** Builds a switchboard whose blue is active in epoch 1. */
export function board(services: readonly ServiceConfig[] = [TWO_ON_GREEN]) {
  const memory = allocateSharedMemory(1);
  const region = workerRegion(memory.counters, 0);
  const totals = new Totals(memory, 1);
  const slots = new Slots(totals);
  const workers = new FakeHolders();
  const log = new TestLog();
  const health = new Map<number, TargetHealth>();
  const { table: first, stored } = begun(services, { slots, nowMs: Date.now() });
  const store = new MemoryStore(stored);
  slots.retain([first]);
  Atomics.store(memory.pointer, 0, first.version);
  const left: { count: number | undefined } = { count: 0 };
  const hooks = {
    running: [] as readonly RunningRequest[],
    onPublished: (_table: RoutingTable): void => {},
    spotCheck: noSpotCheck,
    targetsAllow: [] as readonly string[],
    freezesOf: (_service: string): WindowsNow => NO_WINDOWS,
    /** Names of the gates with `at: hold`, and what one does. */
    migrations: [] as readonly string[],
    migrate: (async () => ({ verdict: 'ok', detail: '' })) as MigrationHands['ask'],
    /** Where targets lead, by URL; one that is not here leads where it says. */
    places: new Map<string, ReadonlySet<string>>(),
  };
  const names = { of: (endpoint: Endpoint) => [endpoint].filter(isLive) };
  const switchboard = new Switchboard({
    first,
    memory,
    store,
    workers,
    slots,
    totals,
    names,
    nameRunning: async () => [...hooks.running],
    leftBehind: () => left.count,
    configs: () => services,
    log,
    findPlaces: async () => hooks.places,
    oursAmong: async () => new Set(),
    targetsAllow: () => hooks.targetsAllow,
    health: ({ slot }) => [health.get(slot) ?? UP],
    spotCheck: async (subject, known) => hooks.spotCheck(subject, known),
    freezesOf: (service) => hooks.freezesOf(service),
    migrations: {
      namesOf: () => hooks.migrations,
      ask: async (asked, signal) => hooks.migrate(asked, signal),
    },
    onPublished: (table) => hooks.onPublished(table),
  });
  const clock = { ms: 0 };
  const outages = new Outages({
    table: () => switchboard.table,
    health: {
      of: ({ slot }) => [{ ...(health.get(slot) ?? UP), slot, changedAtMs: Date.now() }],
    },
    names,
    checkMove: (service) => switchboard.checkMove(service),
    isInCharge: () => true,
    log,
  });
  const now = (): number => clock.ms;
  const recent = new Recent({ totals, table: () => switchboard.table, now });
  return {
    switchboard,
    recent,
    /** Looks when it is told to. */
    outages,
    /** Lets a second pass, then looks at the traffic. */
    tick: (ms = 1_000) => {
      clock.ms += ms;
      recent.look();
    },
    /** Looks at drains when it is told to; set `hooks.onPublished` to let it follow. */
    drains: new DrainWatch({
      board: switchboard,
      totals,
      names,
      leftBehind: () => left.count,
      servedBefore: new Set(),
      log,
    }),
    /** Connections that the process before an upgrade still has. */
    left,
    hooks,
    store,
    workers,
    slots,
    totals,
    names,
    /** Where the only worker counts. */
    region,
    log,
    health,
    pointer: () => Atomics.load(memory.pointer, 0),
    movePointer: (version: number) => Atomics.store(memory.pointer, 0, version),
    /** Sets the health of a target of the current table. */
    ail: (port: number, status: TargetHealth) => {
      for (const one of switchboard.table.services.flatMap(deploymentsOf)) {
        for (const { slot, url } of one.endpoints) {
          if (url.endsWith(`:${port}`)) health.set(slot, status);
        }
      }
    },
    /** Sets one slot of a block, as a worker would. */
    count: (block: number, slot: number, value: number) => {
      region[blockOffset(block) + slot] = value;
    },
    /** Sets how many connections to an endpoint are open. */
    connect: (endpoint: number, value: number) => {
      region[endpointOffset(endpoint) + ENDPOINT_ROW.connections] = value;
    },
    /** Lets a worker give a session on a block, now. */
    give: (block: number) => {
      markGiven(memory.sightings, block, Math.floor(Date.now() / 1_000));
    },
    /** Lets a worker see sessions with the ids 1 to `sessions` on a block, now. */
    see: ({ policy }: Service, block: number, sessions: number) => {
      const sliceS = Math.ceil(policy.affinity.idleMs / 1_000 / SLICES_PER_WINDOW);
      const slice = Math.floor(Date.now() / 1_000 / sliceS);
      for (let idHash = 1; idHash <= sessions; idHash++) {
        markSighting(memory.sightings, { block, slice, idHash });
      }
    },
  };
}

/** Returns the service of a table that has one. */
export function only({ services }: RoutingTable): Service {
  return services[0]!;
}

const ANYONE: ChangeRequest = {
  service: undefined,
  force: false,
  reason: '',
  ifMatch: undefined,
  actor: '127.0.0.1',
};

export function change(changes: Partial<ChangeRequest> = {}): ChangeRequest {
  return { ...ANYONE, ...changes };
}

export function to(
  destination: SwitchRequest['to'],
  changes: Partial<SwitchRequest> = {},
): SwitchRequest {
  return { ...ANYONE, to: destination, holdMs: 0, ...changes };
}

/** Asks for a rollback. */
export function back(changes: Partial<RollbackRequest> = {}): RollbackRequest {
  return { ...ANYONE, restick: 'new', lockOut: true, ...changes };
}

/** Wants a release on green, at port 3009. */
export function wanted(changes: Partial<RegisterRequest> = {}): RegisterRequest {
  return {
    color: 'green',
    release: 'v9',
    targets: ['http://127.0.0.1:3009'],
    metadata: {},
    evict: false,
    unlock: false,
    ...changes,
  };
}

export function notReady(): OperatorError {
  return new OperatorError('workers-not-ready', 'worker 0 is silent');
}
