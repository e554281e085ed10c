// Every decision on routing tables: switches, rollbacks, registrations, holds, maintenance, the end
// of drains. Larger ones are parts of their own, such as mover.ts; here is how they know each other, and
// what the small ones check and change. change-runner.ts carries them out, one at a time. Knows neither
// HTTP nor threads.

import type { ChangeAnswer } from '../../api/shared-fields.ts';
import type { Hold, RoutingTable, Service } from '../../contract/table.ts';
import type { OperatorError } from '../base/problems.ts';
import type { Totals } from '../memory/totals.ts';
import type { ServiceState } from '../store/service-state.ts';
import type { NameBook } from '../targets/looked-up-name.ts';
import type { FindPlaces, PlacedTarget } from '../targets/places.ts';
import { asWritten } from '../deployments/address-use.ts';
import { ChangeRunner, type ChangeRunnerParts } from '../publishing/change-runner.ts';
import {
  type ChangeRequest,
  type RollbackRequest,
  type SwitchRequest,
} from '../deployments/change-request.ts';
import { type Basis, type Change, type SwitchAnswer } from '../deployments/change.ts';
import { lockOutsOf } from '../deployments/destination.ts';
import { RunningWait } from './holding/running-wait.ts';
import { HoldSwitch, type NameRunning, type QuietWait } from './holding/hold-switch.ts';
import type { MigrationHands } from './holding/migrations.ts';
import { MoveChecks } from './moving/move-checks.ts';
import { Shadowing } from './changes/shadowing.ts';
import { SwitchRun } from './moving/switch-run.ts';
import type { Step, StepRefusal } from './checks/dry-run.ts';
import { Mover } from './moving/mover.ts';
import { Registrar, type Registered } from './changes/registrar.ts';
import { eviction, type RegisterRequest } from '../deployments/registration.ts';
import type { SpotCheck } from './checks/spot-check.ts';
import { Scaling } from './changes/target-changes.ts';
import { held, maintained, unlocked, withoutDrains } from '../deployments/state-edit.ts';
import type { HealthOf } from './checks/switch-check.ts';
import { Previews } from './changes/previews.ts';
import { DataSchema } from './changes/data-schema.ts';
import { ReturnBar } from './changes/return-bar.ts';
import { ServiceFreezes } from './changes/service-freezes.ts';
import { Worlds } from './moving/worlds.ts';
import { SwitchTally } from '../publishing/switch-tally.ts';
import type { FreezesOf } from '../freezes/calendar.ts';
import { SwitchingFreeze } from './checks/switching-freeze.ts';

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
  readonly #runner: ChangeRunner;
  readonly #holds: HoldSwitch;
  readonly #worlds: Worlds;
  readonly #mover: Mover;
  /** Whether traffic may move to a deployment. */
  readonly checks: MoveChecks;
  /** Releases as they come. */
  readonly registrar: Registrar;
  readonly tally: SwitchTally;
  readonly previews: Previews;
  readonly noReturn: ReturnBar;
  readonly dataSchema: DataSchema;
  readonly serviceFreezes: ServiceFreezes;
  readonly scaling: Scaling;
  /** What still runs while requests are held or turned away. */
  readonly running: RunningWait;
  /** Copies of requests to idle deployments. */
  readonly shadowing: Shadowing;
  /** What stops switching: an operator, or a window. */
  readonly freeze: SwitchingFreeze;

  constructor(parts: SwitchboardParts) {
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
    this.#worlds = new Worlds({ ...parts, runner: this.#runner });
    this.checks = new MoveChecks({
      ...parts,
      runner: this.#runner,
      freeze: this.freeze,
      placesOf: async (urls) => this.#worlds.placesOf(urls),
      worldOf: (request, placesOf) => this.#worlds.of(request, placesOf),
    });
    this.#mover = new Mover({
      ...parts,
      runner: this.#runner,
      switches: new SwitchRun({ ...parts, runner: this.#runner, holds: this.#holds }),
      checks: this.checks,
      freeze: this.freeze,
      worlds: this.#worlds,
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
        this.#worlds.with(request, urls),
    };
    this.previews = new Previews(hands);
    this.noReturn = new ReturnBar(hands);
    this.dataSchema = new DataSchema(hands);
    this.serviceFreezes = new ServiceFreezes(hands);
    this.scaling = new Scaling({ ...parts, ...hands });
    this.registrar = new Registrar({ ...parts, ...hands, freeze: this.freeze });
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
    return this.#mover.switch(request);
  }

  /** The same for several services: all of them in one table, or none. */
  async switchAll(
    services: readonly string[],
    request: SwitchRequest,
  ): Promise<readonly SwitchAnswer[]> {
    return this.#mover.switchAll(services, request);
  }

  /** Goes back to the deployment that was active before the last switch, or to a named one. */
  async rollback(request: RollbackRequest): Promise<SwitchAnswer> {
    return this.#mover.rollback(request);
  }

  /** Refuses a switch of `service` to its idle color; asks no target. */
  checkMove(service: Service): void {
    this.#mover.checkMove(service);
  }

  /** Puts a release on an idle color. */
  async register(request: ChangeRequest, wanted: RegisterRequest): Promise<Registered> {
    return this.registrar.register(request, wanted);
  }

  /** Returns what would be refused if `steps` were made one after the other. */
  async dryRun(request: ChangeRequest, steps: readonly Step[]): Promise<StepRefusal[]> {
    return this.registrar.dryRun(request, steps);
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
      const after = eviction(state, number, this.#worlds.of(request, asWritten));
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
