// Carries out changes, each through the same phases: wait for the turn in the lines of its services,
// refuse what no change may do, decide, publish, account. Changes of different services run side by
// side, but one publication at a time: each table is made of the newest state at that moment. What is
// decided is the business of the caller.

import type { ChangeAnswer } from '../../api/shared-fields.ts';
import { assert } from '../../base/assert.ts';
import type { ServiceConfig } from '../../config/config.ts';
import type { Hold, RoutingTable } from '../../contract/table.ts';
import { SWITCH_WAITERS_MAX } from '../base/control-limits.ts';
import { unlessCalledOff } from '../base/called-off.ts';
import type { Log } from '../base/log.ts';
import { OperatorError } from '../base/problems.ts';
import type { Slots } from '../memory/slots.ts';
import type { ServiceState } from '../store/service-state.ts';
import { ChangeAccount } from './change-account.ts';
import { ChangeQueue, type Entry, type Lines, type Turn } from './change-queue.ts';
import { checkGeneration, findService, type ChangeRequest } from '../deployments/change-request.ts';
import { serviceChange, type Basis, type Change, type Decided } from '../deployments/change.ts';
import type { ShadowedServices } from '../deployments/shadow-edit.ts';
import { Publisher, type PublisherParts } from './publisher.ts';
import type { SwitchTally } from './switch-tally.ts';

export interface ChangeRunnerParts extends PublisherParts {
  /** The services as they are configured now. */
  readonly configs: () => readonly ServiceConfig[];
  readonly slots: Slots;
  readonly tally: SwitchTally;
  readonly log: Log;
}

/** What a change is, and how it takes its turn. */
export interface Way {
  /** As the log calls it. */
  readonly what: string;
  /** It gets traffic back to safety: it goes first, and calls off what only prepares or holds. */
  readonly isWayBack?: boolean;
  /** It is the end of a hold: taken also while the process stops, for the requests that wait. */
  readonly endsHold?: boolean;
  /** It lets requests wait until others have ended. */
  readonly mayHold?: boolean;
}

/** One change, from its turn on. */
interface Run<Subject, Result> extends Way {
  readonly lines: Lines;
  /** Finds what the change is about; throws where that does not exist. */
  readonly find: () => Subject;
  readonly run: (subject: Subject, turn: Turn) => Promise<Result> | Result;
  /** Accounts for a failure, and returns what the caller is told. */
  readonly notMade?: (error: unknown, subject: Subject | undefined) => unknown;
}

/** What was decided on one service, and what is told of it. */
interface Made<Told> {
  readonly decided: Decided;
  readonly service: string;
  readonly what: string;
  /** Goes into the answer. */
  readonly told?: Told;
}

/** Holds of changes that run, by service: they are in the table, and in no stored state. */
export type Holds = ReadonlyMap<string, Hold>;

interface PublishOptions {
  /** Stored together with its call. */
  readonly request?: Pick<ChangeRequest, 'call'>;
  /** Of the change: until it has passed, it may be called off. */
  readonly turn?: Pick<Turn, 'signal' | 'pass'>;
  /** What becomes of the holds together with this table. */
  readonly holds?: (now: Holds) => Holds;
  /** What becomes of the shadows together with this table. */
  readonly shadows?: (now: ShadowedServices) => ShadowedServices;
}

export class ChangeRunner {
  readonly #parts: ChangeRunnerParts;
  readonly #publisher: Publisher;
  readonly #queue = new ChangeQueue({ waitersMax: SWITCH_WAITERS_MAX });
  /** Its one line is the next table; at most one change of each line above waits there. */
  readonly #publications = new ChangeQueue({ waitersMax: Infinity });
  readonly account: ChangeAccount;
  #holds: Holds = new Map();
  #shadows: ShadowedServices = new Map();
  #refusal: OperatorError | undefined;
  #isOver = false;

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
    request: Pick<ChangeRequest, 'ifMatch' | 'actor'>,
    { lines, find, run, notMade = (error) => error, ...way }: Run<Subject, Result>,
  ): Promise<Result> {
    this.#checkTaken(way);
    return this.#queue.run(entryOf(lines, way, request.actor), async (turn) => {
      this.#checkTaken(way);
      let subject: Subject | undefined;
      const { what } = way;
      const services = lines === 'all' ? 'all' : lines.join(', ');
      this.#parts.log.debug(
        { kind: 'change', actor: request.actor, what, services },
        `the turn of: ${what} by ${request.actor}, services: ${services}`,
      );
      try {
        subject = find();
        checkGeneration(this.table, request);
        return await run(subject, turn);
      } catch (error) {
        throw notMade(error, subject);
      }
    });
  }

  /** Runs a change of one service. */
  async ofService<Result>(
    request: ChangeRequest,
    way: string | Way,
    run: (state: ServiceState, turn: Turn) => Promise<Result>,
  ): Promise<Result> {
    return this.ofServices([request.service], request, wayOf(way), async ([state], turn) =>
      run(state!, turn),
    );
  }

  /** Runs a change of several services; `undefined` names the only one there is. */
  async ofServices<Result>(
    names: readonly (string | undefined)[],
    request: ChangeRequest,
    way: Way,
    run: (states: readonly ServiceState[], turn: Turn) => Promise<Result>,
  ): Promise<Result> {
    const notMade = (error: unknown, states: readonly ServiceState[] | undefined): unknown =>
      this.account.notMade(error, states, { request, what: way.what });
    const find = (): ServiceState[] =>
      names.map((name) => this.state(findService(this.table, name).name));
    let lines: string[];
    try {
      this.#checkTaken(way);
      lines = find().map(({ name }) => name);
    } catch (error) {
      throw notMade(error, undefined);
    }
    return this.inTurn(request, { ...way, lines, find, run, notMade });
  }

  /** Runs a change that is no switch; what `decide` finds to be so already changes nothing. */
  async edit(
    request: ChangeRequest,
    way: string | Way,
    decide: (
      state: ServiceState,
      basis: Basis,
    ) => Promise<Decided | undefined> | Decided | undefined,
  ): Promise<ChangeAnswer> {
    return this.ofService(request, way, async ({ name: service }, turn) => {
      const told = turn.calledOff.length === 0 ? {} : { calledOff: [...turn.calledOff] };
      const what = wayOf(way).what;
      if (request.dryRun === true) {
        const decided = await this.between(request, async () =>
          decide(this.state(service), this.basis()),
        );
        return { generation: this.table.epoch, service, changed: decided !== undefined };
      }
      const answer = await this.make(request, turn, async () => {
        const decided = await decide(this.state(service), this.basis());
        return decided && { decided, service, what, told };
      });
      const changed = turn.calledOff.length > 0;
      return answer ?? { generation: this.table.epoch, service, changed, ...told };
    });
  }

  /**
   * Makes a change of a service that is no switch, in its turn; undefined: there is nothing to do.
   * No table comes between `decide` and the publication: what it finds true of other services, too,
   * is so when the change comes into force.
   */
  async make<Told extends object>(
    request: ChangeRequest,
    turn: Turn,
    decide: () => Promise<Made<Told> | undefined>,
  ): Promise<(ChangeAnswer & Told) | undefined> {
    const made = await this.#alone(async () => {
      const found = await unlessCalledOff(decide(), turn.signal);
      if (found === undefined) return undefined;
      const { decided, ...about } = found;
      const change = await this.#publish(
        (basis) => serviceChange(basis, decided, { request, ...about }),
        { request, turn },
      );
      return { answer: change.answer, about };
    });
    if (made === undefined) return undefined;
    const { answer, about } = made;
    this.settle();
    this.account.changed(request, { ...about, generation: answer.generation });
    return answer;
  }

  /** Returns what a change begins from. */
  basis(): Basis {
    const { stored, nextVersion } = this.#publisher;
    return {
      stored,
      version: nextVersion,
      configs: this.#parts.configs(),
      holds: this.#holds,
      shadows: this.#shadows,
      slots: this.#parts.slots,
    };
  }

  /** Returns the state of the service `name`, which is configured. */
  state(name: string): ServiceState {
    const state = this.states.get(name);
    assert(state !== undefined, 'every configured service has a state');
    return state;
  }

  /** Brings what `decide` makes of the newest state into force; no table comes in between. */
  async publish<Made extends Change>(
    decide: (basis: Basis) => Promise<Made> | Made,
    options: PublishOptions = {},
  ): Promise<Made> {
    return this.#alone(async () => this.#publish(decide, options));
  }

  /** Runs `run` while no table is published; refused as a change would be. */
  async between<T>(request: Pick<ChangeRequest, 'ifMatch'>, run: () => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      this.#checkTaken({});
      checkGeneration(this.table, request);
      return await run();
    });
  }

  /** Calls off changes that hold requests; returns what they were, for people. */
  callOffHolds(why: OperatorError): readonly string[] {
    return this.#queue.callOffHolds(why);
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

  /**
   * Takes no more changes, calls off those that hold requests, and resolves when all have ended. Until it is called again, holds may still be ended: requests wait for that.
   */
  async close(): Promise<void> {
    this.#isOver = this.#refusal?.code === 'stopping';
    this.#refusal = new OperatorError('stopping', 'no change is taken any more');
    this.#publisher.close();
    const why = 'Turnout was told to stop meanwhile; nothing was changed';
    this.#queue.callOffHolds(new OperatorError('called-off', why));
    await this.#queue.idle();
  }

  /** Takes no changes until `resume`, and resolves when none runs any more. */
  async pause(): Promise<void> {
    const run = (): void => {
      const why = 'a new process takes over; ask again in a moment';
      this.#refusal = new OperatorError('upgrading', why);
    };
    const way = { lines: 'all', what: 'upgrade', find: () => undefined, run } as const;
    await this.inTurn({ ifMatch: undefined, actor: 'turnout' }, way);
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

  #checkTaken({ endsHold = false }: Pick<Way, 'endsHold'>): void {
    const { refusal } = this;
    if (refusal === undefined) return;
    if (endsHold && refusal.code === 'stopping' && !this.#isOver) return;
    throw refusal;
  }

  async #alone<T>(run: () => Promise<T>): Promise<T> {
    return this.#publications.run({ lines: ['next table'], what: 'publication' }, run);
  }

  async #publish<Made extends Change>(
    decide: (basis: Basis) => Promise<Made> | Made,
    { request, turn, holds, shadows }: PublishOptions,
  ): Promise<Made> {
    const nextHolds = holds?.(this.#holds) ?? this.#holds;
    const nextShadows = shadows?.(this.#shadows) ?? this.#shadows;
    const made = decide({ ...this.basis(), holds: nextHolds, shadows: nextShadows });
    const change = made instanceof Promise ? await unlessCalledOff(made, turn?.signal) : made;
    await this.#publisher.publish(change, turn);
    this.#holds = nextHolds;
    this.#shadows = nextShadows;
    request?.call?.recorded();
    return change;
  }
}

function wayOf(way: string | Way): Way {
  return typeof way === 'string' ? { what: way } : way;
}

function entryOf(lines: Lines, { what, isWayBack, mayHold }: Way, actor: string): Entry {
  const callsOff =
    isWayBack === true
      ? new OperatorError('called-off', `called off by ${actor}: ${what}; nothing was changed`)
      : undefined;
  return { lines, what: `${what} by ${actor}`, callsOff, mayHold };
}
