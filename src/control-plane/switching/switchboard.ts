// Every decision on routing tables: switches, rollbacks, registrations, holds, maintenance, the end
// of drains. Here is what each of them checks and changes; change-runner.ts carries it out, one at a
// time. Knows neither HTTP nor threads.

import type { ChangeAnswer } from '../../api/shared-fields.ts';
import { epochMs } from '../../base/clock.ts';
import { otherColor, type Hold, type RoutingTable, type Service } from '../../contract/table.ts';
import type { OperatorError } from '../base/problems.ts';
import type { Totals } from '../memory/totals.ts';
import { activeNumber, type ServiceState } from '../store/service-state.ts';
import type { NameBook } from '../targets/looked-up-name.ts';
import type { FindPlaces, PlacedTarget } from '../targets/places.ts';
import { placesFor } from '../deployments/address-places.ts';
import { asWritten, type PlacesOf } from '../deployments/address-use.ts';
import { ChangeRunner, type ChangeRunnerParts } from '../publishing/change-runner.ts';
import {
  type ChangeRequest,
  type RollbackRequest,
  type SwitchRequest,
} from '../deployments/change-request.ts';
import {
  switchAnswerJson,
  switchesAnswerJson,
  type Basis,
  type Change,
  type SwitchAnswer,
} from '../deployments/change.ts';
import { checkNotClaimed } from '../deployments/claim.ts';
import {
  beforeLastSwitch,
  checkAddresses,
  checkLockedOut,
  destination,
  lockOutsOf,
} from '../deployments/destination.ts';
import { checkData } from '../deployments/schema-fit.ts';
import { RunningWait } from './running-wait.ts';
import { HoldSwitch, type NameRunning, type QuietWait } from './hold-switch.ts';
import type { MigrationHands } from './migrations.ts';
import { MoveChecks } from './move-checks.ts';
import { Shadowing } from './shadowing.ts';
import { SwitchRun, type AskedSwitch } from './switch-run.ts';
import type { Step, StepRefusal } from './dry-run.ts';
import { Registrar, type Registered } from './registrar.ts';
import { eviction, type RegisterRequest, type World } from '../deployments/registration.ts';
import { resticking } from '../deployments/restick.ts';
import { lockOutFor } from '../deployments/rollback-lock-out.ts';
import type { SpotCheck } from './spot-check.ts';
import { Scaling } from './target-changes.ts';
import { held, maintained, unlocked, withoutDrains } from '../deployments/state-edit.ts';
import { checkAlone, checkSwitch, type HealthOf } from './switch-check.ts';
import { Previews } from './previews.ts';
import { ReturnBar } from './return-bar.ts';
import { ServiceFreezes } from './service-freezes.ts';
import { SwitchTally } from '../publishing/switch-tally.ts';
import type { FreezesOf } from '../freezes/calendar.ts';
import { SwitchingFreeze } from './switching-freeze.ts';

export interface SwitchboardParts extends Omit<ChangeRunnerParts, 'onPublished' | 'tally'> {
  readonly health: HealthOf;
  readonly spotCheck: SpotCheck;
  readonly findPlaces: FindPlaces;
  /** Resolves with the URLs of targets that are listeners of Turnout itself. */
  readonly oursAmong: (targets: readonly PlacedTarget[]) => Promise<ReadonlySet<string>>;
  /** Where targets may lead, as configured now; empty: anywhere. */
  readonly targetsAllow: () => readonly string[];
  readonly totals: Totals;
  readonly names: Pick<NameBook, 'of'>;
  readonly nameRunning: NameRunning;
  /** Connections of the process before an upgrade: see drain-watch.ts. */
  readonly leftBehind: () => number | undefined;
  /** What the freeze windows of a service say now. */
  readonly freezesOf: FreezesOf;
  readonly migrations: MigrationHands;
  /** Called with each table once it is published. */
  readonly onPublished: (table: RoutingTable) => void;
}

/** A hold as an operator asks for it. */
type AskedHold = Pick<Hold, 'methods' | 'untilMs'> & Partial<Pick<Hold, 'closesLongLived'>>;

/** Decides on changes and carries them out. */
export class Switchboard {
  readonly #parts: SwitchboardParts;
  readonly #runner: ChangeRunner;
  readonly #holds: HoldSwitch;
  readonly #switches: SwitchRun;
  /** Whether traffic may move to a deployment. */
  readonly checks: MoveChecks;
  readonly #registrar: Registrar;
  readonly tally: SwitchTally;
  readonly previews: Previews;
  readonly noReturn: ReturnBar;
  readonly serviceFreezes: ServiceFreezes;
  readonly scaling: Scaling;
  /** What still runs while requests are held or turned away. */
  readonly running: RunningWait;
  /** Copies of requests to idle deployments. */
  readonly shadowing: Shadowing;
  /** What stops switching: an operator, or a window. */
  readonly freeze: SwitchingFreeze;

  constructor(parts: SwitchboardParts) {
    this.#parts = parts;
    this.tally = new SwitchTally(parts.first);
    this.freeze = new SwitchingFreeze(parts.store, parts.freezesOf);
    this.#runner = new ChangeRunner({
      ...parts,
      tally: this.tally,
      onPublished: (tables, preparing) => {
        parts.slots.retain(preparing === undefined ? tables : [...tables, preparing]);
        this.tally.follow(tables.at(-1)!);
        parts.onPublished(tables.at(-1)!);
      },
    });
    this.#holds = new HoldSwitch({ ...parts, runner: this.#runner });
    this.#switches = new SwitchRun({ ...parts, runner: this.#runner, holds: this.#holds });
    this.checks = new MoveChecks({
      ...parts,
      runner: this.#runner,
      freeze: this.freeze,
      placesOf: async (urls) => this.#placesOf(urls),
      worldOf: (request, placesOf) => this.#world(request, placesOf),
    });
    const table = (): RoutingTable => this.table;
    this.shadowing = new Shadowing({ ...parts, runner: this.#runner, table });
    this.running = new RunningWait({
      ...parts,
      table,
      isStopping: () => this.refusal?.code === 'stopping',
    });
    const hands = {
      runner: this.#runner,
      worldOf: async (request: ChangeRequest, urls: readonly string[]) =>
        this.#world(request, await this.#placesOf(urls)),
    };
    this.previews = new Previews(hands);
    this.noReturn = new ReturnBar(hands);
    this.serviceFreezes = new ServiceFreezes(hands);
    this.scaling = new Scaling({ ...parts, ...hands });
    this.#registrar = new Registrar({ ...parts, ...hands, freeze: this.freeze });
  }

  /** For changes that are made elsewhere: they take their turns with all others. */
  get changes(): ChangeRunner {
    return this.#runner;
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

  /** What a switch of `service` that holds requests waits for; undefined: none does. */
  waiting(service: string): QuietWait | undefined {
    return this.#holds.waiting(service);
  }

  /** Makes the wanted deployment of a service the active one. */
  async switch(request: SwitchRequest): Promise<SwitchAnswer> {
    const [answer] = await this.#switch([request.service], request, onlyAnswer);
    return answer!;
  }

  /** The same for several services: all of them in one table, or none. */
  async switchAll(
    services: readonly string[],
    request: SwitchRequest,
  ): Promise<readonly SwitchAnswer[]> {
    return this.#switch(services, request, switchesAnswerJson);
  }

  async #switch(
    services: readonly (string | undefined)[],
    request: SwitchRequest,
    answerOf: AskedSwitch['answerOf'],
  ): Promise<readonly SwitchAnswer[]> {
    const { holdMs } = request;
    const asked = { services, request, outcome: 'switched', holdMs, answerOf } as const;
    return this.#switches.run(asked, async (state) => {
      checkAlone(holdMs, this.#parts.leftBehind());
      const to = destination(state, request.to ?? otherColor(state.active));
      if (!request.force && request.overridesRollout !== true) checkNotClaimed(state);
      const isThere = to.number === activeNumber(state);
      const check = isThere ? () => {} : await this.checks.switch(state, to, request);
      // Sessions that stayed would keep the other deployment running beside the new one.
      return { to: to.number, movesSessions: holdMs > 0, lockOut: undefined, check };
    });
  }

  /** Goes back to the deployment that was active before the last switch, or to a named one. */
  async rollback(request: RollbackRequest): Promise<SwitchAnswer> {
    const asked: AskedSwitch = {
      services: [request.service],
      request,
      outcome: 'rolled-back',
      isWayBack: true,
      holdMs: 0,
      answerOf: onlyAnswer,
    };
    const [answer] = await this.#switches.run(asked, async (state) => {
      if (!request.force) checkNotClaimed(state);
      const resticks = resticking(state, request, epochMs());
      if (resticks !== undefined) {
        const check = request.force ? () => {} : () => this.freeze.check(state.name);
        check();
        return {
          to: activeNumber(state),
          movesSessions: true,
          lockOut: undefined,
          resticks,
          check,
        };
      }
      const to =
        request.to === undefined ? beforeLastSwitch(state) : destination(state, request.to);
      const movesSessions = request.restick === 'all';
      const check = await this.checks.rollback(state, to, request);
      return { to: to.number, movesSessions, lockOut: lockOutFor(state, to, request), check };
    });
    return answer!;
  }

  /** Refuses a switch of `service` to its idle color; asks no target. */
  checkMove(service: Service): void {
    const state = this.#runner.state(service.name);
    const to = destination(state, otherColor(service.active));
    this.freeze.check(service.name);
    checkLockedOut(state, to);
    checkData(state, to);
    checkAddresses(state, to, this.#world(OWN, asWritten));
    checkSwitch(service.name, service[otherColor(service.active)], this.#parts.health);
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
      allow: this.#parts.targetsAllow(),
      policyOf: (service) => byName.get(service)!.policy,
      actor,
      nowMs: epochMs(),
    };
  }

  /** Puts a release on an idle color. */
  async register(request: ChangeRequest, wanted: RegisterRequest): Promise<Registered> {
    return this.#registrar.register(request, wanted);
  }

  /** Returns what would be refused if `steps` were made one after the other. */
  async dryRun(request: ChangeRequest, steps: readonly Step[]): Promise<StepRefusal[]> {
    return this.#registrar.dryRun(request, steps);
  }

  /** Lets a release be switched to again that was locked out; undefined: the one of any color. */
  async unlock(request: ChangeRequest, what: string | undefined): Promise<ChangeAnswer> {
    return this.#runner.edit(request, 'unlocked', (state) => {
      const meant = what === undefined ? state.lockOuts : lockOutsOf(state, what);
      return meant.length === 0 ? undefined : { states: [unlocked(meant)(state)] };
    });
  }

  /** Runs `run` while no table is published; refused as a change would be. */
  async between<T>(request: Pick<ChangeRequest, 'ifMatch'>, run: () => Promise<T>): Promise<T> {
    return this.#runner.between(request, run);
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
  async hold(
    request: ChangeRequest,
    { closesLongLived = false, ...hold }: AskedHold,
  ): Promise<ChangeAnswer> {
    return this.#runner.edit(request, 'held', (state) => ({
      states: [held({ ...hold, closesLongLived })(state)],
    }));
  }

  /** Ends a hold, also that of a switch: the requests that wait go on. */
  async endHold(request: ChangeRequest): Promise<ChangeAnswer> {
    const way = { what: 'resumed', isWayBack: true, endsHold: true };
    return this.#runner.edit(request, way, (state) =>
      state.hold === undefined ? undefined : { states: [held(undefined)(state)] },
    );
  }

  /** Begins or ends maintenance. */
  async maintain(
    request: ChangeRequest,
    maintenance: Service['maintenance'],
  ): Promise<ChangeAnswer> {
    const what = maintenance === undefined ? 'maintenance off' : 'maintenance on';
    return this.#runner.edit(request, { what, isWayBack: true }, (state) => {
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
      lines: 'all',
      what: 'reload',
      find: () => undefined,
      run: async (_nothing, turn) => {
        const change = await decide(runner.basis());
        await runner.publish(() => change, { request, turn });
        onPublished();
        runner.settle();
        return this.table.epoch;
      },
      notMade: (error) => runner.account.notMade(error, [], { request, what: 'reload' }),
    });
  }

  /** Resolves when every worker goes by the current table, or one is late to. */
  async settled(): Promise<void> {
    await this.#runner.settled();
  }

  /** Takes no more changes, calls off those that hold requests; resolves when all have ended. */
  async close(): Promise<void> {
    await this.#runner.close();
  }

  /** Takes no changes until `resume`, and resolves when none runs any more. */
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
}

/** Returns what a switch of one service is told. */
function onlyAnswer([answer]: readonly SwitchAnswer[]): unknown {
  return switchAnswerJson(answer!);
}

/** The process itself looks. */
const OWN = { actor: 'turnout' } as const;
