// Runs the rollouts: hands events to the machine, brings what it wants into force in its turn among all
// other changes, keeps what it is, and starts what is to be done beside. Decides nothing about where
// traffic goes: see machine.ts.

import { epochMs } from '../../base/clock.ts';
import { ROLLOUT_BLIND_MS, ROLLOUT_LOOK_MS, ROLLOUT_SAVE_MS } from '../base/control-limits.ts';
import { background, type Log } from '../base/log.ts';
import { jsonText } from '../base/json-text.ts';
import { messageOf, OperatorError } from '../base/problems.ts';
import { callOf } from '../audit/call.ts';
import type { ChangeRequest } from '../deployments/change-request.ts';
import type { Change } from '../deployments/change.ts';
import { checkLockedOut, destination } from '../deployments/destination.ts';
import type { ChangeRunner } from '../publishing/change-runner.ts';
import type { Turn } from '../publishing/change-queue.ts';
import type { Store } from '../store/store.ts';
import type { Totals } from '../memory/totals.ts';
import { checkRollback, checkSwitch, type HealthOf } from '../switching/switch-check.ts';
import type { DrainCounts } from '../switching/drain-status.ts';
import type { SwitchingFreeze } from '../switching/switching-freeze.ts';
import { rolloutChange } from './carry-out.ts';
import type { GateAnswer } from './gate-runs.ts';
import {
  step,
  VerbRefusal,
  type GuardSays,
  type RolloutEvent,
  type Step,
  type Verb,
} from './machine.ts';
import { changedText, deploymentIn, downText, isInPlace, seenOf, type World } from './observe.ts';
import { STAGES_BEFORE_TRAFFIC, type GateRun, type Rollout } from './rollout.ts';
import { draftsOf, parseRollout, storedOf } from './stored-rollout.ts';
import { refused, type Effect, type RolloutEdit, type Told } from './transition.ts';

/** The guard of rollouts, as far as they are run by it. What it keeps of each stands in `Rollout.guard`. */
export interface GuardEyes {
  /** Looks at what every release does, whether a rollout runs or not: what is normal is learnt before. */
  learn(): void;
  /** Returns what it keeps of a rollout whose first traffic is about to move. */
  begin(rollout: Rollout): unknown;
  /** Returns what it keeps after one more look, and what it says of the present segment. */
  look(rollout: Rollout, elapsedMs: number): { readonly state: unknown; readonly says: GuardSays };
}

/** What is done beside a rollout. */
export interface Hands {
  /** Asks a gate once. */
  readonly ask: (rollout: Rollout, run: GateRun, signal: AbortSignal) => Promise<GateAnswer>;
  /** Sends requests to the new deployments; resolves with whether all went well. */
  readonly warm: (rollout: Rollout, signal: AbortSignal) => Promise<boolean>;
  /** Something was told: see `Store.events`. */
  readonly told: (rollout: Rollout, told: readonly Told[]) => void;
}

export interface RolloutsParts {
  readonly changes: ChangeRunner;
  readonly freeze: Pick<SwitchingFreeze, 'check'>;
  readonly store: Pick<Store, 'state' | 'rollouts'>;
  readonly totals: Totals;
  readonly health: HealthOf;
  readonly drains: DrainCounts;
  readonly guard: GuardEyes | undefined;
  readonly hands: Hands;
  /** What a caller is answered. */
  readonly viewOf: (rollout: Rollout) => unknown;
  readonly log: Log;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** How a transition that needs another table is brought into force. */
interface Bringing {
  readonly request: ChangeRequest;
  /** Undefined: none of its services is left, so it waits for no turn. */
  readonly turn: Turn | undefined;
  readonly nowMs: number;
  /** Takes the place of the usual checks, in the moment when the table is made. */
  readonly check?: ((states: ChangeRunner['states']) => void) | undefined;
  /** What the caller is answered, also when the call is repeated; left out: the view. */
  readonly answerOf?: ((generation: number, rollout: Rollout) => unknown) | undefined;
}

export interface Beginning extends Omit<Bringing, 'nowMs' | 'turn' | 'check'> {
  readonly turn: Turn;
  readonly check: (states: ChangeRunner['states']) => void;
}

export interface Brought {
  readonly rollout: Rollout;
  readonly change: Change;
}

/** The rollouts of this process: those that are not over. */
export class Rollouts {
  readonly #parts: RolloutsParts;
  readonly #live = new Map<string, Rollout>();
  /** Those with a transition under way. */
  readonly #busy = new Set<string>();
  /** Ends what is done beside a rollout. */
  readonly #beside = new Map<string, AbortController>();
  readonly #waiters = new Set<() => void>();
  readonly #savedAtMs = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #lookedAtMs = 0;

  constructor(parts: RolloutsParts) {
    this.#parts = parts;
    for (const stored of parts.store.state.rollouts.values()) {
      const rollout = parseRollout(stored.state);
      if (rollout !== undefined) this.#live.set(stored.id, rollout);
      else
        parts.log.error(
          { rollout: stored.id },
          `the rollout ${stored.id} cannot be read; its service stays as it is`,
        );
    }
  }

  /** Goes on with what was under way. */
  start(): void {
    this.#lookedAtMs = this.#parts.now();
    this.#timer ??= setInterval(() => this.look(), ROLLOUT_LOOK_MS).unref();
    for (const { id } of this.#live.values()) {
      background(this.take(id, { kind: 'restarted' }, OWN), this.#parts.log, `rollout ${id}`);
    }
  }

  /** Leaves everything as it stands; what is done beside ends. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const beside of this.#beside.values()) beside.abort();
    this.#beside.clear();
    await this.#saveAll();
  }

  /** Returns those that are not over. */
  all(): Rollout[] {
    return [...this.#live.values()];
  }

  /** Returns a rollout, also one that is over; throws `rollout-unknown`. */
  find(id: string): Rollout {
    const live = this.#live.get(id);
    if (live !== undefined) return live;
    const stored = this.#parts.store.rollouts.find(id);
    const found = stored && parseRollout(stored.state);
    if (found !== undefined) return found;
    throw new OperatorError('rollout-unknown', `no rollout ${id} is kept`);
  }

  /** Resolves when a rollout has another number of transitions than `known`, or `signal` is aborted. */
  async waitFor(id: string, known: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.find(id).transitions === known) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiters.add(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      this.#waiters.delete(resolve);
    }
  }

  /** An operator wants something of a rollout. */
  async act(request: ChangeRequest, id: string, verb: Verb): Promise<Rollout> {
    const { actor, reason, force: isForced } = request;
    this.find(id);
    // The caller has compared the number of its last event already.
    const asked = { ...request, ifMatch: undefined };
    return this.take(id, { kind: 'verb', verb, actor, reason, isForced }, asked);
  }

  /**
   * A rollout begins, in the turn of its services; `made` says what it is once that is in force. That
   * it may begin was checked; `check` looks once more whether all is as it was then.
   */
  async begin(made: Step, about: Beginning): Promise<Brought> {
    const { id } = made.rollout;
    this.#busy.add(id);
    try {
      const begun = await this.#bring(made, { ...about, nowMs: epochMs() });
      this.#endOthers(begun.rollout);
      return begun;
    } finally {
      this.#busy.delete(id);
    }
  }

  /** Returns the id of the rollout that begins next. */
  nextId(): string {
    const { store } = this.#parts;
    const [last] = store.rollouts.latest({ service: undefined, isOver: undefined, limit: 1 });
    return `r-${Number(last?.id.slice(2) ?? 0) + 1}`;
  }

  /** Takes what `event` makes of a rollout, in the turn of its services. */
  async take(id: string, event: RolloutEvent, request: ChangeRequest): Promise<Rollout> {
    const { changes } = this.#parts;
    const rollout = this.find(id);
    const names = rollout.legs
      .map(({ service }) => service)
      .filter((name) => changes.table.services.some((one) => one.name === name));
    this.#busy.add(id);
    try {
      // Where none of its services is left, no turn is to be waited for.
      if (names.length === 0) return await this.#stepped(id, event, { request, turn: undefined });
      const isAbort = event.kind === 'verb' && event.verb.kind === 'abort';
      const way = { what: whatOf(event), isWayBack: isAbort };
      return await changes.ofServices(names, request, way, async (_states, turn) =>
        this.#stepped(id, event, { request, turn }),
      );
    } finally {
      this.#busy.delete(id);
    }
  }

  async #stepped(
    id: string,
    event: RolloutEvent,
    about: { readonly request: ChangeRequest; readonly turn: Turn | undefined },
  ): Promise<Rollout> {
    const nowMs = epochMs();
    const before = this.find(id);
    const made = stepOrRefuse(before, event, nowMs);
    if (made.move === undefined) return await this.#keep(made, { ...about, nowMs });
    try {
      return (await this.#bring(made, { ...about, nowMs })).rollout;
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      const isVerb = event.kind === 'verb';
      // What an operator wants who can try again is not kept; a way back is, until it can be gone.
      if (isVerb && event.verb.kind !== 'abort') throw error;
      const { to, told } = refused(
        made.rollout,
        { code: error.code, detail: error.message },
        nowMs,
      );
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
    { request, nowMs }: { readonly request: ChangeRequest; readonly nowMs: number },
  ): Promise<Rollout> {
    const { store, changes, viewOf, log } = this.#parts;
    const service = rollout.legs.map((leg) => leg.service).join(', ');
    const end = {
      outcome: 'done',
      status: 200,
      generation: changes.table.epoch,
      body: jsonText(viewOf(rollout)),
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
    this.#run(rollout, effects);
    return rollout;
  }

  /** Brings the edit that it wants into force, and keeps what it is then. */
  async #bring(made: Step, about: Bringing): Promise<Brought> {
    const { changes, totals, viewOf, guard } = this.#parts;
    const { turn, nowMs, check, answerOf } = about;
    const move = made.move!;
    const { edit } = move;
    const request = signed(about.request, made.rollout, edit);
    if (check === undefined) this.#check(made.rollout, edit, request);
    const isFirst = STAGES_BEFORE_TRAFFIC.has(made.rollout.stage);
    const isWatched = made.rollout.terms.guard !== 'off' && guard !== undefined;
    const to =
      isFirst && isWatched && (edit.kind === 'split' || edit.kind === 'promote')
        ? { ...move.to, guard: guard.begin(move.to) }
        : move.to;
    const told = [...made.told, ...move.told];
    const startedMs = performance.now();
    const change = await changes.publish(
      (basis) => {
        const { services: states } = basis.stored;
        if (check === undefined) checkInPlace(made.rollout, states);
        else check(states);
        const { services } = changes.table;
        const answer = answerOf ?? (() => viewOf(to));
        const parts = { edit, to, told, request, nowMs, states, services, totals };
        return rolloutChange(basis, { ...parts, answerOf: (epoch) => answer(epoch, to) });
      },
      turn === undefined ? { request } : { request, turn },
    );
    changes.settle();
    const tookMs = performance.now() - startedMs;
    for (const record of change.records) changes.account.switched(record, tookMs);
    this.#set(to, told);
    this.#run(to, [...made.effects, ...move.effects]);
    return { rollout: to, change };
  }

  /** Refuses what may not be now. */
  #check(rollout: Rollout, edit: RolloutEdit, request: ChangeRequest): void {
    const { changes, freeze, health } = this.#parts;
    if (edit.kind === 'claim' || edit.kind === 'release') return;
    const back = edit.kind === 'abort' || edit.kind === 'return' ? edit.back : rollout.back;
    const isOperators = back?.cause === 'operator';
    for (const { service: name, to, from } of rollout.legs) {
      const state = changes.states.get(name);
      if (state === undefined) continue;
      // A way back that an operator wants is always open.
      if (!isOperators && !request.force) {
        freeze.check();
        checkServes(name, state, epochMs());
      }
      if (edit.kind === 'return' && !request.force) {
        const deployment = deploymentIn(changes.table, name, from.deployment);
        if (deployment !== undefined) checkRollback(name, deployment, health);
      }
      const isFirst = rollout.stage === 'gated';
      if (!isFirst || rollout.isForced) continue;
      checkLockedOut(state, destination(state, to.deployment));
      const deployment = deploymentIn(changes.table, name, to.deployment);
      if (deployment !== undefined) checkSwitch(name, deployment, health);
    }
  }

  #world(): World {
    const { changes, health, drains } = this.#parts;
    return { table: changes.table, states: changes.states, health, drains };
  }

  /** Looks at every rollout that runs: its time goes on, and what is due is done. */
  look(): void {
    const { changes, guard, log, now } = this.#parts;
    const nowMs = now();
    const passedMs = nowMs - this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    // A new process takes over, or this one stops: it is not for us to act.
    if (changes.refusal !== undefined && changes.refusal.code !== 'frozen') return;
    guard?.learn();
    for (const rollout of this.#live.values()) {
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
    const event = this.#eventOf(rollout, passedMs);
    const made = step(rollout, event, epochMs());
    const isQuiet = made.move === undefined && made.told.length === 0 && made.effects.length === 0;
    if (!isQuiet) {
      background(this.take(id, event, OWN), log, `rollout ${id}`);
      return;
    }
    this.#live.set(id, made.rollout);
    const savedAtMs = this.#savedAtMs.get(id) ?? 0;
    if (made.rollout.segment.observedMs === rollout.segment.observedMs) return;
    if (this.#lookedAtMs - savedAtMs >= ROLLOUT_SAVE_MS)
      background(this.#saveOften(made.rollout), log, `rollout ${id}`);
  }

  #eventOf(rollout: Rollout, passedMs: number): RolloutEvent {
    const world = this.#world();
    const detail = changedText(rollout, world);
    if (detail !== '') return { kind: 'changed', detail };
    // What happened meanwhile was not looked at: that is no time of observation.
    const elapsedMs = passedMs > ROLLOUT_BLIND_MS ? 0 : passedMs;
    const seen = seenOf(rollout, world);
    const hasTraffic = rollout.stage === 'shifting' || rollout.stage === 'baking';
    if (!hasTraffic) return { kind: 'tick', elapsedMs, seen, guard: undefined, downText: '' };
    const { guard } = this.#parts;
    const isWatched =
      guard !== undefined && rollout.terms.guard !== 'off' && rollout.rampEndsAtMs === undefined;
    const looked = isWatched ? guard.look(rollout, passedMs) : undefined;
    const says = looked && { ...looked.says, state: looked.state };
    return { kind: 'tick', elapsedMs, seen, guard: says, downText: downText(rollout, world) };
  }

  async #saveOften(rollout: Rollout): Promise<void> {
    this.#savedAtMs.set(rollout.id, this.#lookedAtMs);
    await this.#parts.store.rollouts.save(storedOf(rollout), { events: [], mayBeLost: true });
  }

  async #saveAll(): Promise<void> {
    for (const rollout of this.#live.values()) {
      try {
        await this.#saveOften(rollout);
      } catch (error) {
        this.#parts.log.warn(
          { err: error },
          `what the rollout ${rollout.id} has observed was not stored`,
        );
      }
    }
  }

  #set(rollout: Rollout, told: readonly Told[]): void {
    const { id, end } = rollout;
    if (end === undefined) this.#live.set(id, rollout);
    else {
      this.#live.delete(id);
      this.#savedAtMs.delete(id);
      this.#cancel(id);
    }
    const { log, hands } = this.#parts;
    for (const { kind, data } of told) {
      log.info({ rollout: id, kind, ...data }, `${id}: ${kind}`);
    }
    if (told.length > 0) hands.told(rollout, told);
    for (const resolve of this.#waiters) resolve();
  }

  /** Starts what is to be done beside. It tells what came of it by an event of its own. */
  #run(rollout: Rollout, effects: readonly Effect[]): void {
    const { hands, log } = this.#parts;
    for (const effect of effects) {
      if (effect.kind === 'cancel') {
        this.#cancel(rollout.id);
        continue;
      }
      const { signal } = this.#besideOf(rollout.id);
      const doing =
        effect.kind === 'warm'
          ? this.#warm(hands, rollout, signal)
          : this.#ask(hands, rollout, effect.attempt, signal);
      background(doing, log, `rollout ${rollout.id}: ${effect.kind}`);
    }
  }

  async #warm(hands: Hands, rollout: Rollout, signal: AbortSignal): Promise<void> {
    let isGood = false;
    try {
      isGood = await hands.warm(rollout, signal);
    } catch (error) {
      this.#parts.log.warn(
        { err: error, rollout: rollout.id },
        `${rollout.id}: the warm-up failed: ${messageOf(error)}`,
      );
    }
    if (!signal.aborted) await this.take(rollout.id, { kind: 'warmed', isGood }, OWN);
  }

  async #ask(hands: Hands, rollout: Rollout, attempt: string, signal: AbortSignal): Promise<void> {
    const run = rollout.gates.find((one) => one.attempt === attempt);
    if (run === undefined) return;
    let answer: GateAnswer;
    try {
      answer = await hands.ask(rollout, run, signal);
    } catch (error) {
      answer = { verdict: 'error', detail: messageOf(error) };
    }
    if (!signal.aborted) await this.take(rollout.id, { kind: 'gate', attempt, answer }, OWN);
  }

  #besideOf(id: string): AbortController {
    const known = this.#beside.get(id) ?? new AbortController();
    this.#beside.set(id, known);
    return known;
  }

  #cancel(id: string): void {
    this.#beside.get(id)?.abort();
    this.#beside.delete(id);
  }

  /** Another rollout of its services has begun: what only drains is done. */
  #endOthers(by: Rollout): void {
    const names = new Set(by.legs.map(({ service }) => service));
    for (const one of this.#live.values()) {
      if (one.id === by.id || !one.legs.some(({ service }) => names.has(service))) continue;
      background(
        this.take(one.id, { kind: 'followed' }, OWN),
        this.#parts.log,
        `rollout ${one.id}`,
      );
    }
  }
}

/** The process itself acts. */
const OWN: ChangeRequest = {
  service: undefined,
  force: false,
  reason: '',
  ifMatch: undefined,
  actor: 'turnout',
};

/** Returns the request as history and audit log shall have it: who has wanted this, and why. */
function signed(request: ChangeRequest, rollout: Rollout, edit: RolloutEdit): ChangeRequest {
  if (request !== OWN) return request;
  const { id, actor, reason: why, back: wish } = rollout;
  const back = edit.kind === 'abort' || edit.kind === 'return' ? edit.back : wish;
  if (back !== undefined) return { ...request, actor: back.actor, reason: `${id}: ${back.reason}` };
  return { ...request, actor, reason: why === '' ? id : `${id}: ${why}` };
}

function whatOf(event: RolloutEvent): string {
  return event.kind === 'verb' ? `rollout ${event.verb.kind}` : 'rollout';
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

/** Refuses to go on where others have moved traffic meanwhile: the next look ends the rollout. */
function checkInPlace(rollout: Rollout, states: ChangeRunner['states']): void {
  for (const leg of rollout.legs) {
    const state = states.get(leg.service);
    if (state !== undefined && isInPlace(rollout, leg, state)) continue;
    throw new OperatorError(
      'rollout-over',
      `${leg.service}: traffic was moved beside ${rollout.id}`,
    );
  }
}

/** Refuses while no request goes where the table says. */
function checkServes(
  name: string,
  {
    hold,
    maintenance,
  }: { readonly hold: { readonly untilMs: number } | undefined; readonly maintenance: unknown },
  nowMs: number,
): void {
  if (maintenance !== undefined) {
    throw new OperatorError(
      'not-serving',
      `${name} is in maintenance; end it: turnout maintenance off`,
    );
  }
  if (hold !== undefined && hold.untilMs > nowMs) {
    throw new OperatorError(
      'not-serving',
      `the requests of ${name} are held; end that: turnout resume`,
    );
  }
}
