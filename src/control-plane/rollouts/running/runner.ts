// Runs the rollouts: hands events to the machine, brings what it wants into force in its turn among all
// other changes, keeps what it is, and starts what is to be done beside. What each is now is held in
// live-rollouts.ts. Decides nothing about where traffic goes: see machine.ts.

import { epochMs } from '../../../base/clock.ts';
import { ROLLOUT_LOOK_MS } from '../../base/control-limits.ts';
import { background, type Log } from '../../base/log.ts';
import { jsonText } from '../../base/json-text.ts';
import { messageOf, OperatorError } from '../../base/problems.ts';
import { callOf } from '../../audit/call.ts';
import {
  checkEvent,
  checkGeneration,
  type ChangeRequest,
} from '../../deployments/change-request.ts';
import type { Store } from '../../store/store.ts';
import type { DrainCounts } from '../../switching/drain-status.ts';
import { Beside, type Hands } from './beside.ts';
import { Busy } from './busy.ts';
import { Bringer, OWN, type Bringing, type BringParts, type Brought } from './bring.ts';
import { step, type RolloutEvent, type Step } from '../machine/machine.ts';
import { LiveRollouts } from './live-rollouts.ts';
import { lookedAt } from './look.ts';
import type { World } from './observe.ts';
import type { Rollout } from '../machine/rollout-record.ts';
import { draftsOf, storedOf } from './stored-rollout.ts';
import { refused, type Told } from '../machine/transition.ts';
import { VerbRefusal, type Verb, type VerbEvent } from '../machine/verbs.ts';

export interface RolloutsParts extends BringParts {
  readonly store: Pick<Store, 'state' | 'rollouts'>;
  readonly drains: DrainCounts;
  readonly hands: Hands;
  /** Something was told of a rollout: see `Store.events`. */
  readonly onTold: (rollout: Rollout, told: readonly Told[]) => void;
  readonly log: Log;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

interface TakeOptions extends Pick<Bringing, 'answerOf'> {
  /** Numbers of the last event of which one must be so still; undefined: any is right. */
  readonly ifEvent?: readonly number[] | undefined;
  /** The rollout that the event tells of; it counts for no other. Left out: it counts for any. */
  readonly lookedAt?: Rollout;
}

/** The rollouts of this process: those that are not over. */
export class Rollouts {
  readonly #parts: RolloutsParts;
  /** What they are now. */
  readonly live: LiveRollouts;
  readonly #busy = new Busy();
  readonly #bringer: Bringer;
  readonly #beside: Beside;
  #timer: NodeJS.Timeout | undefined;
  #lookedAtMs = 0;

  constructor(parts: RolloutsParts) {
    this.#parts = parts;
    this.live = new LiveRollouts(parts);
    this.#bringer = new Bringer(parts);
    this.#beside = new Beside({ ...parts, take: async (id, event) => this.take(id, event, OWN) });
  }

  /** Goes on with what was under way. */
  start(): void {
    this.#lookedAtMs = this.#parts.now();
    this.#timer ??= setInterval(() => this.look(), ROLLOUT_LOOK_MS).unref();
    for (const { id } of this.live.all()) {
      background(this.take(id, { kind: 'restarted' }, OWN), this.#parts.log, `rollout ${id}`);
    }
  }

  /** Leaves everything as it stands; what is done beside ends. */
  async stop(): Promise<void> {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#beside.cancelAll();
    // After an upgrade, the new process keeps them.
    if (this.isInCharge()) await this.settle();
  }

  /** Stores what was observed so far. */
  async settle(): Promise<void> {
    await this.live.settle(this.#lookedAtMs);
  }

  /** No new process takes over, and this one does not stop. */
  isInCharge(): boolean {
    const { refusal } = this.#parts.changes;
    return refusal === undefined || refusal.code === 'frozen';
  }

  /** An operator wants something of a rollout. */
  async act(
    request: ChangeRequest,
    id: string,
    verb: Verb,
    options: TakeOptions,
  ): Promise<Rollout> {
    return this.take(id, verbEvent(request, verb), request, options);
  }

  /** Refuses what would be refused of an act, as far as that is known before it is tried. */
  rehearse(request: ChangeRequest, id: string, verb: Verb): void {
    checkGeneration(this.#parts.changes.table, request);
    stepOrRefuse(this.live.find(id), verbEvent(request, verb), epochMs());
  }

  /** A rollout with this id begins, in the turn of its services; that it may begin was checked. */
  async begin(id: string, bring: (by: Bringer) => Promise<Brought>): Promise<Brought> {
    this.#busy.begin(id);
    try {
      const begun = await this.#brought(bring(this.#bringer));
      this.#endOthers(begun.rollout);
      return begun;
    } finally {
      this.#busy.end(id);
    }
  }

  /** Takes what `event` makes of a rollout, in the turn of its services. */
  async take(
    id: string,
    event: RolloutEvent,
    request: ChangeRequest,
    options: TakeOptions = {},
  ): Promise<Rollout> {
    const { changes } = this.#parts;
    const { legs } = this.live.find(id);
    const names = legs
      .map(({ service }) => service)
      .filter((name) => changes.table.services.some((one) => one.name === name));
    this.#busy.begin(id);
    try {
      // Where none of its services is left, no turn is to be waited for.
      if (names.length === 0)
        return await this.#stepped(id, event, { ...options, request, turn: undefined });
      const isWayBack = event.kind === 'verb' && event.verb.kind === 'abort';
      const way = { what: whatOf(event), isWayBack };
      return await changes.ofServices(names, request, way, async (_states, turn) =>
        this.#stepped(id, event, { ...options, request, turn }),
      );
    } finally {
      this.#busy.end(id);
    }
  }

  async #stepped(
    id: string,
    event: RolloutEvent,
    { ifEvent, lookedAt: seen, ...about }: Pick<Bringing, 'request' | 'turn'> & TakeOptions,
  ): Promise<Rollout> {
    const nowMs = epochMs();
    const before = this.live.find(id);
    checkEvent(id, before.transitions, ifEvent);
    // What was seen is not true of what it is now: the next look sees that.
    if (seen !== undefined && seen !== before) return before;
    const made = stepOrRefuse(before, event, nowMs);
    if (made.move === undefined) return await this.#keep(made, { ...about, nowMs });
    try {
      return (await this.#brought(this.#bringer.bring(made, { ...about, nowMs }))).rollout;
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      const isVerb = event.kind === 'verb';
      // What an operator wants who can try again is not kept; a way back is, until it can be gone.
      if (isVerb && event.verb.kind !== 'abort') throw error;
      const why = { code: error.code, detail: error.message };
      const { to, told } = refused(made.rollout, why, nowMs);
      const blocked = {
        rollout: to,
        told: [...made.told, ...told],
        effects: made.effects,
        move: undefined,
      };
      await this.#keep(blocked, { request: OWN, nowMs });
      if (isVerb) throw error;
      return to;
    }
  }

  /** Keeps what it is without another table. */
  async #keep(
    { rollout, told, effects }: Step,
    { request, nowMs, answerOf }: Pick<Bringing, 'request' | 'nowMs' | 'answerOf'>,
  ): Promise<Rollout> {
    const { store, changes, viewOf, log } = this.#parts;
    const service = rollout.legs.map((leg) => leg.service).join(', ');
    const { epoch: generation } = changes.table;
    const end = {
      outcome: 'done',
      status: 200,
      generation,
      body: jsonText(answerOf?.(generation, rollout) ?? viewOf(rollout)),
    } as const;
    const notes =
      request.call === undefined ? undefined : callOf(request, 'rollout').notes(end, service);
    const write = { events: draftsOf(rollout, told, nowMs), notes };
    try {
      await store.rollouts.save(storedOf(rollout), write);
      request.call?.recorded();
    } catch (error) {
      if (request.call !== undefined)
        throw new OperatorError('store-failed', messageOf(error), { cause: error });
      // It goes on with what is known; after a restart, it goes on from before.
      log.error(
        { err: error, rollout: rollout.id },
        `the rollout ${rollout.id} could not be stored`,
      );
    }
    this.#set(rollout, told);
    this.#beside.run(rollout, effects);
    return rollout;
  }

  async #brought(bringing: Promise<Brought>): Promise<Brought> {
    const brought = await bringing;
    const { rollout, told, effects } = brought;
    this.#set(rollout, told);
    this.#beside.run(rollout, effects);
    return brought;
  }

  #world(): World {
    const { changes, health, drains } = this.#parts;
    return { table: changes.table, states: changes.states, health, drains };
  }

  /** Looks at every rollout that runs: its time goes on, and what is due is done. */
  look(): void {
    const { guard, log, now } = this.#parts;
    const nowMs = now();
    const passedMs = nowMs - this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    // A new process takes over, or this one stops: it is not for us to act.
    if (!this.isInCharge()) return;
    guard?.learn();
    for (const rollout of this.live.all()) {
      if (this.#busy.has(rollout.id)) continue;
      try {
        this.#lookAt(rollout, passedMs);
      } catch (error) {
        log.error(
          { err: error, rollout: rollout.id },
          `a look at the rollout ${rollout.id} has failed`,
        );
      }
    }
  }

  #lookAt(rollout: Rollout, passedMs: number): void {
    const { id } = rollout;
    const { log } = this.#parts;
    const event = lookedAt(rollout, passedMs, { world: this.#world(), guard: this.#parts.guard });
    const made = step(rollout, event, epochMs());
    const isQuiet = made.move === undefined && made.told.length === 0 && made.effects.length === 0;
    if (!isQuiet) {
      background(this.take(id, event, OWN, { lookedAt: rollout }), log, `rollout ${id}`);
      return;
    }
    this.live.observed(made.rollout);
    if (made.rollout.segment.observedMs === rollout.segment.observedMs) return;
    if (this.live.isSaveDue(id, this.#lookedAtMs))
      background(this.live.save(made.rollout, this.#lookedAtMs), log, `rollout ${id}`);
  }

  #set(rollout: Rollout, told: readonly Told[]): void {
    const { id, end } = rollout;
    this.live.set(rollout);
    if (end !== undefined) this.#beside.cancel(id);
    const { log, onTold } = this.#parts;
    for (const { kind, data } of told) {
      log.info({ rollout: id, kind, ...data }, `${id}: ${kind}`);
    }
    if (told.length > 0) onTold(rollout, told);
  }

  /** Another rollout of its services has begun: what only drains is done. */
  #endOthers(by: Rollout): void {
    const names = new Set(by.legs.map(({ service }) => service));
    for (const one of this.live.all()) {
      if (one.id === by.id || !one.legs.some(({ service }) => names.has(service))) continue;
      background(
        this.take(one.id, { kind: 'followed' }, OWN),
        this.#parts.log,
        `rollout ${one.id}`,
      );
    }
  }
}

function whatOf(event: RolloutEvent): string {
  return event.kind === 'verb' ? `rollout ${event.verb.kind}` : 'rollout';
}

function verbEvent({ actor, reason, force: isForced }: ChangeRequest, verb: Verb): VerbEvent {
  return { kind: 'verb', verb, actor, reason, isForced };
}

function stepOrRefuse(rollout: Rollout, event: RolloutEvent, nowMs: number): Step {
  try {
    return step(rollout, event, nowMs);
  } catch (error) {
    if (error instanceof VerbRefusal)
      throw new OperatorError(error.code, error.message, { members: { rollout: rollout.id } });
    throw error;
  }
}
