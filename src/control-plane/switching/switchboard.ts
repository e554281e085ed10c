// Every decision on routing tables: switches, rollbacks, registrations, holds, maintenance, the end
// of drains. Here is what each of them checks and changes; change-runner.ts carries it out, one at a
// time. Knows neither HTTP nor threads.

import type { ChangeAnswer } from '../../api/shared-fields.ts';
import { epochMs } from '../../base/clock.ts';
import { BLOCK } from '../../contract/counters.ts';
import {
  otherColor,
  type Deployment,
  type Hold,
  type RoutingTable,
  type Service,
} from '../../contract/table.ts';
import type { OperatorError } from '../base/problems.ts';
import type { Totals } from '../memory/totals.ts';
import {
  activeNumber,
  colorWith,
  type ServiceState,
  type StoredDeployment,
  type SwitchOutcome,
} from '../store/service-state.ts';
import type { NameBook } from '../targets/names.ts';
import type { FindPlaces, PlacedTarget } from '../targets/places.ts';
import { placesFor } from './address-places.ts';
import { asWritten, type PlacesOf } from './address-use.ts';
import { ChangeRunner, type ChangeRunnerParts } from './change-runner.ts';
import {
  checkReason,
  type ChangeRequest,
  type RollbackRequest,
  type SwitchRequest,
} from './change-request.ts';
import {
  switchChange,
  unchangedSwitch,
  type Basis,
  type Change,
  type SwitchAnswer,
} from './change.ts';
import {
  beforeLastSwitch,
  checkAddresses,
  checkLockedOut,
  destination,
  lockOutsOf,
} from './destination.ts';
import { whileHeld } from './hold-switch.ts';
import {
  checkNotOurs,
  eviction,
  parseTargets,
  registration,
  type RegisterRequest,
  type World,
} from './registration.ts';
import { lockOutFor } from './rollback-lock-out.ts';
import { makeDeployment } from './routing-table.ts';
import type { SpotCheck } from './spot-check.ts';
import { Scaling } from './target-changes.ts';
import { held, maintained, unlocked, withoutDrains, type SwitchDecision } from './state-edit.ts';
import { checkAlone, checkRollback, checkSwitch, type HealthOf } from './switch-check.ts';
import { Previews } from './previews.ts';
import { SwitchTally } from './switch-tally.ts';
import { SwitchingFreeze } from './switching-freeze.ts';

export interface SwitchboardParts extends Omit<ChangeRunnerParts, 'onPublished' | 'tally'> {
  readonly health: HealthOf;
  readonly spotCheck: SpotCheck;
  readonly findPlaces: FindPlaces;
  /** Resolves with the URLs of targets that are listeners of Turnout itself. */
  readonly oursAmong: (targets: readonly PlacedTarget[]) => Promise<ReadonlySet<string>>;
  readonly totals: Totals;
  readonly names: Pick<NameBook, 'of'>;
  /** Connections of the process before an upgrade: see drain-watch.ts. */
  readonly leftBehind: () => number | undefined;
  /** Called with each table once it is published. */
  readonly onPublished: (table: RoutingTable) => void;
}

/** Decides on changes and carries them out. */
export class Switchboard {
  readonly #parts: SwitchboardParts;
  readonly #runner: ChangeRunner;
  readonly tally: SwitchTally;
  readonly previews: Previews;
  readonly scaling: Scaling;
  /** Whether an operator has frozen all switching. */
  readonly freeze: SwitchingFreeze;

  constructor(parts: SwitchboardParts) {
    this.#parts = parts;
    this.tally = new SwitchTally(parts.first);
    this.freeze = new SwitchingFreeze(parts.store);
    this.#runner = new ChangeRunner({
      ...parts,
      tally: this.tally,
      onPublished: (tables) => {
        parts.slots.retain(tables);
        this.tally.follow(tables.at(-1)!);
        parts.onPublished(tables.at(-1)!);
      },
    });
    const hands = {
      runner: this.#runner,
      worldOf: async (request: ChangeRequest, urls: readonly string[]) =>
        this.#world(request, await this.#placesOf(urls)),
    };
    this.previews = new Previews(hands);
    this.scaling = new Scaling({ ...parts, ...hands });
  }

  /** The table that the pointer names. */
  get table(): RoutingTable {
    return this.#runner.table;
  }

  /** Why no change is taken, of whatever kind; undefined: changes are. */
  get refusal(): OperatorError | undefined {
    return this.#runner.refusal;
  }

  /** The state of every service: what the table was made of. */
  get states(): ReadonlyMap<string, ServiceState> {
    return this.#runner.states;
  }

  /** What a change would begin from. */
  get basis(): Basis {
    return this.#runner.basis();
  }

  /** Makes the wanted deployment of a service the active one. */
  async switch(request: SwitchRequest): Promise<SwitchAnswer> {
    const { holdMs } = request;
    return this.#runSwitch('switched', { request, holdMs }, async (state) => {
      checkAlone(holdMs, this.#parts.leftBehind());
      const to = destination(state, request.to ?? otherColor(state.active));
      if (to.number !== activeNumber(state)) await this.#checkMove(state, to, request);
      // Sessions that stayed would keep the other deployment running beside the new one.
      return { to: to.number, movesSessions: holdMs > 0, lockOut: undefined };
    });
  }

  /** Goes back to the deployment that was active before the last switch, or to a named one. */
  async rollback(request: RollbackRequest): Promise<SwitchAnswer> {
    return this.#runSwitch('rolled-back', { request, holdMs: 0 }, async (state) => {
      // Getting back to safety must be possible, too, while nothing else is.
      if (!request.force) this.freeze.check();
      const to =
        request.to === undefined ? beforeLastSwitch(state) : destination(state, request.to);
      if (!request.force) {
        checkLockedOut(state, to);
        checkAddresses(state, to, this.#world(request, await this.#placesOf(to.urls)));
        const { service, deployment } = this.#asTable(state, to);
        const subject = { service, deployment, needs: 'one' } as const;
        const health = await this.#parts.spotCheck(subject, this.#parts.health);
        checkRollback(state.name, deployment, health);
      }
      const movesSessions = request.restick === 'all';
      return { to: to.number, movesSessions, lockOut: lockOutFor(state, to, request) };
    });
  }

  /** Refuses a switch of `service` to its idle color; asks no target. */
  checkMove(service: Service): void {
    const state = this.#runner.state(service.name);
    const to = destination(state, otherColor(service.active));
    this.freeze.check();
    checkLockedOut(state, to);
    checkAddresses(state, to, this.#world(OWN, asWritten));
    checkSwitch(service.name, service[otherColor(service.active)], this.#parts.health);
  }

  async #checkMove(
    state: ServiceState,
    to: StoredDeployment,
    request: ChangeRequest,
  ): Promise<void> {
    this.freeze.check();
    checkLockedOut(state, to);
    const { service, deployment } = this.#asTable(state, to);
    if (request.force) return;
    checkAddresses(state, to, this.#world(request, await this.#placesOf(to.urls)));
    const subject = { service, deployment, needs: 'all' } as const;
    const health = await this.#parts.spotCheck(subject, this.#parts.health);
    checkSwitch(state.name, deployment, health);
  }

  /** Returns a service as the table has it, and a deployment of it, also where no color has that. */
  #asTable(
    state: ServiceState,
    to: StoredDeployment,
  ): { readonly service: Service; readonly deployment: Deployment } {
    const service = this.table.services.find(({ name }) => name === state.name)!;
    const color = colorWith(state, to.number);
    const deployment =
      color === undefined ? makeDeployment(state, to, this.#parts.slots) : service[color];
    return { service, deployment };
  }

  async #placesOf(urls: readonly string[]): Promise<PlacesOf> {
    const { states, table } = this;
    return await placesFor(urls, { states: states.values(), table }, this.#parts.findPlaces);
  }

  #world({ actor }: Pick<ChangeRequest, 'actor'>, placesOf: PlacesOf): World {
    const { stored, configs } = this.#runner.basis();
    const byName = new Map(configs.map((config) => [config.name, config]));
    return {
      services: new Map([...stored.services].filter(([name]) => byName.has(name))),
      nextDeployment: stored.nextDeployment,
      placesOf,
      policyOf: (service) => byName.get(service)!.policy,
      actor,
      nowMs: epochMs(),
    };
  }

  /** Puts a release on an idle color. */
  async register(request: ChangeRequest, wanted: RegisterRequest): Promise<ChangeAnswer> {
    const { targets, ...asked } = wanted;
    const what = `release ${wanted.release} registered on ${wanted.color}`;
    return this.#runner.edit(request, what, async (state) => {
      const parsed = parseTargets(targets);
      const urls = parsed.map(({ url }) => url);
      const [ours, placesOf] = await Promise.all([
        this.#parts.oursAmong(parsed),
        this.#placesOf(urls),
      ]);
      checkNotOurs(ours);
      return registration(state, { ...asked, urls }, this.#world(request, placesOf));
    });
  }

  /** Lets a release be switched to again that was locked out; undefined: the one of any color. */
  async unlock(request: ChangeRequest, what: string | undefined): Promise<ChangeAnswer> {
    return this.#runner.edit(request, 'unlocked', (state) => {
      const meant = what === undefined ? state.lockOuts : lockOutsOf(state, what);
      return meant.length === 0 ? undefined : { states: [unlocked(meant)(state)] };
    });
  }

  /** Runs `run` while no change runs; refused as a change would be. */
  async between<T>(request: Pick<ChangeRequest, 'ifMatch'>, run: () => Promise<T>): Promise<T> {
    return this.#runner.inTurn(request, { find: () => undefined, run });
  }

  /** Ends drains of a service: that of one deployment, or all. */
  async evict(request: ChangeRequest, number: number | undefined): Promise<ChangeAnswer> {
    return this.#runner.edit(request, 'drains evicted', (state) => {
      const after = eviction(state, number, this.#world(request, asWritten));
      return after && { states: [after] };
    });
  }

  /** Forgets drains of which nothing is left, or whose time is up. */
  async endDrains(
    request: ChangeRequest,
    deployments: ReadonlySet<number>,
    leaving: ReadonlySet<string> = new Set(),
  ): Promise<ChangeAnswer> {
    return this.#runner.edit(request, 'drains ended', (state) => {
      const after = withoutDrains(state, { deployments, leaving });
      return after === state ? undefined : { states: [after], isSilent: true };
    });
  }

  /** Lets requests wait; they go on by themselves at `hold.untilMs`. */
  async hold(request: ChangeRequest, hold: Omit<Hold, 'closesLongLived'>): Promise<ChangeAnswer> {
    return this.#runner.edit(request, 'held', (state) => ({
      states: [held({ ...hold, closesLongLived: false })(state)],
    }));
  }

  /** Ends a hold: the requests that wait go on. */
  async endHold(request: ChangeRequest): Promise<ChangeAnswer> {
    return this.#runner.edit(request, 'resumed', (state) =>
      state.hold === undefined ? undefined : { states: [held(undefined)(state)] },
    );
  }

  /** Begins or ends maintenance. */
  async maintain(
    request: ChangeRequest,
    maintenance: Service['maintenance'],
  ): Promise<ChangeAnswer> {
    const what = maintenance === undefined ? 'maintenance off' : 'maintenance on';
    return this.#runner.edit(request, what, (state) => {
      const isSame = JSON.stringify(state.maintenance) === JSON.stringify(maintenance);
      return isSame ? undefined : { states: [maintained(maintenance)(state)] };
    });
  }

  /**
   * Brings another configuration into force: all of it, or nothing. Calls `onPublished` once it is,
   * before anything follows the new table. Returns the generation.
   */
  async reconfigure(
    request: ChangeRequest,
    decide: (basis: Basis) => Promise<Change>,
    onPublished: () => void,
  ): Promise<number> {
    const runner = this.#runner;
    return runner.inTurn(request, {
      find: () => undefined,
      run: async () => {
        await runner.publish(await decide(runner.basis()), request);
        onPublished();
        runner.settle();
        return this.table.epoch;
      },
      notMade: (error) => runner.account.notMade(error, undefined, { request, what: 'reload' }),
    });
  }

  /** Takes no more changes and resolves when the running one has ended. */
  async close(): Promise<void> {
    await this.#runner.close();
  }

  /** Takes no changes until `resume`, and resolves when the running one has ended. */
  async pause(): Promise<void> {
    await this.#runner.pause();
  }

  resume(): void {
    this.#runner.resume();
  }

  /** Takes no more changes, because what is known here may be wrong; traffic goes on. */
  halt(error: Error): OperatorError {
    return this.#runner.halt(error);
  }

  async #runSwitch(
    outcome: SwitchOutcome,
    { request, holdMs }: { readonly request: ChangeRequest; readonly holdMs: number },
    decide: (state: ServiceState) => Promise<SwitchDecision>,
  ): Promise<SwitchAnswer> {
    const startedMs = performance.now();
    const runner = this.#runner;
    return runner.ofService(request, 'switch', async (state) => {
      checkReason(request);
      const decision = await decide(state);
      if (decision.to === activeNumber(state)) {
        return unchangedSwitch(state, this.table.epoch, performance.now() - startedMs);
      }
      const publish = async () =>
        this.#publish(state.name, decision, { request, outcome, startedMs });
      const service = this.table.services.find(({ name }) => name === state.name)!;
      const hands = { ...this.#parts, runner };
      const { records, answer } =
        holdMs === 0 ? await publish() : await whileHeld(hands, { service, holdMs }, publish);
      const publishedAtMs = epochMs();
      const tookMs = performance.now() - startedMs;
      runner.settle();
      for (const record of records) runner.account.switched(record, tookMs);
      return { ...answer, publishedAtMs, tookMs };
    });
  }

  async #publish(
    name: string,
    decision: SwitchDecision,
    {
      request,
      outcome,
      startedMs,
    }: {
      readonly request: ChangeRequest;
      readonly outcome: SwitchOutcome;
      readonly startedMs: number;
    },
  ) {
    const runner = this.#runner;
    const service = this.table.services.find((one) => one.name === name)!;
    const longLivedCount = this.#longLived(service[service.active]);
    const { policy } = service;
    const { actor } = request;
    const terms = { ...decision, outcome, actor, policy, nowMs: epochMs(), longLivedCount };
    const change = switchChange(
      runner.basis(),
      { state: runner.state(name), terms },
      { request, tookMs: performance.now() - startedMs },
    );
    await runner.publish(change, request);
    return change;
  }

  #longLived({ block }: Deployment): number {
    const { totals } = this.#parts;
    return totals.blockSlot(block, BLOCK.tunnels) + totals.blockSlot(block, BLOCK.streams);
  }
}

/** The process itself looks. */
const OWN = { actor: 'turnout' } as const;
