// Carries out changes, one at a time, each through the same phases: wait for the turn, refuse what
// no change may do, decide, publish, account. What is decided is the business of the caller.

import type { ChangeAnswer } from '../../api/shared-fields.ts';
import { assert } from '../../base/assert.ts';
import type { ServiceConfig } from '../../config/config.ts';
import type { RoutingTable } from '../../contract/table.ts';
import { SWITCH_WAITERS_MAX } from '../base/control-limits.ts';
import type { Log } from '../base/log.ts';
import { OperatorError } from '../base/problems.ts';
import type { Slots } from '../memory/slots.ts';
import type { ServiceState } from '../store/service-state.ts';
import { ChangeAccount } from './change-account.ts';
import { ChangeQueue } from './change-queue.ts';
import { checkGeneration, findService, type ChangeRequest } from './change-request.ts';
import { serviceChange, type Basis, type Change, type Decided } from './change.ts';
import { Publisher, type PublisherParts } from './publisher.ts';
import type { SwitchTally } from './switch-tally.ts';

export interface ChangeRunnerParts extends PublisherParts {
  /** The services as they are configured now. */
  readonly configs: () => readonly ServiceConfig[];
  readonly slots: Slots;
  readonly tally: SwitchTally;
  readonly log: Log;
}

/** One change, from its turn on. */
interface Run<Subject, Result> {
  /** Finds what the change is about; throws where that does not exist. */
  readonly find: () => Subject;
  readonly run: (subject: Subject) => Promise<Result> | Result;
  /** Accounts for a failure, and returns what the caller is told. */
  readonly notMade?: (error: unknown, subject: Subject | undefined) => unknown;
}

export class ChangeRunner {
  readonly #parts: ChangeRunnerParts;
  readonly #publisher: Publisher;
  readonly #queue = new ChangeQueue({ waitersMax: SWITCH_WAITERS_MAX });
  readonly account: ChangeAccount;
  #refusal: OperatorError | undefined;

  constructor(parts: ChangeRunnerParts) {
    this.#parts = parts;
    this.#publisher = new Publisher(parts);
    const halt = (error: Error): OperatorError => this.halt(error);
    this.account = new ChangeAccount({ ...parts, halt });
  }

  /** The table that the pointer names. */
  get table(): RoutingTable {
    return this.#publisher.table;
  }

  /** The state of every service, also of those that are not configured any more. */
  get states(): ReadonlyMap<string, ServiceState> {
    return this.#publisher.stored.services;
  }

  /** Why no change is taken, of whatever kind; undefined: changes are. */
  get refusal(): OperatorError | undefined {
    return this.#refusal ?? this.#publisher.doubt;
  }

  /** Waits for the turn of `request`, refuses what no change may do, and runs it. */
  async inTurn<Subject, Result>(
    request: Pick<ChangeRequest, 'ifMatch'>,
    { find, run, notMade = (error) => error }: Run<Subject, Result>,
  ): Promise<Result> {
    return this.#queue.run({ lines: 'all', what: 'change' }, async () => {
      if (this.#refusal) throw this.#refusal;
      let subject: Subject | undefined;
      try {
        subject = find();
        checkGeneration(this.table, request);
        return await run(subject);
      } catch (error) {
        throw notMade(error, subject);
      }
    });
  }

  /** Runs a change of one service, which the log calls `what`. */
  async ofService<Result>(
    request: ChangeRequest,
    what: string,
    run: (state: ServiceState) => Promise<Result>,
  ): Promise<Result> {
    return this.inTurn(request, {
      find: () => this.state(findService(this.table, request.service).name),
      run,
      notMade: (error, service) => this.account.notMade(error, service, { request, what }),
    });
  }

  /** Runs a change that is no switch; what `decide` finds to be so already changes nothing. */
  async edit(
    request: ChangeRequest,
    what: string,
    decide: (
      state: ServiceState,
      basis: Basis,
    ) => Promise<Decided | undefined> | Decided | undefined,
  ): Promise<ChangeAnswer> {
    return this.ofService(request, what, async (state) => {
      const { name: service } = state;
      const decided = await decide(state, this.basis());
      if (decided === undefined) return { generation: this.table.epoch, service, changed: false };
      return this.make(request, decided, { service, what });
    });
  }

  /** Makes a change of a service that is no switch, in its turn; `told` goes into its answer. */
  async make<Told extends object>(
    request: ChangeRequest,
    decided: Decided,
    about: { readonly service: string; readonly what: string; readonly told?: Told },
  ): Promise<ChangeAnswer & Told> {
    const change = serviceChange(this.basis(), decided, { request, ...about });
    await this.publish(change, request);
    this.settle();
    const { generation } = change.answer;
    this.account.changed(request, { ...about, generation });
    return change.answer;
  }

  /** Returns what a change begins from. */
  basis(): Basis {
    const { stored, nextVersion } = this.#publisher;
    return {
      stored,
      version: nextVersion,
      configs: this.#parts.configs(),
      slots: this.#parts.slots,
    };
  }

  /** Returns the state of the service `name`, which is configured. */
  state(name: string): ServiceState {
    const state = this.states.get(name);
    assert(state !== undefined, 'every configured service has a state');
    return state;
  }

  /** Brings `change` into force; what it stores is stored with the call of `request`. */
  async publish(change: Change, { call }: Pick<ChangeRequest, 'call'> = {}): Promise<void> {
    await this.#publisher.publish(change);
    call?.recorded();
  }

  /** Resolves when every worker goes by the current table. */
  async settled(): Promise<void> {
    await this.#publisher.settle();
  }

  /** As `settled`, for what no answer waits for. */
  settle(): void {
    this.settled().catch((error: unknown) => {
      this.#parts.log.warn({ err: error }, 'a worker is late to go by the new table');
    });
  }

  /** Takes no more changes and resolves when the running one has ended. */
  async close(): Promise<void> {
    this.#refusal = new OperatorError('stopping', 'no change is taken any more');
    this.#publisher.close();
    await this.#queue.idle();
  }

  /** Takes no changes until `resume`, and resolves when the running one has ended. */
  async pause(): Promise<void> {
    if (this.refusal) throw this.refusal;
    const why = 'a new process takes over; ask again in a moment';
    this.#refusal = new OperatorError('upgrading', why);
    await this.#queue.idle();
  }

  resume(): void {
    if (this.#refusal?.code === 'upgrading') this.#refusal = undefined;
  }

  /** Takes no more changes, because what is known here may be wrong; traffic goes on. */
  halt(error: Error): OperatorError {
    this.#refusal = new OperatorError('frozen', `${error.message}; traffic goes on, restart soon`, {
      cause: error,
    });
    return this.#refusal;
  }
}
