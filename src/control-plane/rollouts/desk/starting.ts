// Begins rollouts: finds what is to be moved, checks that it may be, and has the first transition brought
// into force. A switch that makes a rollout is in force with its first step when it is answered.

import { COLORS, otherColor } from '../../../contract/table.ts';
import type { ServiceConfig } from '../../../config/config.ts';
import { epochMs } from '../../../base/clock.ts';
import { OperatorError } from '../../base/problems.ts';
import { checkNotClaimed } from '../../deployments/claim.ts';
import { checkReason, findService, type ChangeRequest } from '../../deployments/change-request.ts';
import { destination, type Destination } from '../../deployments/destination.ts';
import type { Turn } from '../../publishing/change-queue.ts';
import type { ChangeRunner } from '../../publishing/change-runner.ts';
import {
  activeNumber,
  colorWith,
  deploymentOf,
  type ServiceState,
  type StoredDeployment,
} from '../../store/service-state.ts';
import type { MoveChecks } from '../../switching/moving/move-checks.ts';
import type { Registrar } from '../../switching/changes/registrar.ts';
import { step, type Step } from '../machine/machine.ts';
import { checkIdleOfOne, type NewRelease } from './new-release.ts';
import { NOTHING_SEEN, type Seen } from '../machine/next.ts';
import { NOTHING_YET, type Leg, type Rollout, type Side } from '../machine/rollout-record.ts';
import type { Brought, Founded } from '../running/bring.ts';
import type { Rollouts } from '../running/runner.ts';
import { termsOf, type AskedTerms, type RolloutTerms } from './terms.ts';
import { EMPTY_SEGMENT, tell } from '../machine/transition.ts';

export interface StartParts {
  readonly rollouts: Rollouts;
  readonly changes: ChangeRunner;
  readonly checks: Pick<MoveChecks, 'bars' | 'switch'>;
  readonly registrar: Pick<Registrar, 'withTraffic'>;
  readonly configs: () => readonly ServiceConfig[];
}

/** A rollout as it is asked for. */
export interface AskedRollout extends AskedTerms {
  readonly services: readonly (string | undefined)[];
  /** Left out: what is on the color that is not active. */
  readonly to: Destination | undefined;
  /** Names of gates that are left out. */
  readonly skipped: readonly string[];
  /** The release that it is about; left out: that is there already. */
  readonly registers?: NewRelease | undefined;
}

/** What calls about a start have in common. */
interface Starting {
  readonly request: ChangeRequest;
  readonly turn: Turn;
  readonly asked: AskedRollout;
  readonly answerOf: (generation: number, rollout: Rollout) => unknown;
}

export class RolloutStarts {
  readonly #parts: StartParts;

  constructor(parts: StartParts) {
    this.#parts = parts;
  }

  /** Returns the terms that a rollout of these services would have. Throws `plan-invalid`, `gate-unknown`. */
  terms(
    names: readonly (string | undefined)[],
    asked: AskedTerms & Pick<AskedRollout, 'skipped'>,
  ): RolloutTerms {
    const { changes, configs } = this.#parts;
    const all = configs();
    const found = names.map((name) => {
      const service = findService(changes.table, name);
      return all.find((config) => config.name === service.name)!;
    });
    const how = termsOf(found, asked);
    checkSkipped(asked.skipped, how);
    return how;
  }

  /**
   * Starts a rollout: it waits for health and gates, and nothing has moved when this resolves. A release
   * that comes with it is registered in the same change.
   */
  async start(
    request: ChangeRequest,
    asked: AskedRollout,
    answerOf: (generation: number, rollout: Rollout) => unknown,
  ): Promise<Brought> {
    const { changes, checks, rollouts } = this.#parts;
    const way = { what: 'rollout start' };
    return changes.ofServices(asked.services, request, way, async (states, turn) => {
      checkReason(request);
      if (asked.registers !== undefined) {
        checkIdleOfOne(states, asked.to);
        const { name } = states[0]!;
        return await this.#found(name, asked.registers, { request, turn, asked, answerOf });
      }
      const legs = states.map((state) => legOf(state, asked.to));
      const bars = await Promise.all(
        states.map(async (state, at) => checks.bars(state, deployed(state, legs[at]!), request)),
      );
      const made = claiming(this.#new(rollouts.live.nextId(), { request, asked, legs }));
      const check = checkAll(legs, bars);
      return await rollouts.begin(made.rollout.id, async (by) =>
        by.bring(made, { request, turn, nowMs: epochMs(), answerOf, check }),
      );
    });
  }

  async #found(
    name: string,
    registers: NewRelease,
    { request, turn, asked, answerOf }: Starting,
  ): Promise<Brought> {
    const { changes, checks, rollouts, registrar } = this.#parts;
    const id = rollouts.live.nextId();
    const find = async (): Promise<Founded> => {
      const state = changes.state(name);
      const color = otherColor(state.active);
      const registered = await registrar.withTraffic(request, state, { ...registers, color });
      const after = registered?.states.find((one) => one.name === name) ?? state;
      const leg = legOf(after, color);
      if (request.force) await checks.bars(after, deployed(after, leg), request);
      return { made: claiming(this.#new(id, { request, asked, legs: [leg] })), registered };
    };
    return await rollouts.begin(id, async (by) => by.found(find, { request, turn, answerOf }));
  }

  /** Starts a rollout of which the first step is in force when this resolves; it has no gates before. */
  async startNow(
    request: ChangeRequest,
    asked: AskedRollout,
    answerOf: (generation: number, rollout: Rollout) => unknown,
  ): Promise<Brought> {
    const { changes, checks, rollouts } = this.#parts;
    const way = { what: 'switch' };
    return changes.ofServices(asked.services, request, way, async (states, turn) => {
      checkReason(request);
      const legs = states.map((state) => legOf(state, asked.to));
      // These look at health, too: it is asked for now.
      const bars = await Promise.all(
        states.map(async (state, at) => checks.switch(state, deployed(state, legs[at]!), request)),
      );
      const isForced = request.force;
      const made = { ...this.#new(rollouts.live.nextId(), { request, asked, legs }), isForced };
      // As if it had waited for health: that was looked at in this moment.
      const gated: Rollout = {
        ...made,
        stage: 'gated',
        isWarm: true,
        skipped: namesOfBefore(made),
      };
      const first = step(
        gated,
        { kind: 'tick', elapsedMs: 0, seen: HEALTHY, guard: undefined, downText: '' },
        epochMs(),
      );
      const told = [
        tell(first.move!.to, 'rollout.started', { reason: request.reason, by: request.actor }),
      ];
      const begun = { ...first, told: [...told, ...first.told] };
      const check = checkAll(legs, bars);
      return await rollouts.begin(made.id, async (by) =>
        by.bring(begun, { request, turn, nowMs: epochMs(), answerOf, check }),
      );
    });
  }

  /** Refuses what would be refused, as far as that is known before it is tried; asks targets where `isNow`. */
  async rehearse(
    request: ChangeRequest,
    asked: AskedRollout,
    isNow: boolean,
  ): Promise<readonly Leg[]> {
    const { changes, checks } = this.#parts;
    return changes.ofServices(
      asked.services,
      request,
      { what: 'dry run of a rollout' },
      async (states) => {
        const legs = states.map((state) => legOf(state, asked.to));
        for (const state of states) checkNotClaimed(state);
        this.terms(asked.services, asked);
        const rehearsal = { ...request, dryRun: true };
        await Promise.all(
          states.map(async (state, at) =>
            isNow
              ? checks.switch(state, deployed(state, legs[at]!), rehearsal)
              : checks.bars(state, deployed(state, legs[at]!), rehearsal),
          ),
        );
        return legs;
      },
    );
  }

  #new(
    id: string,
    {
      request,
      asked,
      legs,
    }: Pick<Starting, 'request' | 'asked'> & { readonly legs: readonly Leg[] },
  ): Rollout {
    const how = this.terms(
      legs.map(({ service }) => service),
      asked,
    );
    const nowMs = epochMs();
    return {
      id,
      legs,
      ...how,
      actor: request.actor,
      reason: request.reason,
      isForced: request.force,
      startedAtMs: nowMs,
      transitions: 1,
      stage: 'registered',
      stageAtMs: nowMs,
      step: 0,
      segment: EMPTY_SEGMENT,
      marks: [{ stage: 'registered', atMs: nowMs, note: '' }],
      gates: [],
      skipped: asked.skipped,
      ...NOTHING_YET,
      isSafeToStop: false,
    };
  }
}

const HEALTHY: Seen = { ...NOTHING_SEEN, isUp: true, healthText: 'all targets up' };

/** Returns the first step of a rollout that waits for health and gates. */
function claiming(rollout: Rollout): Step {
  const { actor: by, reason } = rollout;
  const told = [tell(rollout, 'rollout.started', { by, reason })];
  const move = { to: rollout, effects: [], told, edit: { kind: 'claim' } } as const;
  return { rollout, effects: [], told: [], move };
}

function checkSkipped(skipped: readonly string[], { terms }: RolloutTerms): void {
  const known = new Set(terms.gates.map(({ name }) => name));
  const unknown = skipped.filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  const list = known.size === 0 ? 'it has none' : `expected some of ${[...known].join(', ')}`;
  throw new OperatorError('gate-unknown', `there is no gate ${unknown.join(', ')}: ${list}`);
}

function namesOfBefore({ terms, skipped }: Rollout): string[] {
  const before = terms.gates.filter(({ at }) => at === 'before').map(({ name }) => name);
  return [...skipped, ...before];
}

/** Refuses where things are not as they were when it was decided. */
function checkAll(
  legs: readonly Leg[],
  bars: readonly ((state: ServiceState) => void)[],
): (states: ReadonlyMap<string, ServiceState>) => void {
  return (states) => {
    for (const [at, leg] of legs.entries()) {
      const state = states.get(leg.service)!;
      checkNotClaimed(state);
      if (
        activeNumber(state) !== leg.from.deployment ||
        colorWith(state, leg.to.deployment) !== leg.to.color
      ) {
        throw new OperatorError(
          'called-off',
          `${leg.service}: another change came first; look again with turnout status`,
        );
      }
      bars[at]!(state);
    }
  };
}

function deployed(state: ServiceState, { to }: Leg): StoredDeployment {
  return deploymentOf(state, to.deployment)!;
}

/** Returns what a rollout of one service leads from and to. Throws `no-release` where there is no way. */
function legOf(state: ServiceState, wanted: Destination | undefined): Leg {
  checkNotClaimed(state);
  const { name: service, active } = state;
  const idle = otherColor(active);
  const to = destination(state, wanted ?? idle);
  const from = deploymentOf(state, activeNumber(state));
  if (to.number === from?.number) {
    const hint = `register one first: turnout deploy RELEASE --targets URL --plan PLAN`;
    throw new OperatorError('no-release', `${service}: ${nameOf(to)} is active already; ${hint}`);
  }
  if (from === undefined)
    throw new OperatorError(
      'no-release',
      `${service}: nothing is active yet, so nothing can be shifted; switch`,
    );
  if (colorWith(state, to.number) !== idle) {
    const hint = COLORS.includes(wanted as (typeof COLORS)[number])
      ? ''
      : '; register it again, or switch to it without a plan';
    throw new OperatorError(
      'no-release',
      `${service}: ${nameOf(to)} is not on ${idle}, and only what is there can be rolled out${hint}`,
    );
  }
  return { service, from: { ...sideOf(from), color: active }, to: { ...sideOf(to), color: idle } };
}

function nameOf({ release, number }: StoredDeployment): string {
  return release === '' ? `deployment ${number}` : release;
}

function sideOf({ number, color, release }: StoredDeployment): Side {
  return { deployment: number, color, release };
}
