// Durable state that is not: what a switchboard stores, for a test to look at.

import type {
  HistoryEntry,
  Store,
  StoredChange,
  StoredService,
  SwitchRecord,
} from '../../../../src/control-plane/store.ts';

export class MemoryStore implements Store {
  readonly warning = undefined;
  readonly services = new Map<string, StoredService>();
  /** The latest first. */
  readonly records: SwitchRecord[] = [];
  generation = 0;
  fingerprint = '';
  /** Called before anything is written; may throw. */
  onCommit: (change: StoredChange) => void = () => {};

  load() {
    const { generation, fingerprint, services } = this;
    return { generation, fingerprint, services };
  }
  adopt({ generation, fingerprint }: { generation: number; fingerprint: string }): void {
    this.generation = generation;
    this.fingerprint = fingerprint;
  }
  commit(change: StoredChange): void {
    this.onCommit(change);
    const { generation, fingerprint, service, record } = change;
    this.generation = generation;
    this.fingerprint = fingerprint;
    this.services.set(service.name, service);
    if (record !== undefined) this.records.unshift(record);
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
