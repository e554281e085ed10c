// What is told of a change beside its answer: counts, log lines, how long it took. Nothing here can
// change what becomes of it.

import { InvariantError } from '../../base/assert.ts';
import type { Log } from '../base/log.ts';
import { messageOf, OperatorError } from '../base/problems.ts';
import type { ServiceState } from '../store/service-state.ts';
import type { Store, SwitchRecord } from '../store/store.ts';
import type { ChangeRequest } from '../deployments/change-request.ts';
import type { SwitchTally } from './switch-tally.ts';

interface ChangeAccountParts {
  readonly tally: SwitchTally;
  readonly store: Pick<Store, 'recordTook'>;
  readonly log: Log;
  /** Takes no more changes after a broken rule; returns what the operator is told. */
  readonly halt: (error: Error) => OperatorError;
}

export class ChangeAccount {
  readonly #parts: ChangeAccountParts;

  constructor(parts: ChangeAccountParts) {
    this.#parts = parts;
  }

  /** A switch was made. */
  switched(record: SwitchRecord, tookMs: number): void {
    const { tally, log } = this.#parts;
    tally.published(record, tookMs);
    void this.#recordTook(record, tookMs);
    const { epoch: generation, ...told } = record;
    log.info(
      { generation, ...told, tookMs: Number(tookMs.toFixed(3)) },
      `${record.service} ${record.outcome} to ${record.to}`,
    );
  }

  /** No answer waits for it. */
  async #recordTook({ epoch }: SwitchRecord, tookMs: number): Promise<void> {
    try {
      await this.#parts.store.recordTook(epoch, tookMs);
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'the duration of a switch was not recorded');
    }
  }

  /** Another change was made. */
  changed(
    { actor, reason }: ChangeRequest,
    { what, service, generation }: { what: string; service: string; generation: number },
  ): void {
    this.#parts.log.info({ service, generation, actor, reason }, `${service}: ${what}`);
  }

  /** A change was not made. Returns what the operator is told. */
  notMade(
    error: unknown,
    states: readonly ServiceState[] = [],
    { request, what }: { readonly request: ChangeRequest; readonly what: string },
  ): unknown {
    const { tally, log, halt } = this.#parts;
    const told = error instanceof InvariantError ? halt(error) : error;
    const failed = !(told instanceof OperatorError) || told.status >= 500;
    if (what === 'switch' || what === 'rollback') {
      for (const state of states) tally.refused(state, failed ? 'failed' : 'refused');
    }
    const service = states.length === 0 ? undefined : states.map(({ name }) => name).join(', ');
    const fields = { service, actor: request.actor, reason: request.reason };
    if (failed) log.error({ ...fields, err: told }, `${what} failed: ${messageOf(told)}`);
    else log.warn({ ...fields, code: told.code }, `${what} refused: ${told.message}`);
    return told;
  }
}
