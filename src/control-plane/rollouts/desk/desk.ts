// Answers the calls of operators about rollouts: starts them, tells of them, hands on what is wanted of
// them; and makes a rollout of a switch or a rollback where it is one. Knows no HTTP.

import type { RolloutSeries } from '../../../api/rollout-series.ts';
import type { RolloutStarted } from '../../../api/rollouts.ts';
import type {
  GuardView,
  RolloutBrief,
  RolloutSummary,
  RolloutView,
} from '../../../api/rollout-views.ts';
import { ROLLOUT_EVENTS_SHOWN, ROLLOUTS_LIMIT_MAX } from '../../../api/api-limits.ts';
import type {
  SwitchAnswer as SwitchJson,
  SwitchesAnswer as SwitchesJson,
} from '../../../api/switching.ts';
import { epochMs } from '../../../base/clock.ts';
import type { ServiceConfig } from '../../../config/config.ts';
import { OperatorError } from '../../base/problems.ts';
import {
  findService,
  plainRollback,
  type AskedRollback,
  type ChangeRequest,
  type SwitchRequest,
} from '../../deployments/change-request.ts';
import { switchAnswerJson, switchesAnswerJson } from '../../deployments/change.ts';
import type { Destination } from '../../deployments/destination.ts';
import type { Recent } from '../../memory/recent.ts';
import type { EventStore } from '../../store/rollout-store.ts';
import { activeNumber } from '../../store/service-state.ts';
import type { Store } from '../../store/store.ts';
import type { Switchboard } from '../../switching/switchboard.ts';

import { inTheWayOf, type NewRelease } from './new-release.ts';
import { deploymentIn } from '../running/observe.ts';
import { answersOf, eventView, referenceOf, startedJson, togetherJson } from './desk-answers.ts';
import { holdsService, type Rollout } from '../machine/rollout-record.ts';
import type { Rollouts } from '../running/runner.ts';
import type { AskedRollout, RolloutStarts } from './starting.ts';
import { parseRollout } from '../running/stored-rollout.ts';
import type { AskedTerms } from './terms.ts';
import type { Verb } from '../machine/verbs.ts';
import type { SeriesWatch } from '../watching/series-watch.ts';
import { seriesView } from '../views/series-view.ts';
import { briefOf, NO_GUARD, summaryOf, viewOf } from '../views/view.ts';

export interface DeskParts {
  readonly board: Switchboard;
  readonly rollouts: Rollouts;
  readonly starts: RolloutStarts;
  readonly store: Pick<Store, 'rollouts'> & { readonly events: Pick<EventStore, 'ofRollout'> };
  readonly series: Pick<SeriesWatch, 'of'>;
  readonly configOf: (service: string) => ServiceConfig | undefined;
  readonly recent: Pick<Recent, 'of'>;
  /** What the guard shows of a rollout; undefined: none looks at it. */
  readonly guardOf: (rollout: Rollout) => Omit<GuardView, 'mode'> | undefined;
}

export interface WantedRollout extends AskedTerms {
  /** One that is undefined: the only one there is. */
  readonly services: readonly (string | undefined)[];
  readonly to: Destination | undefined;
  /** Undefined: the release is there already. */
  readonly registers: NewRelease | undefined;
  readonly skips: { readonly gates: readonly string[]; readonly reason: string } | undefined;
}

export class RolloutDesk {
  readonly #parts: DeskParts;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  async start(request: ChangeRequest, wanted: WantedRollout): Promise<RolloutStarted> {
    const { starts } = this.#parts;
    const { services, skips } = wanted;
    const asked: AskedRollout = { ...wanted, skipped: skips?.gates ?? [] };
    const why =
      skips === undefined
        ? request.reason
        : [request.reason, `without ${skips.gates.join(', ')}: ${skips.reason}`]
            .filter((one) => one !== '')
            .join('; ');
    const said = { ...request, reason: why };
    if (request.dryRun === true) return await this.#rehearsed(said, asked);
    const terms = starts.terms(services, asked);
    const answerOf = (generation: number, rollout: Rollout): RolloutStarted =>
      startedJson(terms, asked, { id: rollout.id, stage: rollout.stage, generation });
    const { change } = await starts.start(said, asked, answerOf);
    return change.answer as RolloutStarted;
  }

  async #rehearsed(request: ChangeRequest, asked: AskedRollout): Promise<RolloutStarted> {
    const { starts, board } = this.#parts;
    const { services, to, registers } = asked;
    const terms = starts.terms(asked.services, asked);
    const refusals: RolloutStarted['refusals'] = [];
    const note = (error: unknown): void => {
      if (!(error instanceof OperatorError)) throw error;
      const all = error.members['refusals'];
      if (Array.isArray(all)) refusals.push(...(all as RolloutStarted['refusals']));
      else refusals.push({ code: error.code, detail: error.message });
    };
    try {
      if (registers === undefined) await starts.rehearse(request, asked, false);
      else {
        const found = await inTheWayOf(board, request, { services, to, registers });
        refusals.push(...found.map(({ code, message }) => ({ code, detail: message })));
      }
    } catch (error) {
      note(error);
    }
    const { epoch: generation } = board.table;
    return {
      ...startedJson(terms, asked, { id: null, stage: null, generation }),
      refusals,
      dryRun: true,
    };
  }

  async switchNow(request: SwitchRequest & AskedTerms): Promise<SwitchJson> {
    const { board } = this.#parts;
    if (!this.#isRollout([request.service], request))
      return switchAnswerJson(await board.switch(request));
    const [answer] = await this.#switched([request.service], request, (answers) => answers[0]);
    return answer!;
  }

  async switchAllNow(
    services: readonly string[],
    request: SwitchRequest & AskedTerms,
  ): Promise<SwitchesJson> {
    const { board } = this.#parts;
    if (!this.#isRollout(services, request))
      return switchesAnswerJson(await board.switchAll(services, request));
    const answers = await this.#switched(services, request, togetherJson);
    return togetherJson(answers);
  }

  /** A way back is always heard: where a rollout runs, it ends that, on the terms of its settings. */
  async rollback(request: AskedRollback): Promise<SwitchJson> {
    const { board, rollouts } = this.#parts;
    const { name } = findService(board.table, request.service);
    const running = rollouts.live
      .all()
      .find((one) => holdsService(one) && one.legs.some(({ service }) => service === name));
    if (running === undefined || request.to !== undefined)
      return switchAnswerJson(await board.rollback(plainRollback(request)));
    const startedMs = performance.now();
    const { restick, lockOut, only } = request;
    const others = running.legs.filter(({ service }) => only?.includes(service) === false);
    if (others.length > 0) {
      const what = others.map(({ service }) => service).join(', ');
      const why = `${running.id} moves ${what}, too, which is not yours: it goes back as a whole`;
      throw new OperatorError('forbidden', why, { members: { services: only } });
    }
    const verb: Verb = { kind: 'abort', restick, lockOut };
    const answerOf = (generation: number, ended: Rollout): SwitchJson => {
      const leg = ended.legs.find(({ service }) => service === name)!;
      const { color, deployment, release } = leg.from;
      const tookMs = performance.now() - startedMs;
      const moved = { service: name, from: leg.to.color, to: color, deployment, release, tookMs };
      const answer = switchAnswerJson({
        ...moved,
        generation,
        publishedAtMs: ended.stageAtMs,
        changed: true,
      });
      return { ...answer, rollout: referenceOf(ended) };
    };
    if (request.dryRun === true) {
      rollouts.rehearse(request, running.id, verb);
      return answerOf(board.table.epoch, running);
    }
    const ended = await rollouts.act(request, running.id, verb, { answerOf });
    return answerOf(board.table.epoch, ended);
  }

  list({
    service,
    isActive,
  }: {
    readonly service: string | undefined;
    readonly isActive: boolean | undefined;
  }): readonly RolloutSummary[] {
    const { store, rollouts } = this.#parts;
    const isOver = isActive === undefined ? undefined : !isActive;
    const stored = store.rollouts.latest({ service, isOver, limit: ROLLOUTS_LIMIT_MAX });
    const live = new Map(rollouts.live.all().map((one) => [one.id, one]));
    return stored.flatMap(({ id, state }) => {
      const rollout = live.get(id) ?? parseRollout(state);
      return rollout === undefined ? [] : [summaryOf(rollout, this.measured(rollout))];
    });
  }

  view(id: string): RolloutView {
    return this.viewOf(this.#parts.rollouts.live.find(id));
  }

  /** The same as it is stored: never behind what was told of it. */
  storedView(id: string): RolloutView {
    const stored = this.#parts.store.rollouts.find(id);
    const rollout = stored && parseRollout(stored.state);
    return rollout === undefined ? this.view(id) : this.viewOf(rollout);
  }

  /** Returns what was measured of a rollout; throws `rollout-unknown`. */
  series(id: string): RolloutSeries {
    const { rollouts, series } = this.#parts;
    return seriesView(rollouts.live.find(id), series.of(id));
  }

  viewOf(rollout: Rollout): RolloutView {
    const { store, guardOf } = this.#parts;
    const { legs } = rollout;
    // Each is told once for each service.
    const events = store.events
      .ofRollout(rollout.id, ROLLOUT_EVENTS_SHOWN * legs.length)
      .filter(({ service }) => service === legs[0]!.service)
      .map(eventView);
    return viewOf(rollout, {
      nowMs: epochMs(),
      measured: this.measured(rollout),
      guard: guardOf(rollout) ?? NO_GUARD,
      events,
    });
  }

  /** Returns what the status of a service tells; null: no rollout moves it. */
  brief(service: string): RolloutBrief | null {
    const about = this.#parts.rollouts.live
      .all()
      .filter(({ legs }) => legs.some((leg) => leg.service === service));
    const running = about.find(holdsService) ?? about[0];
    return running === undefined
      ? null
      : briefOf(running, service, { nowMs: epochMs(), measured: this.measured(running) });
  }

  async waitFor(id: string, event: number, signal: AbortSignal): Promise<void> {
    await this.#parts.rollouts.live.waitFor(id, event, signal);
  }

  async act(request: ChangeRequest, id: string, verb: Verb): Promise<RolloutView> {
    const { ifMatch: ifEvent, ...wish } = request;
    const asked = { ...wish, ifMatch: undefined };
    return this.viewOf(await this.#parts.rollouts.act(asked, id, verb, { ifEvent }));
  }

  #isRollout(names: readonly (string | undefined)[], request: SwitchRequest & AskedTerms): boolean {
    const { plan, bakeMs, guard, holdMs } = request;
    const isAsked = (plan ?? bakeMs ?? guard) !== undefined;
    const isRollout = isAsked || names.some((name) => this.#config(name).isRolloutConfigured);
    // One with force takes the place of a rollout that runs; it is looked at by none then.
    const ends = request.force && names.some((name) => this.#isClaimed(name));
    if (ends && !isAsked) return false;
    if (holdMs === 0) return isRollout;
    // Requests wait for one switch, not for a plan.
    if (isAsked)
      throw new OperatorError(
        'plan-invalid',
        '"hold" lets requests wait for one switch: it goes with no plan, bake or guard',
      );
    return false;
  }

  #isClaimed(name: string | undefined): boolean {
    const { board } = this.#parts;
    return board.states.get(findService(board.table, name).name)?.rollout !== undefined;
  }

  #config(name: string | undefined): ServiceConfig {
    const service = findService(this.#parts.board.table, name);
    return this.#parts.configOf(service.name)!;
  }

  async #switched(
    names: readonly (string | undefined)[],
    request: SwitchRequest & AskedTerms,
    answerOf: (answers: readonly SwitchJson[]) => unknown,
  ): Promise<readonly SwitchJson[]> {
    const { board, starts } = this.#parts;
    const asked: AskedRollout = { ...request, services: names, skipped: [] };
    const states = names.map((name) => board.states.get(findService(board.table, name).name)!);
    // The same answer as to a switch that has nothing to do.
    const isThere = states.every(
      (state) => request.to === state.active || request.to === activeNumber(state),
    );
    if (isThere)
      return names.length === 1
        ? [switchAnswerJson(await board.switch(request))]
        : (await board.switchAll(names as string[], request)).map(switchAnswerJson);
    const startedMs = performance.now();
    if (request.dryRun === true) {
      const legs = await starts.rehearse(request, asked, true);
      return legs.map(({ service, from, to }) =>
        switchAnswerJson({
          generation: board.table.epoch,
          service,
          from: from.color,
          to: to.color,
          release: to.release,
          deployment: to.deployment,
          publishedAtMs: epochMs(),
          tookMs: 0,
          changed: true,
        }),
      );
    }
    const { terms } = starts.terms(names, asked);
    const waits = !request.force && terms.gates.some(({ at }) => at === 'before');
    const answers = (generation: number, rollout: Rollout): readonly SwitchJson[] =>
      answersOf(rollout, generation, performance.now() - startedMs);
    const begun = await starts[waits ? 'start' : 'startNow'](
      request,
      asked,
      (generation, rollout) => answerOf(answers(generation, rollout)),
    );
    return answers(begun.change.epoch, begun.rollout);
  }

  /** Returns which part of the requests of the last minute the new deployments had, of 100. */
  measured({ legs }: Rollout): number | undefined {
    const { board, recent } = this.#parts;
    let [all, moved] = [0, 0];
    for (const { service, from, to } of legs) {
      for (const side of [from, to]) {
        const deployment = deploymentIn(board.table, service, side.deployment);
        const { requests } =
          deployment === undefined ? { requests: 0 } : recent.of(deployment.block);
        all += requests;
        if (side === to) moved += requests;
      }
    }
    return all === 0 ? undefined : Number(((100 * moved) / all).toFixed(1));
  }
}
