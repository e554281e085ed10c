// Every decision on routing tables: switches, rollbacks, registrations, holds, maintenance, the end
// of drains. Here is what each of them checks and changes; change-runner.ts carries it out, one at a
// time. Knows neither HTTP nor threads.

import { epochMs } from '../../base/clock.ts';
import { BLOCK } from '../../contract/counters.ts';
import {
  COLORS,
  otherColor,
  type Color,
  type Hold,
  type RoutingTable,
  type Service,
  type Side,
} from '../../contract/table.ts';
import type { OperatorError } from '../base/problems.ts';
import type { Slots } from '../memory/slots.ts';
import type { Totals } from '../memory/totals.ts';
import type { SwitchOutcome, SwitchRecord } from '../store/store.ts';
import type { IsOurs } from '../targets/own-places.ts';
import { ChangeRunner, type ChangeRunnerParts } from './change-runner.ts';
import { switchChange, type Change, type ChangeAnswer, type SwitchAnswer } from './change.ts';
import { whileHeld } from './hold-switch.ts';
import { eviction, registration, type Registration } from './registration.ts';
import { decideRollback, type RollbackParts } from './rollback.ts';
import {
  checkAlone,
  checkLockedOut,
  checkReason,
  checkSwitch,
  type ChangeRequest,
  type RollbackRequest,
  type SwitchRequest,
} from './switch-check.ts';
import { SwitchTally } from './switch-tally.ts';
import { SwitchingFreeze } from './switching-freeze.ts';
import { ended, held, maintained, unlocked, type SwitchDecision } from './table-edit.ts';

export interface SwitchboardParts
  extends Omit<ChangeRunnerParts, 'onPublished' | 'tally'>, RollbackParts {
  readonly slots: Slots;
  readonly isOurs: IsOurs;
  readonly totals: Totals;
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
  }

  /** The table that the pointer names. */
  get table(): RoutingTable {
    return this.#runner.table;
  }

  /** Why no change is taken, of whatever kind; undefined: changes are. */
  get refusal(): OperatorError | undefined {
    return this.#runner.refusal;
  }

  /** Makes the wanted color of a service the active one. */
  async switch(request: SwitchRequest): Promise<SwitchAnswer> {
    const { holdMs, force } = request;
    return this.#runSwitch('switched', { request, holdMs }, async (service) => {
      checkAlone(holdMs, this.#parts.leftBehind());
      const to = request.to ?? otherColor(service.active);
      if (to !== service.active) this.checkMove(service, to, force);
      // Sessions that stayed would keep the other color running beside the new one.
      return { to, side: service[to], movesSessions: holdMs > 0, lockOut: undefined };
    });
  }

  /** Takes the last switch of a service back: to the release that was active before it. */
  async rollback(request: RollbackRequest): Promise<SwitchAnswer> {
    return this.#runSwitch('rolled-back', { request, holdMs: 0 }, async (service) => {
      // Getting back to safety must be possible, too, while nothing else is.
      if (!request.force) this.freeze.check();
      const last = this.#lastSwitch(service.name);
      return await decideRollback(service, { request, last }, this.#parts);
    });
  }

  /** Refuses a switch of `service` to `to`. */
  checkMove(service: Service, to: Color, force: boolean): void {
    this.freeze.check();
    checkLockedOut(service, to);
    checkSwitch(service, to, force, this.#parts.health);
  }

  /** Puts a release on an idle color. */
  async register(request: ChangeRequest, wanted: Registration): Promise<ChangeAnswer> {
    const what = `release ${wanted.release} registered on ${wanted.color}`;
    return this.#runner.edit(request, what, (service) =>
      registration(service, wanted, { ...this.#parts, nowMs: epochMs() }),
    );
  }

  /** Lets a release be switched to again that was locked out; undefined: that of any color. */
  async unlock(request: ChangeRequest, color: Color | undefined): Promise<ChangeAnswer> {
    return this.#runner.edit(request, 'unlocked', (service) => {
      const locked = COLORS.find((one) => service[one].lockedOut && one === (color ?? one));
      return locked && unlocked(locked);
    });
  }

  /** Runs `run` while no change runs; refused as a change would be. */
  async between<T>(request: Pick<ChangeRequest, 'ifMatch'>, run: () => T): Promise<T> {
    return this.#runner.inTurn(request, { find: () => undefined, run: async () => run() });
  }

  /** Ends drains of a service: one generation of it, or all. */
  async evict(request: ChangeRequest, generation: number | undefined): Promise<ChangeAnswer> {
    return this.#runner.edit(request, 'drains evicted', (service) =>
      eviction(service, generation, epochMs()),
    );
  }

  /** Forgets drains of which nothing is left, or whose time is up. */
  async endDrains(request: ChangeRequest, generations: ReadonlySet<number>): Promise<ChangeAnswer> {
    return this.#runner.edit(request, 'drains ended', (service) => {
      const isThere = service.draining.some((one) => generations.has(one.generation));
      return isThere ? ended(generations) : undefined;
    });
  }

  /** Lets requests wait; they go on by themselves at `hold.untilMs`. */
  async hold(request: ChangeRequest, hold: Omit<Hold, 'closesLongLived'>): Promise<ChangeAnswer> {
    return this.#runner.edit(request, 'held', () => held({ ...hold, closesLongLived: false }));
  }

  /** Ends a hold: the requests that wait go on. */
  async endHold(request: ChangeRequest): Promise<ChangeAnswer> {
    return this.#runner.edit(request, 'resumed', ({ hold }) =>
      hold === undefined ? undefined : held(undefined),
    );
  }

  /** Begins or ends maintenance. */
  async maintain(
    request: ChangeRequest,
    maintenance: Service['maintenance'],
  ): Promise<ChangeAnswer> {
    const what = maintenance === undefined ? 'maintenance off' : 'maintenance on';
    return this.#runner.edit(request, what, (service) => {
      const isSame = JSON.stringify(service.maintenance) === JSON.stringify(maintenance);
      return isSame ? undefined : maintained(maintenance);
    });
  }

  /**
   * Brings another configuration into force: all of it, or nothing. Calls `onPublished` once it is,
   * before anything follows the new table.
   */
  async reconfigure(
    request: ChangeRequest,
    decide: (table: RoutingTable, generation: number) => Change,
    onPublished: () => void,
  ): Promise<number> {
    const runner = this.#runner;
    return runner.inTurn(request, {
      find: () => undefined,
      run: async () => {
        await runner.publish(decide(this.table, runner.nextGeneration), request);
        onPublished();
        runner.settle();
        return this.table.generation;
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
    decide: (service: Service) => Promise<SwitchDecision>,
  ): Promise<SwitchAnswer> {
    const startedMs = performance.now();
    return this.#runner.ofService(request, 'switch', async (service) => {
      checkReason(request);
      const decision = await decide(service);
      if (decision.to === service.active) return this.#unchanged(service, startedMs);
      const publish = async () =>
        this.#publish(service.name, decision, { request, outcome, startedMs });
      const hands = { ...this.#parts, runner: this.#runner };
      const { record, answer } =
        holdMs === 0 ? await publish() : await whileHeld(hands, { service, holdMs }, publish);
      const publishedAtMs = epochMs();
      const tookMs = performance.now() - startedMs;
      this.#runner.settle();
      this.#runner.account.switched(record, tookMs);
      return { ...answer, publishedAtMs, tookMs };
    });
  }

  async #publish(
    name: string,
    decision: SwitchDecision,
    {
      startedMs,
      ...asked
    }: {
      readonly request: ChangeRequest;
      readonly outcome: SwitchOutcome;
      readonly startedMs: number;
    },
  ) {
    const basis = this.#runner.basis(name);
    const longLivedCount = this.#longLived(basis.service[basis.service.active]);
    const terms = { ...decision, nowMs: epochMs(), longLivedCount };
    const change = switchChange(basis, terms, { ...asked, tookMs: performance.now() - startedMs });
    await this.#runner.publish(change, asked.request);
    return change;
  }

  #unchanged(service: Service, startedMs: number): SwitchAnswer {
    const { name, active } = service;
    return {
      generation: this.table.generation,
      service: name,
      from: active,
      to: active,
      release: service[active].release,
      publishedAtMs: this.#runner.sinceAtMs(name),
      tookMs: performance.now() - startedMs,
      changed: false,
    };
  }

  #longLived({ block }: Side): number {
    const { totals } = this.#parts;
    return totals.blockSlot(block, BLOCK.tunnels) + totals.blockSlot(block, BLOCK.streams);
  }

  #lastSwitch(service: string): SwitchRecord | undefined {
    return this.#parts.store.history({ service, limit: 1 })[0];
  }
}
