// A on real states of a service, in a world that a seed makes: targets go down, operators want
// things, gates say anything, publications fail, the process is killed. Time passes as the test says.

import { isDeepStrictEqual } from 'node:util';
import type { ServiceConfig } from '../../../../src/config/config.ts';
import type { Random } from '../../../support/random.ts';
import { otherColor } from '../../../../src/contract/table.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { switched } from '../../../../src/control-plane/deployments/state-edit.ts';
import { OWN } from '../../../../src/control-plane/rollouts/running/bring.ts';
import { rolloutChange } from '../../../../src/control-plane/rollouts/running/carry-out.ts';
import {
  step,
  type RolloutEvent,
  type Step,
} from '../../../../src/control-plane/rollouts/machine/machine.ts';
import { changedText, holdsSome } from '../../../../src/control-plane/rollouts/running/observe.ts';
import {
  STAGES_BEFORE_TRAFFIC,
  type Leg,
  type Rollout,
} from '../../../../src/control-plane/rollouts/machine/rollout-record.ts';
import { refused, tell } from '../../../../src/control-plane/rollouts/machine/transition.ts';
import { VerbRefusal } from '../../../../src/control-plane/rollouts/machine/verbs.ts';
import { lockOutOf, type ServiceState } from '../../../../src/control-plane/store/service-state.ts';
import { begun, type Stored } from './begun.ts';
import { QUIET, serviceConfig, target } from './fixtures.ts';
import { NOW_MS } from './rollouts.ts';
import { Draw, drawnRollout, drawnVerb } from './drawn-rollouts.ts';
import { checkGates, hasTraffic, plain, sameAfterStore, shareNow } from './rollout-checks.ts';

const NAMES = ['shop', 'cart'];

function configsOf(count: number): ServiceConfig[] {
  return NAMES.slice(0, count).map((name, at) =>
    serviceConfig({
      name,
      hosts: [name],
      blue: { release: 'v1', targets: [target(3_001 + 10 * at)] },
      green: { release: 'v2', targets: [target(3_002 + 10 * at)] },
    }),
  );
}

const BEGUN = [1, 2].map((count) => {
  const configs = configsOf(count);
  return { configs, ...begun(configs) };
});

export class RolloutWorld {
  readonly #draw: Draw;
  readonly #configs: readonly ServiceConfig[];
  readonly #slots = new Slots(QUIET);
  stored: Stored;
  rollout: Rollout;
  nowMs = NOW_MS;
  version = 1;
  table;
  /** Faults that last. */
  isUp = true;
  isFrozen = false;
  isHeld = false;
  isStoreFailing = false;
  oldIsUp = true;
  isCalm = false;
  /** Gates that are asked, and warm-ups. */
  readonly asked: string[] = [];
  isWarming = false;
  /** What was published, for the message of a test that fails. */
  readonly log: string[] = [];

  constructor(random: Random) {
    this.#draw = new Draw(random);
    const first = BEGUN[this.#draw.chance(0.3) ? 1 : 0]!;
    this.#configs = first.configs;
    this.stored = first.stored;
    this.table = first.table;
    this.#slots.retain([first.table]);
    const legs = [...first.stored.services.values()].map(legOf);
    const made = drawnRollout(this.#draw, legs);
    const told = [tell(made, 'rollout.started')];
    const move = { to: made, edit: { kind: 'claim' }, effects: [], told } as const;
    this.#publish({ rollout: made, effects: [], told: [], move });
    this.rollout = made;
  }

  /** From now on nothing fails, and everybody says yes. */
  calm(): void {
    this.isCalm = true;
    this.isUp = true;
    this.oldIsUp = true;
    this.isFrozen = false;
    this.isHeld = false;
    this.isStoreFailing = false;
  }

  /** Something happens. */
  next(): void {
    if (!this.isCalm) this.#weather();
    const changed = changedText(this.rollout, this.#seenWorld());
    if (changed !== '' && this.rollout.end === undefined) {
      this.nowMs += 1_000;
      const holds = holdsSome(this.rollout, this.#seenWorld());
      this.take({ kind: 'changed', detail: changed, holdsSome: holds });
      return;
    }
    this.take(this.isCalm ? this.#calmEvent() : this.#event());
  }

  #seenWorld() {
    const { services: states } = this.stored;
    return { table: this.table, states, health: () => [], drains: undefined as never };
  }

  #weather(): void {
    if (this.#draw.chance(0.05)) this.isUp = !this.isUp;
    if (this.#draw.chance(0.03)) this.isFrozen = !this.isFrozen;
    if (this.#draw.chance(0.03)) this.isHeld = !this.isHeld;
    if (this.#draw.chance(0.03)) this.oldIsUp = !this.oldIsUp;
    if (this.#draw.chance(0.05)) this.isStoreFailing = !this.isStoreFailing;
    if (this.#draw.chance(0.004)) this.#others();
  }

  /** An operator switches one service with force. */
  #others(): void {
    const state = this.#draw.one([...this.stored.services.values()]);
    const to = state[otherColor(state.active)].deployment;
    const moved = switched({
      to,
      epoch: this.stored.epoch + 1,
      nowMs: this.nowMs,
      policy: this.table.services[0]!.policy,
      outcome: 'switched',
      actor: 'mia',
      longLivedCount: 0,
      movesSessions: false,
      lockOut: undefined,
    })(state);
    const services = new Map(this.stored.services).set(state.name, moved);
    this.stored = { ...this.stored, epoch: this.stored.epoch + 1, services };
    this.log.push(`others move ${state.name}`);
  }

  #event(): RolloutEvent {
    const roll = this.#draw.random.fraction();
    if (roll < 0.1 && this.asked.length > 0) return this.#answer();
    if (roll < 0.14 && this.isWarming) {
      this.isWarming = false;
      return { kind: 'warmed', isGood: this.#draw.chance(0.8) };
    }
    if (roll < 0.19) return { kind: 'restarted' };
    if (roll < 0.2) return { kind: 'followed' };
    if (roll < 0.32) return drawnVerb(this.#draw);
    return this.#tick();
  }

  #calmEvent(): RolloutEvent {
    const [attempt] = this.asked;
    if (attempt !== undefined) {
      this.asked.shift();
      return { kind: 'gate', attempt, answer: { verdict: 'ok', detail: '' } };
    }
    if (this.isWarming) {
      this.isWarming = false;
      return { kind: 'warmed', isGood: true };
    }
    const { paused, waiting } = this.rollout;
    const about = { kind: 'verb', actor: 'ann', reason: 'yes', isForced: false } as const;
    // Past the point of no return, only an operator leaves a step that was not good.
    if (paused?.by === 'turnout') return { ...about, verb: { kind: 'skip' } };
    if (paused !== undefined) return { ...about, verb: { kind: 'resume' } };
    if (waiting !== undefined) return { ...about, verb: { kind: 'approve', gate: undefined } };
    return this.#tick();
  }

  #answer(): RolloutEvent {
    const attempt = this.#draw.one(this.asked);
    this.asked.splice(this.asked.indexOf(attempt), 1);
    const verdict = this.#draw.one(['ok', 'ok', 'ok', 'fail', 'later', 'error'] as const);
    return { kind: 'gate', attempt, answer: { verdict, detail: `it says ${verdict}` } };
  }

  #tick(): RolloutEvent {
    const elapsedMs = this.isCalm ? 30_000 : this.#draw.one([1_000, 1_000, 10_000, 60_000, 0]);
    this.nowMs += this.isCalm ? 30_000 : this.#draw.one([1_000, 10_000, 60_000, 600_000]);
    const verdict = this.isCalm
      ? 'pass'
      : this.#draw.one([undefined, undefined, undefined, 'pass', 'inconclusive', 'fail'] as const);
    const { legs, terms: how } = this.rollout;
    const isDown = !this.isUp && this.#draw.chance(0.2);
    return {
      kind: 'tick',
      elapsedMs,
      seen: {
        isUp: this.isUp,
        healthText: this.isUp ? 'all up' : `0 of ${legs.length} up`,
        isSafeToStop: this.isCalm || this.#draw.chance(0.3),
        isDrained: this.isCalm,
      },
      guard:
        how.guard === 'off'
          ? undefined
          : {
              verdict,
              reason: `${verdict} ${this.#draw.random.fraction()}`,
              state: { looks: this.nowMs },
            },
      downText: isDown ? `all down ${this.#draw.random.fraction()}` : '',
    };
  }

  /** As the runner does it. */
  take(event: RolloutEvent): void {
    const before = this.rollout;
    if (event.kind === 'restarted') {
      // What was done beside is gone.
      this.asked.length = 0;
      this.isWarming = false;
      this.rollout = sameAfterStore(before);
    }
    let made: Step;
    try {
      made = step(this.rollout, event, this.nowMs);
    } catch (error) {
      if (error instanceof VerbRefusal) return;
      throw error;
    }
    this.#check(event, made);
    if (made.move === undefined) {
      this.#keep(made.rollout, made);
      return;
    }
    const isForced = event.kind === 'verb' && event.isForced;
    const why = this.#refusal(made, isForced);
    if (why === '') {
      this.#publish(made);
      this.#keep(made.move.to, made);
      this.#keep(made.move.to, made.move);
      return;
    }
    this.log.push(`${made.move.edit.kind} refused: ${why}`);
    if (event.kind === 'verb' && event.verb.kind !== 'abort') return;
    const { to } = refused(made.rollout, { code: why, detail: why }, this.nowMs);
    this.#keep(to, made);
  }

  #keep(next: Rollout, { effects }: Pick<Step, 'effects'>): void {
    if (next.stage !== this.rollout.stage) this.log.push(`${this.rollout.stage} to ${next.stage}`);
    this.rollout = next;
    for (const effect of effects) {
      if (effect.kind === 'ask') this.asked.push(effect.attempt);
      else if (effect.kind === 'warm') this.isWarming = true;
      else {
        this.asked.length = 0;
        this.isWarming = false;
      }
    }
  }

  /** Returns why an edit is refused; empty: it is not. */
  #refusal({ rollout: made, move }: Step, isForcedVerb: boolean): string {
    const { kind } = move!.edit;
    if (this.isStoreFailing) return 'store-failed';
    if (kind === 'claim' || kind === 'release' || kind === 'leave' || kind === 'bar') return '';
    const { edit } = move!;
    const back = edit.kind === 'abort' || edit.kind === 'return' ? edit.back : made.back;
    if (back?.cause !== 'operator' && !isForcedVerb) {
      if (this.isFrozen) return 'frozen';
      if (this.isHeld) return 'not-serving';
    }
    if (kind === 'return' && !isForcedVerb && !this.oldIsUp) return 'target-not-ready';
    const isLocked = [...this.stored.services.values()].some(
      (state) => lockOutOf(state, { release: 'v2' }) !== undefined,
    );
    const isFirst = made.stage === 'gated' && !made.isForced;
    return isFirst && (!this.isUp || isLocked) ? 'target-not-ready' : '';
  }

  #publish({ rollout: made, told, move }: Step): void {
    const { edit, to } = move!;
    this.version += 1;
    const basis = {
      stored: this.stored,
      version: this.version,
      configs: this.#configs,
      slots: this.#slots,
    };
    const change = rolloutChange(basis, {
      edit,
      to,
      told: [...told, ...move!.told],
      request: OWN,
      nowMs: this.nowMs,
      states: this.stored.services,
      services: this.table.services,
      totals: { blockSlot: () => 0 },
      answerOf: () => ({}),
    });
    const services = new Map(this.stored.services);
    for (const state of change.services) services.set(state.name, state);
    this.stored = { ...this.stored, epoch: change.epoch, services };
    this.table = change.table;
    this.#slots.retain([change.table]);
    this.log.push(`${made.stage}: ${edit.kind}`);
  }

  /** What has to be true of a step, whatever has happened. */
  #check(event: RolloutEvent, made: Step): void {
    const before = this.rollout;
    const next = made.move?.to ?? made.rollout;
    const isMoved = made.told.length + (made.move?.told.length ?? 0) > 0;
    if (isMoved && next.transitions <= before.transitions) throw new Error('told without a number');
    if (next.stage !== before.stage && !isMoved) throw new Error('a stage that nothing tells of');
    if (before.end !== undefined && !isDeepStrictEqual(next, before)) throw new Error('it goes on');
    if (event.kind === 'tick') this.#checkTick(event, before, next);
    const isFirst = STAGES_BEFORE_TRAFFIC.has(before.stage) && hasTraffic(next);
    if (isFirst) checkGates(next);
    // A process that was killed before this step makes the same of it.
    if (this.#draw.chance(0.7)) return;
    if (!isDeepStrictEqual(plain(step(sameAfterStore(before), event, this.nowMs)), plain(made))) {
      throw new Error('another step after a restart');
    }
  }

  #checkTick(
    { guard }: Extract<RolloutEvent, { kind: 'tick' }>,
    before: Rollout,
    next: Rollout,
  ): void {
    const { terms: how, isForced, pointOfNoReturn } = before;
    const acts = how.guard === 'rollback' && !isForced && pointOfNoReturn === undefined;
    const isAgainst = guard?.verdict === 'fail' && acts && hasTraffic(before);
    const isUsual = before.stage === 'shifting' || before.stage === 'baking';
    if (isAgainst && isUsual && shareNow(next) > shareNow(before)) {
      throw new Error('the guard raises a share');
    }
  }
}

function legOf(state: ServiceState): Leg {
  const { name: service, active, deployments } = state;
  const side = (color: 'blue' | 'green') => {
    const { release, number: deployment } = deployments.find((one) => one.color === color)!;
    return { color, release, deployment };
  };
  return { service, from: side(active), to: side(otherColor(active)) };
}
