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
import type { Store, StoredChange, StoredState } from '../store/store.ts';
import type { Change } from './change.ts';
import type { TableHolders } from './table-holders.ts';

export interface PublisherParts {
  /** The table that the workers were born with, and the state that it was made of. */
  readonly first: RoutingTable;
  readonly stored: Stored;
  readonly memory: SharedMemory;
  readonly store: Store;
  readonly workers: TableHolders;
  /** Called with every table that still counts, the current one last. */
  readonly onPublished: (tables: readonly RoutingTable[]) => void;
}

/** What tables are made of, beside the configuration. */
type Stored = Pick<StoredState, 'epoch' | 'nextDeployment' | 'services'>;

/** Numbers tables and publishes them. */
export class Publisher {
  readonly #parts: PublisherParts;
  /** Published tables that workers may still hold: the previous one and the current. */
  #published: readonly RoutingTable[];
  /** A refused version is burnt: a late answer to it must not count for the next. */
  #versionUsed: number;
  #stored: Stored;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#published = [parts.first];
    this.#versionUsed = parts.first.version;
    this.#stored = parts.stored;
  }

  /** The table that the pointer names. */
  get table(): RoutingTable {
    return this.#published.at(-1)!;
  }

  /** What the table was made of. */
  get stored(): Stored {
    return this.#stored;
  }

  /** Number of the table that is published next. */
  get nextVersion(): number {
    return this.#versionUsed + 1;
  }

  /** Publishes the table of `change`, which has the next version, and stores the rest with it. */
  async publish(asked: Change): Promise<void> {
    const { table: next, epoch, nextDeployment, services, records, notes } = asked;
    const change = { epoch, nextDeployment, services, records, notes };
    const { memory, workers } = this.#parts;
    const { version } = next;
    assert(version === this.nextVersion, 'versions are given in order');
    this.#versionUsed = version;
    assert(version > Atomics.load(memory.pointer, 0), 'versions only grow');
    assert(change.epoch >= this.#stored.epoch, 'epochs only grow');
    try {
      await workers.prepare(next, PREPARE_TIMEOUT_MS);
      this.#commit(change);
    } catch (error) {
      workers.forget(version);
      throw error;
    }
    Atomics.store(memory.pointer, 0, version);
    this.#published = [...this.#published, next];
    this.#stored = after(this.#stored, change);
    await workers.point(version, PREPARE_TIMEOUT_MS);
  }

  /** Bookkeeping after a publication; resolves when every worker goes by the current table. */
  async settle(): Promise<void> {
    const { workers, onPublished } = this.#parts;
    const { version } = this.table;
    while (this.#published.length > 2) {
      workers.forget(this.#published[0]!.version);
      this.#published = this.#published.slice(1);
    }
    onPublished(this.#published);
    await workers.adopt(version, PREPARE_TIMEOUT_MS);
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

function after(
  { services }: Stored,
  { epoch, nextDeployment, services: changed }: StoredChange,
): Stored {
  const states = new Map(services);
  for (const state of changed) states.set(state.name, state);
  return { epoch, nextDeployment, services: states };
}
