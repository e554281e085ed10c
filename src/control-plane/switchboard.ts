// The only writer of routing tables. A change runs through the same phases, one change at
// a time:
//
//   check ─► next table ─► every worker prepared ─► stored ─► ONE store into the pointer
//
// Up to the last step traffic stays exactly as it was. Knows neither HTTP nor threads.

import { assert, InvariantError } from '../base/assert.ts';
import type { SharedMemory } from '../contract/counters.ts';
import { otherColor, type Color, type RoutingTable, type Service } from '../contract/table.ts';
import { PREPARE_TIMEOUT_MS, SWITCH_WAITERS_MAX } from './limits.ts';
import type { Log } from './log.ts';
import { messageOf, OperatorError } from './problems.ts';
import type { Store, SwitchOutcome, SwitchRecord } from './store.ts';
import {
  checkGeneration,
  checkReason,
  checkRollback,
  checkSwitch,
  findService,
  rollbackTarget,
  type ChangeRequest,
  type HealthOf,
  type SwitchRequest,
} from './switch-check.ts';
import { SwitchTally } from './switch-tally.ts';
import { Turn } from './turn.ts';

export interface SwitchAnswer {
  readonly generation: number;
  readonly service: string;
  readonly from: Color;
  readonly to: Color;
  readonly release: string;
  /** When the color became the active one, in ms since the epoch. */
  readonly publishedAtMs: number;
  readonly tookMs: number;
  /** False when the color was active already: nothing was done. */
  readonly changed: boolean;
}

export interface SwitchboardParts {
  /** The table that the workers were born with. */
  readonly first: RoutingTable;
  readonly memory: SharedMemory;
  readonly store: Store;
  readonly workers: TableHolders;
  readonly health: HealthOf;
  readonly log: Log;
}

/** Those who serve from tables. */
interface TableHolders {
  /** Resolves when every worker could serve `table`; rejects with `workers-not-ready`. */
  prepare(table: RoutingTable, withinMs: number): Promise<void>;
  forget(generation: number): void;
}

interface Change {
  readonly service: Service;
  readonly to: Color;
  readonly outcome: SwitchOutcome;
  readonly request: ChangeRequest;
  readonly startedMs: number;
}

/** Decides on changes of the active color and carries them out. */
export class Switchboard {
  readonly #parts: SwitchboardParts;
  readonly #turn = new Turn({ waitersMax: SWITCH_WAITERS_MAX });
  /** Published tables that workers may still hold: the previous one and the current. */
  readonly #published: number[];
  readonly tally: SwitchTally;
  #table: RoutingTable;
  /** A refused generation is burnt: a late answer to it must not count for the next. */
  #generationUsed: number;
  #refusal: OperatorError | undefined;

  constructor(parts: SwitchboardParts) {
    this.#parts = parts;
    this.#table = parts.first;
    this.#published = [parts.first.generation];
    this.#generationUsed = parts.first.generation;
    this.tally = new SwitchTally(parts.first);
  }

  /** The table that the pointer names. */
  get table(): RoutingTable {
    return this.#table;
  }

  /** A broken rule was met; no change is taken until a restart reads the store again. */
  get isFrozen(): boolean {
    return this.#refusal?.code === 'frozen';
  }

  /** Makes the wanted color of a service the active one. */
  async switch(request: SwitchRequest): Promise<SwitchAnswer> {
    return this.#run('switched', request, (service) => {
      const to = request.to ?? otherColor(service.active);
      if (to !== service.active) checkSwitch(service, to, request.force, this.#parts.health);
      return to;
    });
  }

  /** Takes the last switch of a service back. */
  async rollback(request: ChangeRequest): Promise<SwitchAnswer> {
    return this.#run('rolled-back', request, (service) => {
      const to = rollbackTarget(service, this.#lastSwitch(service.name));
      checkRollback(service, to, request.force, this.#parts.health);
      return to;
    });
  }

  /** Takes no more changes and resolves when the running one has ended. */
  async close(): Promise<void> {
    this.#refusal = new OperatorError('stopping', 'no change is taken any more');
    await this.#turn.idle();
  }

  /** Takes no more changes, because what is known here may be wrong; traffic goes on. */
  freeze(error: Error): OperatorError {
    this.#refusal = new OperatorError('frozen', `${error.message}; traffic goes on, restart soon`, {
      cause: error,
    });
    return this.#refusal;
  }

  async #run(
    outcome: SwitchOutcome,
    request: ChangeRequest,
    decide: (service: Service) => Color,
  ): Promise<SwitchAnswer> {
    const startedMs = performance.now();
    return this.#turn.take(async () => {
      if (this.#refusal) throw this.#refusal;
      let service: Service | undefined;
      try {
        service = findService(this.#table, request.service);
        checkGeneration(this.#table, request);
        checkReason(request);
        const to = decide(service);
        if (to === service.active) return this.#unchanged(service, startedMs);
        return await this.#carryOut({ service, to, outcome, request, startedMs });
      } catch (error) {
        throw this.#account(error, service, request);
      }
    });
  }

  async #carryOut(change: Change): Promise<SwitchAnswer> {
    const { memory, store, workers, log } = this.#parts;
    const { service, to, outcome, request } = change;
    const next = tableAfter(this.#table, ++this.#generationUsed, service.name, to);
    assert(next.generation > Atomics.load(memory.pointer, 0), 'generations only grow');
    const record: SwitchRecord = {
      generation: next.generation,
      service: service.name,
      from: service.active,
      to,
      release: service[to].release,
      atMs: Date.now(),
      outcome,
      forced: request.force,
      reason: request.reason,
      actor: request.actor,
    };
    try {
      await workers.prepare(next, PREPARE_TIMEOUT_MS);
      commit(store, record);
    } catch (error) {
      workers.forget(next.generation);
      throw error;
    }
    Atomics.store(memory.pointer, 0, next.generation);
    const publishedAtMs = Date.now();
    this.#table = next;
    const tookMs = performance.now() - change.startedMs;
    this.#afterwards(record, tookMs);
    log.info(
      { ...record, tookMs: Number(tookMs.toFixed(3)) },
      `${service.name} ${outcome} to ${to}`,
    );
    return { ...answerOf(record), publishedAtMs, tookMs, changed: true };
  }

  /** Bookkeeping that can no longer change the outcome. */
  #afterwards(record: SwitchRecord, tookMs: number): void {
    const { store, workers, log } = this.#parts;
    this.tally.published(record, tookMs);
    this.#published.push(record.generation);
    while (this.#published.length > 2) workers.forget(this.#published.shift()!);
    try {
      store.recordTook(record.generation, tookMs);
    } catch (error) {
      log.warn({ err: error }, 'the duration of a switch was not recorded');
    }
  }

  #unchanged(service: Service, startedMs: number): SwitchAnswer {
    const known = this.#parts.store.load().services.get(service.name);
    return {
      generation: this.#table.generation,
      service: service.name,
      from: service.active,
      to: service.active,
      release: service[service.active].release,
      publishedAtMs: known?.sinceAtMs ?? Date.now(),
      tookMs: performance.now() - startedMs,
      changed: false,
    };
  }

  /** Counts and logs a change that was not made; returns what the operator is told. */
  #account(error: unknown, service: Service | undefined, request: ChangeRequest): unknown {
    const { log } = this.#parts;
    const told = error instanceof InvariantError ? this.freeze(error) : error;
    const failed = !(told instanceof OperatorError) || told.status >= 500;
    if (service) this.tally.refused(service, failed ? 'failed' : 'refused');
    const fields = { service: service?.name, actor: request.actor, reason: request.reason };
    if (failed) log.error({ ...fields, err: told }, `switch failed: ${messageOf(told)}`);
    else log.warn({ ...fields, code: told.code }, `switch refused: ${told.message}`);
    return told;
  }

  #lastSwitch(service: string): SwitchRecord | undefined {
    return this.#parts.store.history({ service, limit: 1 })[0];
  }
}

function tableAfter(
  table: RoutingTable,
  generation: number,
  name: string,
  active: Color,
): RoutingTable {
  const services = table.services.map((service) =>
    service.name === name ? { ...service, active, since: generation } : service,
  );
  return { generation, services };
}

function commit(store: Store, record: SwitchRecord): void {
  try {
    store.commit(record);
  } catch (error) {
    throw new OperatorError('store-failed', `${messageOf(error)}; traffic stays as it was`, {
      cause: error,
    });
  }
}

function answerOf({ generation, service, from, to, release }: SwitchRecord): {
  readonly generation: number;
  readonly service: string;
  readonly from: Color;
  readonly to: Color;
  readonly release: string;
} {
  return { generation, service, from, to, release };
}
