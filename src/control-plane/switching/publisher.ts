// The one way in which a change comes into force. Up to the last step traffic stays exactly as it
// was. (The first table of a process is set by daemon.ts; a process that was upgraded follows the
// tables of its successor in process-upgrade.ts.)
//
//   next table ─► every worker prepared ─► stored ─► ONE store into the pointer ─► settled

import { assert } from '../../base/assert.ts';
import type { SharedMemory } from '../../contract/shared-memory.ts';
import type { RoutingTable } from '../../contract/table.ts';
import { PREPARE_TIMEOUT_MS } from '../base/control-limits.ts';
import { messageOf, OperatorError } from '../base/problems.ts';
import type { Store, StoredChange } from '../store/store.ts';
import type { Change } from './change.ts';
import type { TableHolders } from './table-holders.ts';
import { fingerprintOf } from './table-state.ts';

export interface PublisherParts {
  /** The table that the workers were born with. */
  readonly first: RoutingTable;
  readonly memory: SharedMemory;
  readonly store: Store;
  readonly workers: TableHolders;
  /** Called with every table that still counts, the current one last. */
  readonly onPublished: (tables: readonly RoutingTable[]) => void;
}

/** Numbers tables and publishes them. */
export class Publisher {
  readonly #parts: PublisherParts;
  /** Published tables that workers may still hold: the previous one and the current. */
  #published: readonly RoutingTable[];
  /** A refused generation is burnt: a late answer to it must not count for the next. */
  #generationUsed: number;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#published = [parts.first];
    this.#generationUsed = parts.first.generation;
  }

  /** The table that the pointer names. */
  get table(): RoutingTable {
    return this.#published.at(-1)!;
  }

  /** Number of the table that is published next. */
  get nextGeneration(): number {
    return this.#generationUsed + 1;
  }

  /** Publishes the table of `change`, which has the next generation, and stores the rest with it. */
  async publish({ table: next, services, record, notes }: Change): Promise<void> {
    const { memory, workers } = this.#parts;
    const { generation } = next;
    const fingerprint = fingerprintOf(next);
    assert(generation === this.nextGeneration, 'generations are given in order');
    this.#generationUsed = generation;
    assert(generation > Atomics.load(memory.pointer, 0), 'generations only grow');
    try {
      await workers.prepare(next, PREPARE_TIMEOUT_MS);
      this.#commit({ generation, fingerprint, services, record, notes });
    } catch (error) {
      workers.forget(generation);
      throw error;
    }
    Atomics.store(memory.pointer, 0, generation);
    this.#published = [...this.#published, next];
    await workers.point(generation, PREPARE_TIMEOUT_MS);
  }

  /** Bookkeeping after a publication; resolves when every worker goes by the current table. */
  async settle(): Promise<void> {
    const { workers, onPublished } = this.#parts;
    const { generation } = this.table;
    while (this.#published.length > 2) {
      workers.forget(this.#published[0]!.generation);
      this.#published = this.#published.slice(1);
    }
    onPublished(this.#published);
    await workers.adopt(generation, PREPARE_TIMEOUT_MS);
  }

  #commit(change: StoredChange): void {
    try {
      this.#parts.store.commit(change);
    } catch (error) {
      throw new OperatorError('store-failed', `${messageOf(error)}; traffic stays as it was`, {
        cause: error,
      });
    }
  }
}
