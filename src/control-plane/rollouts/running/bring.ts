// Brings what a rollout wants of the routing table into force: checks that it may be, in this moment and
// in that in which the table is made, and publishes it together with the rollout itself.

import type { ChangeRequest } from '../../deployments/change-request.ts';
import type { Basis, Change } from '../../deployments/change.ts';
import { checkLockedOut, destination } from '../../deployments/destination.ts';
import { OperatorError } from '../../base/problems.ts';
import { epochMs } from '../../../base/clock.ts';
import type { Totals } from '../../memory/totals.ts';
import type { Turn } from '../../publishing/change-queue.ts';
import type { ChangeRunner } from '../../publishing/change-runner.ts';
import type { Changed } from '../../deployments/registration.ts';
import { checkData } from '../../deployments/schema-fit.ts';
import {
  checkRaise,
  checkRollback,
  checkSwitch,
  type HealthOf,
} from '../../switching/checks/switch-check.ts';
import type { SwitchingFreeze } from '../../switching/checks/switching-freeze.ts';
import { rolloutChange } from './carry-out.ts';
import type { GuardSays, Step } from '../machine/machine.ts';
import { deploymentIn, isInPlace } from './observe.ts';
import { STAGES_BEFORE_TRAFFIC, type Rollout } from '../machine/rollout-record.ts';
import type { Effect, RolloutEdit, Told } from '../machine/transition.ts';

/** The guard of rollouts, as far as they are run by it. What it keeps of each stands in `Rollout.guard`. */
export interface GuardEyes {
  /** Looks at what every release does, whether a rollout runs or not: what is normal is learnt before. */
  learn(): void;
  /** Returns what it keeps of a rollout whose first traffic is about to move. */
  begin(rollout: Rollout): unknown;
  /** Returns what it keeps after one more look, and what it says of the present segment. */
  look(rollout: Rollout, elapsedMs: number): { readonly state: unknown; readonly says: GuardSays };
}

export interface BringParts {
  readonly changes: ChangeRunner;
  readonly freeze: Pick<SwitchingFreeze, 'check' | 'checkSwitch'>;
  readonly totals: Totals;
  readonly health: HealthOf;
  /** The same, but that a target is down which is ejected. */
  readonly serving: HealthOf;
  readonly guard: GuardEyes | undefined;
  /** What a caller is answered. */
  readonly viewOf: (rollout: Rollout) => unknown;
}

/** How a transition that needs another table is brought into force. */
export interface Bringing {
  readonly request: ChangeRequest;
  /** Undefined: none of its services is left, so it waits for no turn. */
  readonly turn: Turn | undefined;
  readonly nowMs: number;
  /** Takes the place of the usual checks, in the moment when the table is made. */
  readonly check?: ((states: ChangeRunner['states']) => void) | undefined;
  /** What the caller is answered, also when the call is repeated; left out: the view. */
  readonly answerOf?: ((generation: number, rollout: Rollout) => unknown) | undefined;
}

/** The first step of a rollout, and what registers the release that it is about. */
export interface Founded {
  readonly made: Step;
  /** Undefined: it is there already. */
  readonly registered: Changed | undefined;
}

export interface Brought {
  readonly rollout: Rollout;
  readonly change: Change;
  readonly told: readonly Told[];
  readonly effects: readonly Effect[];
}

/** The process itself acts. */
export const OWN: ChangeRequest = {
  service: undefined,
  force: false,
  reason: '',
  ifMatch: undefined,
  actor: 'turnout',
};

/** Edits that bring traffic nowhere. */
const WITHOUT_MOVE: ReadonlySet<RolloutEdit['kind']> = new Set([
  'claim',
  'release',
  'leave',
  'bar',
]);

export class Bringer {
  readonly #parts: BringParts;

  constructor(parts: BringParts) {
    this.#parts = parts;
  }

  /** Brings the edit that it wants into force, and keeps what it is then. */
  async bring(made: Step, about: Bringing): Promise<Brought> {
    const { guard } = this.#parts;
    const { check } = about;
    const move = made.move!;
    const { edit } = move;
    const request = signed(about.request, made.rollout, edit);
    const isFirst = STAGES_BEFORE_TRAFFIC.has(made.rollout.stage);
    const isWatched = made.rollout.terms.guard !== 'off' && guard !== undefined;
    const isSeen = edit.kind === 'split' || (edit.kind === 'promote' && move.to.terms.bakeMs > 0);
    const to =
      isFirst && isWatched && isSeen ? { ...move.to, guard: guard.begin(move.to) } : move.to;
    const change = await this.#publish(
      (basis) => {
        const { services: states } = basis.stored;
        if (check !== undefined) check(states);
        else {
          if (edit.kind !== 'leave') checkInPlace(made.rollout, states);
          this.#check(made.rollout, edit, request);
        }
        return this.#changeOf(basis, { made, to }, { ...about, request });
      },
      { ...about, request },
    );
    return broughtBy(change, made, to);
  }

  /**
   * Brings a rollout into force together with the release that it is about: both, or nothing. What
   * `find` finds is so when it comes into force: no table is published in between.
   */
  async found(
    find: () => Promise<Founded>,
    about: Omit<Bringing, 'nowMs' | 'check'>,
  ): Promise<Brought> {
    let founded: Founded | undefined;
    const change = await this.#publish(async (basis) => {
      founded = await find();
      const { made, registered } = founded;
      const { to, edit } = made.move!;
      const request = signed(about.request, made.rollout, edit);
      const now = { ...about, request, nowMs: to.startedAtMs };
      return this.#changeOf(basis, { made, to, registered }, now);
    }, about);
    const { made } = founded!;
    return broughtBy(change, made, made.move!.to);
  }

  #changeOf(
    basis: Basis,
    {
      made,
      to,
      registered,
    }: {
      readonly made: Step;
      readonly to: Rollout;
      readonly registered?: Changed | undefined;
    },
    { request, nowMs, answerOf }: Omit<Bringing, 'turn' | 'check'>,
  ): Change {
    const { changes, totals, viewOf } = this.#parts;
    const { edit } = made.move!;
    const told = toldBy(made);
    const { services: states } = basis.stored;
    const { services } = changes.table;
    const answer = answerOf ?? (() => viewOf(to));
    const parts = { edit, to, told, request, nowMs, states, services, totals, registered };
    return rolloutChange(basis, { ...parts, answerOf: (epoch) => answer(epoch, to) });
  }

  async #publish(
    decide: (basis: Basis) => Promise<Change> | Change,
    { request, turn }: Pick<Bringing, 'request' | 'turn'>,
  ): Promise<Change> {
    const { changes } = this.#parts;
    const startedMs = performance.now();
    const change = await changes.publish(
      decide,
      turn === undefined ? { request } : { request, turn },
    );
    changes.settle();
    const tookMs = performance.now() - startedMs;
    for (const record of change.records) changes.account.switched(record, tookMs);
    return change;
  }

  /** Refuses what may not be now. */
  #check(rollout: Rollout, edit: RolloutEdit, request: ChangeRequest): void {
    const { changes, freeze, health, serving } = this.#parts;
    if (WITHOUT_MOVE.has(edit.kind)) return;
    const back = edit.kind === 'abort' || edit.kind === 'return' ? edit.back : rollout.back;
    const isOperators = back?.cause === 'operator';
    for (const { service: name, to, from } of rollout.legs) {
      const state = changes.states.get(name);
      if (state === undefined) continue;
      // A way back that an operator wants is always open.
      if (!isOperators && !request.force) {
        if (back === undefined) freeze.checkSwitch(name, { overridesWindows: rollout.isForced });
        else freeze.check(name);
        checkServes(name, state, epochMs());
      }
      if (edit.kind === 'return' && !request.force) {
        checkData(state, destination(state, from.deployment));
        const deployment = deploymentIn(changes.table, name, from.deployment);
        if (deployment !== undefined) checkRollback(name, deployment, health);
      }
      if (back === undefined && !rollout.isForced) {
        checkData(state, destination(state, to.deployment));
      }
      const isFirst = rollout.stage === 'gated';
      if (rollout.isForced) continue;
      const deployment = deploymentIn(changes.table, name, to.deployment);
      // A target that is left out shows no errors: what is left has to carry the rest alone.
      if (isRaise(rollout, edit) && !request.force && deployment !== undefined)
        checkRaise(name, deployment, serving);
      if (!isFirst) continue;
      checkLockedOut(state, destination(state, to.deployment));
      if (deployment !== undefined) checkSwitch(name, deployment, health);
    }
  }
}

/** Tells whether a step is over by itself and the next one brings more traffic; an operator may want it anyway. */
function isRaise({ stage, hurry, back }: Rollout, { kind }: RolloutEdit): boolean {
  const isMove = kind === 'move' || kind === 'promote';
  return stage === 'shifting' && isMove && back === undefined && hurry === undefined;
}

function broughtBy(change: Change, made: Step, rollout: Rollout): Brought {
  const effects = [...made.effects, ...made.move!.effects];
  return { rollout, change, told: toldBy(made), effects };
}

function toldBy({ told, move }: Step): readonly Told[] {
  return [...told, ...move!.told];
}

/** Returns the request as history and audit log shall have it: who has wanted this, and why. */
function signed(request: ChangeRequest, rollout: Rollout, edit: RolloutEdit): ChangeRequest {
  const { id, actor, reason: why, back: wish } = rollout;
  if (request !== OWN) return request.reason === '' ? { ...request, reason: id } : request;
  const back = edit.kind === 'abort' || edit.kind === 'return' ? edit.back : wish;
  if (back !== undefined) return { ...request, actor: back.actor, reason: `${id}: ${back.reason}` };
  return { ...request, actor, reason: why === '' ? id : `${id}: ${why}` };
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
