// The one way in which a change comes into force, in four phases. Up to the third, traffic stays exactly
// as it was. (The first table of a process is set by daemon.ts; a process that was upgraded follows the
// tables of its successor in process-upgrade.ts.)
//
//   prepare: every worker could serve the next table
//   agree:   the change is stored, and no other decision was first
//   point:   ONE store into the pointer
//   settle:  every worker goes by it, what is older is forgotten

import { assert } from '../../base/assert.ts';
import type { SharedMemory } from '../../contract/shared-memory.ts';
import type { RoutingTable } from '../../contract/table.ts';
import { PREPARE_TIMEOUT_MS } from '../base/control-limits.ts';
import { unlessCalledOff } from '../base/called-off.ts';
import { messageOf, OperatorError } from '../base/problems.ts';
import type { Store, StoredState } from '../store/store.ts';
import { ChangeAgreement } from './change-agreement.ts';
import type { Turn } from './change-queue.ts';
import type { Change } from '../deployments/change.ts';
import type { Log } from '../base/log.ts';
import type { TableHolders } from './table-holders.ts';

export interface PublisherParts {
  /** The table that the workers were born with, made of what is stored. */
  readonly first: RoutingTable;
  readonly memory: SharedMemory;
  readonly store: Store;
  readonly workers: TableHolders;
  readonly log: Pick<Log, 'debug'>;
  /** Called with every table that still counts, the current one last, and one that is prepared. */
  readonly onPublished: (
    tables: readonly RoutingTable[],
    preparing: RoutingTable | undefined,
  ) => void;
}

/** Numbers tables and publishes them. */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #agreement: ChangeAgreement;
  /** Published tables that workers may still hold: the previous one and the current. */
  #published: readonly RoutingTable[];
  /** A refused version is burnt: a late answer to it must not count for the next. */
  #versionUsed: number;
  #preparing: RoutingTable | undefined;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#agreement = new ChangeAgreement(parts.store);
    this.#published = [parts.first];
    this.#versionUsed = parts.first.version;
  }

  /** The table that the pointer names. */
  get table(): RoutingTable {
    return this.#published.at(-1)!;
  }

  /** What the table was made of. */
  get stored(): StoredState {
    return this.#parts.store.state;
  }

  /** Number of the table that is published next. */
  get nextVersion(): number {
    return this.#versionUsed + 1;
  }

  /** Why no change is taken: it is not known what became of the last one. */
  get doubt(): OperatorError | undefined {
    return this.#agreement.doubt;
  }

  /**
   * Publishes the table of `change`, which has the next version, and stores the rest with it. Up to
   * the moment before it is stored, `turn` may call it off.
   */
  async publish(change: Change, turn?: Pick<Turn, 'signal' | 'pass'>): Promise<void> {
    const { table } = change;
    const startedMs = performance.now();
    assert(change.epoch >= change.decidedOn, 'epochs only grow');
    await this.#prepare(table, turn?.signal);
    try {
      turn?.pass();
      if (mustBeStored(change)) await this.#agreement.reach(change);
    } catch (error) {
      this.#parts.workers.forget(table.version);
      if (error instanceof OperatorError) throw error;
      throw new OperatorError('store-failed', `${messageOf(error)}; traffic stays as it was`, {
        cause: error,
      });
    } finally {
      this.#preparing = undefined;
    }
    await this.#point(table);
    const { version, epoch } = table;
    const tookMs = Math.round(performance.now() - startedMs);
    const services = change.services.map(({ name }) => name);
    this.#parts.log.debug(
      { kind: 'table', version, generation: epoch, services, tookMs },
      `table ${version} is published (generation ${epoch}, ${tookMs} ms)`,
    );
  }

  /** Waits no more for an agreement. */
  close(): void {
    this.#agreement.close();
  }

  async #prepare(next: RoutingTable, signal: AbortSignal | undefined): Promise<void> {
    const { memory, workers } = this.#parts;
    const { version } = next;
    assert(version === this.nextVersion, 'versions are given in order');
    this.#versionUsed = version;
    assert(version > Atomics.load(memory.pointer, 0), 'versions only grow');
    this.#preparing = next;
    try {
      await unlessCalledOff(workers.prepare(next, PREPARE_TIMEOUT_MS), signal);
    } catch (error) {
      workers.forget(version);
      this.#preparing = undefined;
      throw error;
    }
  }

  async #point(next: RoutingTable): Promise<void> {
    const { memory, workers } = this.#parts;
    Atomics.store(memory.pointer, 0, next.version);
    this.#published = [...this.#published, next];
    await workers.point(next.version, PREPARE_TIMEOUT_MS);
  }

  /** Bookkeeping after a publication; resolves when every worker goes by the current table. */
  async settle(): Promise<void> {
    const { workers, onPublished } = this.#parts;
    const { version } = this.table;
    while (this.#published.length > 2) {
      workers.forget(this.#published[0]!.version);
      this.#published = this.#published.slice(1);
    }
    onPublished(this.#published, this.#preparing);
    await workers.adopt(version, PREPARE_TIMEOUT_MS);
  }
}

/** Something of it must outlast this process. */
function mustBeStored({ decidedOn, epoch, services, notes }: Change): boolean {
  return epoch !== decidedOn || services.length > 0 || notes !== undefined;
}
