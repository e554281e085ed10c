// The process that this one has replaced, while it finishes what it had. Every table that is
// published here holds for its last requests too, so that a switch right after an upgrade has no
// exception.

import type { RoutingTable } from '../../contract/table.ts';
import type { HealthReport } from '../targets/health.ts';
import { OperatorError } from '../base/problems.ts';
import type { TableHolders } from '../switching/table-holders.ts';
import type { PredecessorSays, SuccessorSays } from './successor.ts';

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
  #onHealth: (reports: readonly HealthReport[]) => void = () => {};
  #isThere = true;
  #connections: number | undefined;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.on('message', (said) => this.#hear(said));
    channel.on('disconnect', () => this.#gone());
  }

  /** Client connections that it still finishes; undefined: it has not said yet. */
  get connections(): number | undefined {
    return this.#isThere ? this.#connections : 0;
  }

  /** Calls `listener` with what it knows of the targets, which it tells before anything else. */
  onHealth(listener: (reports: readonly HealthReport[]) => void): void {
    this.#onHealth = listener;
  }

  /** Resolves when it has ended. */
  get gone(): Promise<void> {
    return this.#left.promise;
  }

  /** Tells it that this process serves: it may stop accepting. */
  takeOver(version: string): void {
    this.#say({ kind: 'ready', version });
  }

  async prepare(table: RoutingTable, withinMs: number): Promise<void> {
    const { version } = table;
    if (await this.#ask({ kind: 'prepare', table }, `prepare ${version}`, withinMs)) return;
    throw new OperatorError(
      'workers-not-ready',
      `the process before the upgrade did not answer within ${withinMs} ms; traffic stays as it was`,
    );
  }

  /** Its pointer is not ours: a change has been made once it has moved, too. */
  async point(version: number, withinMs: number): Promise<void> {
    await this.#ask({ kind: 'point', version }, `point ${version}`, withinMs);
  }

  async adopt(): Promise<void> {
    // Nothing is left to do: `point` has moved the pointer of the old process and told its workers.
  }

  forget(version: number): void {
    this.#say({ kind: 'forget', version });
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
    if (said.kind === 'health') return this.#onHealth(said.reports);
    if (said.kind === 'left') {
      this.#connections = said.connections;
      return;
    }
    const key = `${said.what} ${said.version}`;
    for (const waiter of this.#waiters) if (waiter.key === key) waiter.resolve();
  }

  #gone(): void {
    this.#isThere = false;
    this.#left.resolve();
    for (const { resolve } of this.#waiters) resolve();
  }
}
