// Carries out switches and rollbacks, of one service or of several in one table: decides on all of
// them first, holds their requests if asked, checks once more against the newest state, publishes.
// Whether and where traffic may move is the business of the caller.

import { epochMs } from '../../../base/clock.ts';
import { BLOCK } from '../../../contract/counters.ts';
import type { Service } from '../../../contract/table.ts';
import type { Log } from '../../base/log.ts';
import { OperatorError } from '../../base/problems.ts';
import { unlessCalledOff } from '../../base/called-off.ts';
import type { Totals } from '../../memory/totals.ts';
import { activeNumber, type ServiceState, type SwitchOutcome } from '../../store/service-state.ts';
import type { Turn } from '../../publishing/change-queue.ts';
import { checkReason, type ChangeRequest } from '../../deployments/change-request.ts';
import type { ChangeRunner, Holds, Way } from '../../publishing/change-runner.ts';
import {
  plannedSwitch,
  restickAnswer,
  switchChange,
  unchangedSwitch,
  type Basis,
  type SwitchAnswer,
} from '../../deployments/change.ts';
import type { HoldSwitch, MeanwhileWork } from '../holding/hold-switch.ts';
import { Migrations, type MigrationHands } from '../holding/migrations.ts';
import { throwAll } from '../checks/refusals.ts';
import type { SwitchDecision } from '../../deployments/state-edit.ts';

/** What was decided on one service. */
export interface Decision extends SwitchDecision {
  /** Throws what refuses it as things are now: others may have changed since it was decided. */
  readonly check: (state: ServiceState) => void;
}

export interface SwitchRunParts {
  readonly runner: ChangeRunner;
  readonly holds: HoldSwitch;
  readonly migrations: MigrationHands;
  readonly log: Log;
  readonly totals: Totals;
}

/** What is asked of one or several services. */
export interface AskedSwitch extends Omit<Way, 'what'> {
  /** `undefined` names the only one there is. */
  readonly services: readonly (string | undefined)[];
  readonly request: ChangeRequest;
  readonly outcome: SwitchOutcome;
  readonly holdMs: number;
  /** What a repeated call is told. */
  readonly answerOf: (answers: readonly SwitchAnswer[]) => unknown;
}

export class SwitchRun {
  readonly #parts: SwitchRunParts;
  readonly #migrations: Migrations;

  constructor(parts: SwitchRunParts) {
    this.#parts = parts;
    this.#migrations = new Migrations(parts.migrations, parts.log);
  }

  /** Makes all of it, or nothing; returns an answer for each service, in the order asked for. */
  async run(
    asked: AskedSwitch,
    decide: (state: ServiceState) => Promise<Decision>,
  ): Promise<readonly SwitchAnswer[]> {
    const { services: names, request, outcome, holdMs } = asked;
    const isDryRun = request.dryRun === true;
    // What only asks calls nothing off.
    const isWayBack = asked.isWayBack === true && !isDryRun;
    const startedMs = performance.now();
    const { runner, holds } = this.#parts;
    const what = isDryRun ? `dry run of a ${WHAT[outcome]}` : WHAT[outcome];
    const way: Way = { what, isWayBack, mayHold: holdMs > 0 && !isDryRun };
    return runner.ofServices(names, request, way, async (states, turn) => {
      checkReason(request);
      const { migrate } = request;
      if (migrate !== undefined) this.#migrations.check(states, { name: migrate, holdMs });
      const deciding = states.map(async (state) => [state.name, await decide(state)] as const);
      // A dry run names what refuses any of them; a switch stops at the first.
      const all = isDryRun ? decidedAll(deciding) : Promise.all(deciding);
      const decisions = await unlessCalledOff(all, turn.signal);
      const moves = decisions.filter(
        ([name, { to, resticks }]) =>
          resticks !== undefined || to !== activeNumber(runner.state(name)),
      );
      if (moves.length === 0) return this.#answers(states, [], startedMs);
      if (isDryRun) return this.#answers(states, this.#planned(moves), startedMs);
      const publish = async (end?: (now: Holds) => Holds) =>
        this.#publish(moves, { asked, turn, startedMs, end });
      const services = moves.map(([name]) => this.#inTable(name));
      const { records, answer } =
        holdMs === 0
          ? await publish()
          : await holds.run(
              services,
              {
                holdMs,
                what: `${what} by ${request.actor}`,
                turn,
                meanwhile: this.#migration(moves, request),
              },
              async (end) => publish(end),
            );
      const tookMs = performance.now() - startedMs;
      runner.settle();
      for (const record of records) runner.account.switched(record, tookMs);
      const made = answer.map((one, at) => {
        const isActiveSinceBefore = moves[at]![1].resticks !== undefined;
        const publishedAtMs = isActiveSinceBefore ? one.publishedAtMs : epochMs();
        return { ...one, publishedAtMs, tookMs };
      });
      return this.#answers(states, made, startedMs);
    });
  }

  /** Returns what changes the data before the switch is made; undefined: nothing does. */
  #migration(
    moves: readonly (readonly [string, Decision])[],
    request: ChangeRequest,
  ): MeanwhileWork | undefined {
    const { migrate } = request;
    if (migrate === undefined) return undefined;
    const { runner } = this.#parts;
    return {
      what: `migration ${migrate}`,
      run: async (about) => {
        // What refuses the switch by now must refuse it before the data have changed.
        for (const [name, { check }] of moves) check(runner.state(name));
        const wanted = moves.map(([name, { to }]) => ({ state: runner.state(name), to }));
        await this.#migrations.run(wanted, request, { ...about, name: migrate });
      },
    };
  }

  async #publish(
    moves: readonly (readonly [string, Decision])[],
    {
      asked: { request, outcome, answerOf },
      turn,
      startedMs,
      end,
    }: {
      readonly asked: AskedSwitch;
      readonly turn: Turn;
      readonly startedMs: number;
      readonly end: ((now: Holds) => Holds) | undefined;
    },
  ) {
    const { runner } = this.#parts;
    const { actor } = request;
    const decide = (basis: Basis) => {
      const tookMs = performance.now() - startedMs;
      const all = moves.map(([name, { check, ...decision }]) => {
        const state = runner.state(name);
        check(state);
        const service = this.#inTable(name);
        const longLivedCount = this.#longLived(service, decision.resticks);
        const { policy } = service;
        const terms = { ...decision, outcome, actor, policy, nowMs: epochMs(), longLivedCount };
        return { state, terms };
      });
      return switchChange(basis, all, { request, tookMs, answerOf });
    };
    return runner.publish(decide, { request, turn, ...(end === undefined ? {} : { holds: end }) });
  }

  /** Returns what is answered to moves that are not made. */
  #planned(moves: readonly (readonly [string, Decision])[]): SwitchAnswer[] {
    const { runner } = this.#parts;
    const { epoch } = runner.table;
    return moves.map(([name, { to, resticks }]) => {
      const state = runner.state(name);
      if (resticks !== undefined) return restickAnswer(state, resticks, epoch);
      return plannedSwitch(state, to, epoch);
    });
  }

  #answers(
    states: readonly ServiceState[],
    made: readonly SwitchAnswer[],
    startedMs: number,
  ): SwitchAnswer[] {
    const { epoch } = this.#parts.runner.table;
    const tookMs = performance.now() - startedMs;
    return states.map(
      (state) =>
        made.find(({ service }) => service === state.name) ??
        unchangedSwitch(state, made[0]?.generation ?? epoch, tookMs),
    );
  }

  #inTable(name: string): Service {
    return this.#parts.runner.table.services.find((one) => one.name === name)!;
  }

  /** Counts what is open on the deployment that is left. */
  #longLived(service: Service, resticks: number | undefined): number {
    const { totals } = this.#parts;
    const drain = service.draining.find(({ deployment }) => deployment.number === resticks);
    const { block } = drain?.deployment ?? service[service.active];
    return totals.blockSlot(block, BLOCK.tunnels) + totals.blockSlot(block, BLOCK.streams);
  }
}

/** Resolves with all decisions; throws what refuses them all together. */
async function decidedAll<T>(deciding: readonly Promise<T>[]): Promise<T[]> {
  const refusals: OperatorError[] = [];
  const decided: T[] = [];
  for (const one of await Promise.allSettled(deciding)) {
    if (one.status === 'fulfilled') decided.push(one.value);
    else if (one.reason instanceof OperatorError) refusals.push(one.reason);
    else throw one.reason;
  }
  throwAll(refusals);
  return decided;
}

const WHAT = { switched: 'switch', 'rolled-back': 'rollback' } as const;
