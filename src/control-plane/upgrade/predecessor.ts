// The process that this one has replaced, while it finishes what it had. Every table that is
// published here holds for its last requests too, so that a switch right after an upgrade has no
// exception.

import type { RoutingTable } from '../../contract/table.ts';
import type { HandedTickets } from '../certificates/ticket-keys.ts';
import type { HealthReport } from '../targets/health.ts';
import type { NameReport } from '../targets/handed-names.ts';
import { PREPARE_TIMEOUT_MS } from '../base/control-limits.ts';
import { background, type Log } from '../base/log.ts';
import { OperatorError } from '../base/problems.ts';
import type { TableHolders } from '../publishing/table-holders.ts';
import { HANDOVER_PROTOCOL, type PredecessorSays, type SuccessorSays } from './successor.ts';

/** What it knows of the targets, and of sessions of TLS. */
export interface Known {
  readonly health: readonly HealthReport[];
  readonly names: readonly NameReport[];
  /** Undefined: it is of a version that has none. */
  readonly tickets: HandedTickets | undefined;
}

/** The channel to it, as `process` has it in a child. */
interface Channel {
  send?(message: SuccessorSays, onSent: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: PredecessorSays) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
  disconnect?(): void;
}

export class Predecessor implements TableHolders {
  readonly #channel: Channel;
  readonly #waiters = new Set<{ readonly key: string; readonly resolve: () => void }>();
  readonly #left = Promise.withResolvers<void>();
  readonly #log: Log;
  #onKnown: (known: Known) => void = () => {};
  #known: Known | undefined;
  /** It makes other tables than this process, and understands none of ours. */
  #isOther = false;
  #isThere = true;
  #connections: number | undefined;

  constructor(channel: Channel, log: Log) {
    this.#channel = channel;
    this.#log = log;
    channel.on('message', (said) => this.#hear(said));
    channel.on('disconnect', () => this.#gone());
  }

  /** Client connections that it still finishes; undefined: it has not said yet. */
  get connections(): number | undefined {
    return this.#isThere ? this.#connections : 0;
  }

  /** Calls `listener` with what it knows of the targets, also where it has told that already. */
  onKnown(listener: (known: Known) => void): void {
    this.#onKnown = listener;
    if (this.#known !== undefined) listener(this.#known);
  }

  /** Resolves when it has ended. */
  get gone(): Promise<void> {
    return this.#left.promise;
  }

  /**
   * Tells it that this process serves: it may stop accepting. Its last requests go by `table` from
   * here on, which may have another active deployment than its own.
   */
  takeOver(version: string, table: RoutingTable): void {
    this.#say({ kind: 'ready', version, protocol: HANDOVER_PROTOCOL });
    const follow = async (): Promise<void> => {
      await this.prepare(table, PREPARE_TIMEOUT_MS);
      await this.point(table.version, PREPARE_TIMEOUT_MS);
    };
    background(follow(), this.#log, 'the table of the process before the upgrade');
  }

  async prepare(table: RoutingTable, withinMs: number): Promise<void> {
    if (this.#isOther) return; // Its last requests go by the table that it had.
    const { version } = table;
    if (await this.#ask({ kind: 'prepare', table }, `prepare ${version}`, withinMs)) return;
    throw new OperatorError(
      'workers-not-ready',
      `the process before the upgrade did not answer within ${withinMs} ms; traffic stays as it was`,
    );
  }

  /** Its pointer is not ours: a change has been made once it has moved, too. */
  async point(version: number, withinMs: number): Promise<void> {
    if (this.#isOther) return;
    await this.#ask({ kind: 'point', version }, `point ${version}`, withinMs);
  }

  async adopt(): Promise<void> {
    // Nothing is left to do: `point` has moved the pointer of the old process and told its workers.
  }

  forget(version: number): void {
    if (!this.#isOther) this.#say({ kind: 'forget', version });
  }

  /** Resolves with true when it has answered or is gone, with false when that takes too long. */
  async #ask(question: SuccessorSays, key: string, withinMs: number): Promise<boolean> {
    if (!this.#isThere) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter = { key, resolve: () => resolve(true) };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => resolve(false), withinMs);
    this.#say(question);
    const hasAnswered = await promise;
    clearTimeout(timer);
    this.#waiters.delete(waiter);
    return hasAnswered;
  }

  #say(message: SuccessorSays): void {
    // It may end at any moment; `disconnect` tells.
    if (this.#isThere) this.#channel.send?.(message, () => {});
  }

  #hear(said: PredecessorSays): void {
    if (said.kind === 'health') return this.#hearKnown(said);
    if (said.kind === 'left') {
      this.#connections = said.connections;
      return;
    }
    const key = `${said.what} ${said.version}`;
    for (const waiter of this.#waiters) if (waiter.key === key) waiter.resolve();
  }

  #hearKnown({
    reports,
    names = [],
    tickets,
    protocol,
  }: Extract<PredecessorSays, { kind: 'health' }>): void {
    this.#isOther = protocol !== HANDOVER_PROTOCOL;
    if (this.#isOther) {
      this.#log.warn(
        { protocol },
        'the process before the upgrade is of another version and follows no later change: its ' +
          'last requests go by the table that it had, until they end or its stop cuts them',
      );
    }
    this.#known = { health: reports, names, tickets };
    this.#onKnown(this.#known);
  }

  #gone(): void {
    this.#isThere = false;
    this.#left.resolve();
    for (const { resolve } of this.#waiters) resolve();
  }
}
