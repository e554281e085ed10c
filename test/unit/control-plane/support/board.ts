// A switchboard with fake workers, a store in memory and health as the test sets it.

import { allocateSharedMemory } from '../../../../src/contract/counters.ts';
import type { RoutingTable } from '../../../../src/contract/table.ts';
import { fingerprintOf, firstTable } from '../../../../src/control-plane/first-table.ts';
import { OperatorError } from '../../../../src/control-plane/problems.ts';
import { Slots } from '../../../../src/control-plane/slots.ts';
import type { ServiceConfig } from '../../../../src/config/config.ts';
import type {
  HistoryEntry,
  Store,
  StoredService,
  SwitchRecord,
} from '../../../../src/control-plane/store.ts';
import type {
  ChangeRequest,
  SwitchRequest,
  TargetHealth,
} from '../../../../src/control-plane/switch-check.ts';
import { Switchboard } from '../../../../src/control-plane/switchboard.ts';
import { config, serviceConfig, target, TestLog } from './fixtures.ts';

const UP: TargetHealth = { state: 'up', reason: '' };
export const DOWN: TargetHealth = { state: 'down', reason: 'connection refused' };
export const UNKNOWN: TargetHealth = { state: 'unknown', reason: '' };

/** Two targets on green, so that one of them can be down. */
const TWO_ON_GREEN = serviceConfig({
  green: { release: 'v2', targets: [target(3002), target(3003)] },
});

class MemoryStore implements Store {
  readonly warning = undefined;
  readonly services = new Map<string, StoredService>();
  readonly records: SwitchRecord[] = [];
  generation = 0;
  /** Called before anything is written; may throw. */
  onCommit: (record: SwitchRecord) => void = () => {};

  load() {
    return { generation: this.generation, fingerprint: '', services: this.services };
  }
  adopt({ generation }: { generation: number }): void {
    this.generation = generation;
  }
  commit(record: SwitchRecord): void {
    this.onCommit(record);
    this.records.unshift(record);
    this.generation = record.generation;
  }
  recordTook(): void {}
  history({ service, limit }: { service: string | undefined; limit: number }): HistoryEntry[] {
    return this.records
      .filter((record) => record.service === (service ?? record.service))
      .slice(0, limit)
      .map((record) => ({ ...record, tookMs: undefined }));
  }
  async close(): Promise<void> {}
}

class FakeHolders {
  readonly prepared: number[] = [];
  readonly forgotten: number[] = [];
  /** What a prepare does; resolves when all workers are ready. */
  onPrepare: (table: RoutingTable) => Promise<void> = async () => {};

  async prepare(table: RoutingTable): Promise<void> {
    this.prepared.push(table.generation);
    await this.onPrepare(table);
  }
  forget(generation: number): void {
    this.forgotten.push(generation);
  }
}

/** Builds a switchboard whose blue is active in generation 1. */
export function board(services: readonly ServiceConfig[] = [TWO_ON_GREEN]) {
  const memory = allocateSharedMemory(1);
  const store = new MemoryStore();
  const workers = new FakeHolders();
  const log = new TestLog();
  const health = new Map<number, TargetHealth>();
  const settings = config('/nowhere', { services });
  const stored = { generation: 0, fingerprint: fingerprintOf(settings), services: new Map() };
  const first = firstTable(settings, stored, new Slots());
  Atomics.store(memory.pointer, 0, first.generation);
  const switchboard = new Switchboard({
    first,
    memory,
    store,
    workers,
    log,
    health: (slot) => health.get(slot) ?? UP,
  });
  return {
    switchboard,
    store,
    workers,
    log,
    health,
    pointer: () => Atomics.load(memory.pointer, 0),
    movePointer: (generation: number) => Atomics.store(memory.pointer, 0, generation),
    /** Sets the health of a target of the active table. */
    ail: (port: number, status: TargetHealth) => {
      for (const { blue, green } of first.services) {
        for (const { slot, url } of [...blue.endpoints, ...green.endpoints]) {
          if (url.endsWith(`:${port}`)) health.set(slot, status);
        }
      }
    },
  };
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
  color: SwitchRequest['to'],
  changes: Partial<ChangeRequest> = {},
): SwitchRequest {
  return { ...ANYONE, to: color, ...changes };
}

export function notReady(): OperatorError {
  return new OperatorError('workers-not-ready', 'worker 0 is silent');
}
