// The only one who decides on routing tables: switches, rollbacks, registrations, holds,
// maintenance, the end of drains. One change at a time, each through the same phases: check,
// publish (publisher.ts), write down. Knows neither HTTP nor threads.

import { epochMs } from '../../base/clock.ts';
import type { ServiceConfig } from '../../config/config.ts';
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
import { changeAnswer, switchAnswer, type ChangeAnswer, type SwitchAnswer } from './answers.ts';
import { callOf } from '../audit/call.ts';
import { ChangeAccount } from './change-account.ts';
import { recordOf, type Change, type Reconfiguration, type Remembered } from './changes.ts';
import { fingerprintOf, storedService } from './table-state.ts';
import { quietUntil } from './hold-switch.ts';
import { PREPARE_TIMEOUT_MS, SWITCH_WAITERS_MAX } from '../base/control-limits.ts';
import type { Log } from '../base/log.ts';
import { OperatorError } from '../base/problems.ts';
import type { IsOurs } from '../targets/own-places.ts';
import { Publisher, type PublisherParts } from './publisher.ts';
import { eviction, registration, type Registration } from './registration.ts';
import { decideRollback, type Decided, type RollbackParts } from './rollback.ts';
import type { Slots } from '../memory/slots.ts';
import type { SwitchOutcome, SwitchRecord } from '../store/store.ts';
import {
  checkAlone,
  checkGeneration,
  checkLockedOut,
  checkReason,
  checkSwitch,
  findService,
  type ChangeRequest,
  type RollbackRequest,
  type SwitchRequest,
} from './switch-check.ts';
import { SwitchTally } from './switch-tally.ts';
import { SwitchingFreeze } from './switching-freeze.ts';
import { edited, ended, held, maintained, switched, unlocked, type Edit } from './table-edit.ts';
import type { Totals } from '../memory/totals.ts';
import { Turn } from './change-queue.ts';

export interface SwitchboardParts extends Omit<PublisherParts, 'onPublished'>, RollbackParts {
  readonly slots: Slots;
  /** A service as it is configured now. */
  readonly configOf: (service: string) => ServiceConfig | undefined;
  readonly isOurs: IsOurs;
  readonly totals: Totals;
  /** Connections of the process before an upgrade: see drain-watch.ts. */
  readonly leftBehind: () => number | undefined;
  readonly log: Log;
  /** Called with each table once it is published. */
  readonly onPublished: (table: RoutingTable) => void;
}

/** Decides on changes and carries them out. */
export class Switchboard {
  readonly #parts: SwitchboardParts;
  readonly #publisher: Publisher;
  readonly #turn = new Turn({ waitersMax: SWITCH_WAITERS_MAX });
  readonly tally: SwitchTally;
  /** What an operator has frozen. */
  readonly switching: SwitchingFreeze;
  readonly #account: ChangeAccount;
  #refusal: OperatorError | undefined;

  constructor(parts: SwitchboardParts) {
    this.#parts = parts;
    this.#publisher = new Publisher({
      ...parts,
      onPublished: (tables) => {
        parts.slots.retain(tables);
        this.tally.follow(tables.at(-1)!);
        parts.onPublished(tables.at(-1)!);
      },
    });
    this.tally = new SwitchTally(parts.first);
    this.switching = new SwitchingFreeze(parts.store);
    const freeze = (error: Error): OperatorError => this.freeze(error);
    this.#account = new ChangeAccount({ ...parts, tally: this.tally, freeze });
  }

  /** The table that the pointer names. */
  get table(): RoutingTable {
    return this.#publisher.table;
  }

  /** Why no change is taken, of whatever kind; undefined: changes are. */
  get refusal(): OperatorError | undefined {
    return this.#refusal;
  }

  /** Makes the wanted color of a service the active one. */
  async switch(request: SwitchRequest): Promise<SwitchAnswer> {
    return this.#runSwitch('switched', request, async (service) => {
      const { holdMs, force } = request;
      checkAlone(holdMs, this.#parts.leftBehind());
      const to = request.to ?? otherColor(service.active);
      if (to !== service.active) this.checkMove(service, to, force);
      // Sessions that stayed would keep the other color running beside the new one.
      return { to, side: service[to], movesSessions: holdMs > 0, holdMs, lockOut: undefined };
    });
  }

  /** Takes the last switch of a service back: to the release that was active before it. */
  async rollback(request: RollbackRequest): Promise<SwitchAnswer> {
    return this.#runSwitch('rolled-back', request, async (service) => {
      // Getting back to safety must be possible, too, while nothing else is.
      if (!request.force) this.switching.check();
      const last = this.#lastSwitch(service.name);
      return await decideRollback(service, { request, last }, this.#parts);
    });
  }

  /** Refuses a switch of `service` to `to`. */
  checkMove(service: Service, to: Color, force: boolean): void {
    this.switching.check();
    checkLockedOut(service, to);
    checkSwitch(service, to, force, this.#parts.health);
  }

  /** Puts a release on an idle color. */
  async register(request: ChangeRequest, wanted: Registration): Promise<ChangeAnswer> {
    const what = `release ${wanted.release} registered on ${wanted.color}`;
    return this.#change(request, what, (service) =>
      registration(service, wanted, { ...this.#parts, nowMs: epochMs() }),
    );
  }

  /** Lets a release be switched to again that was locked out; undefined: that of any color. */
  async unlock(request: ChangeRequest, color: Color | undefined): Promise<ChangeAnswer> {
    return this.#change(request, 'unlocked', (service) => {
      const locked = COLORS.find((one) => service[one].lockedOut && one === (color ?? one));
      return locked && unlocked(locked);
    });
  }

  /** Runs `run` while no change runs; refused as a change would be. */
  async between<T>({ ifMatch }: Pick<ChangeRequest, 'ifMatch'>, run: () => T): Promise<T> {
    return this.#turn.take(async () => {
      if (this.#refusal) throw this.#refusal;
      checkGeneration(this.table, { ifMatch });
      return run();
    });
  }

  /** Ends drains of a service: one generation of it, or all. */
  async evict(request: ChangeRequest, generation: number | undefined): Promise<ChangeAnswer> {
    return this.#change(request, 'drains evicted', (service) =>
      eviction(service, generation, epochMs()),
    );
  }

  /** Forgets drains of which nothing is left, or whose time is up. */
  async endDrains(request: ChangeRequest, generations: ReadonlySet<number>): Promise<ChangeAnswer> {
    return this.#change(request, 'drains ended', (service) => {
      const isThere = service.draining.some((one) => generations.has(one.generation));
      return isThere ? ended(generations) : undefined;
    });
  }

  /** Lets requests wait; they go on by themselves at `hold.untilMs`. */
  async hold(request: ChangeRequest, hold: Omit<Hold, 'closesLongLived'>): Promise<ChangeAnswer> {
    return this.#change(request, 'held', () => held({ ...hold, closesLongLived: false }));
  }

  /** Lets those who wait go on. */
  async release(request: ChangeRequest): Promise<ChangeAnswer> {
    return this.#change(request, 'released', ({ hold }) =>
      hold === undefined ? undefined : held(undefined),
    );
  }

  /** Begins or ends maintenance. */
  async maintain(
    request: ChangeRequest,
    maintenance: Service['maintenance'],
  ): Promise<ChangeAnswer> {
    const what = maintenance === undefined ? 'maintenance off' : 'maintenance on';
    return this.#change(request, what, (service) => {
      const isSame = JSON.stringify(service.maintenance) === JSON.stringify(maintenance);
      return isSame ? undefined : maintained(maintenance);
    });
  }

  /** Brings another configuration into force: all of it, or nothing. */
  async reconfigure(
    request: ChangeRequest,
    decide: (table: RoutingTable) => Reconfiguration,
  ): Promise<number> {
    return this.#turn.take(async () => {
      if (this.#refusal) throw this.#refusal;
      try {
        checkGeneration(this.table, request);
        const { make, configOf, notes, onPublished } = decide(this.table);
        await this.#publisher.publish(make, (next) => {
          const services = next.services.map((service) =>
            storedService(service, this.#sinceAtMs(service.name), configOf(service.name)),
          );
          const { generation } = next;
          const fingerprint = fingerprintOf(next);
          return { generation, fingerprint, services, record: undefined, notes: notes(generation) };
        });
        request.call?.recorded();
        onPublished();
        this.#adopt();
        return this.table.generation;
      } catch (error) {
        throw this.#account.notMade(error, undefined, { request, what: 'reload' });
      }
    });
  }

  /** Takes no more changes and resolves when the running one has ended. */
  async close(): Promise<void> {
    this.#refusal = new OperatorError('stopping', 'no change is taken any more');
    await this.#turn.idle();
  }

  /** Takes no changes until `resume`, and resolves when the running one has ended. */
  async pause(): Promise<void> {
    if (this.#refusal) throw this.#refusal;
    const why = 'a new process takes over; ask again in a moment';
    this.#refusal = new OperatorError('upgrading', why);
    await this.#turn.idle();
  }

  resume(): void {
    if (this.#refusal?.code === 'upgrading') this.#refusal = undefined;
  }

  /** Takes no more changes, because what is known here may be wrong; traffic goes on. */
  freeze(error: Error): OperatorError {
    this.#refusal = new OperatorError('frozen', `${error.message}; traffic goes on, restart soon`, {
      cause: error,
    });
    return this.#refusal;
  }

  async #runSwitch(
    outcome: SwitchOutcome,
    request: ChangeRequest,
    decide: (service: Service) => Promise<Decided>,
  ): Promise<SwitchAnswer> {
    const startedMs = performance.now();
    return this.#take(request, 'switch', async (service) => {
      checkReason(request);
      const decided = await decide(service);
      if (decided.to === service.active) return this.#unchanged(service, startedMs);
      return await this.#carryOut({ ...decided, service, outcome, request, startedMs });
    });
  }

  /** Runs any change that is no switch. */
  async #change(
    request: ChangeRequest,
    what: string,
    decide: (service: Service) => Edit | undefined,
  ): Promise<ChangeAnswer> {
    return this.#take(request, what, async (service) => {
      const edit = decide(service);
      if (edit === undefined) {
        return { generation: this.table.generation, service, changed: false };
      }
      const call = callOf(request, what);
      const answer = (next: RoutingTable): ChangeAnswer =>
        changeAnswer(next.generation, findService(next, service.name));
      await this.#publish(service.name, edit, { call, answer });
      this.#adopt();
      const { generation } = this.table;
      this.#account.changed(request, { what, service: service.name, generation });
      return answer(this.table);
    });
  }

  async #carryOut(change: Change): Promise<SwitchAnswer> {
    const { service, to, side, outcome, request, holdMs } = change;
    if (holdMs > 0) await this.#quiet(service, holdMs);
    const nowMs = epochMs();
    const longLivedCount = this.#longLived(service[service.active]);
    const { movesSessions, lockOut } = change;
    const terms = { to, side, nowMs, movesSessions, longLivedCount, lockOut };
    const record = (next: number): SwitchRecord => recordOf(change, next, nowMs);
    const call = callOf(request, outcome);
    const answer = ({ generation }: RoutingTable): SwitchAnswer =>
      switchAnswer(record(generation), performance.now() - change.startedMs);
    try {
      await this.#publish(service.name, switched(terms), { call, answer, record });
    } catch (error) {
      if (holdMs > 0) await this.#letGo(service);
      throw error;
    }
    const publishedAtMs = epochMs();
    const { tookMs, ...done } = answer(this.table);
    this.#adopt();
    this.#account.switched(record(this.table.generation), tookMs);
    return { ...done, publishedAtMs, tookMs };
  }

  /** Lets requests wait until the others have ended; if they do not, traffic stays as it was. */
  async #quiet(service: Service, holdMs: number): Promise<void> {
    const untilMs = epochMs() + holdMs;
    // Should the publication take its time, nobody may go on before it.
    const goOnMs = untilMs + PREPARE_TIMEOUT_MS;
    const hold: Hold = { methods: 'all', untilMs: goOnMs, closesLongLived: true };
    await this.#publish(service.name, held(hold), {});
    try {
      await this.#publisher.adopt();
      const blocks = [service[service.active], ...service.draining.map(({ side }) => side)];
      await quietUntil(
        this.#parts.totals,
        blocks.map(({ block }) => block),
        untilMs,
      );
    } catch (error) {
      await this.#letGo(service);
      throw error;
    }
  }

  /** Ends a hold of ours after a failure, which is what the operator is told; his own goes on. */
  async #letGo({ name, hold }: Service): Promise<void> {
    const own = hold !== undefined && hold.untilMs > epochMs() ? hold : undefined;
    await this.#publish(name, held(own), {}).catch((cause: unknown) => {
      this.#parts.log.error({ err: cause }, 'requests wait until the hold ends by itself');
    });
    this.#adopt();
  }

  async #publish(name: string, edit: Edit, { call, answer, record }: Remembered): Promise<void> {
    await this.#publisher.publish(
      (generation) => edited(this.table, generation, name, edit),
      (next) => {
        const service = findService(next, name);
        const made = record?.(next.generation);
        const sinceAtMs = made?.atMs ?? this.#sinceAtMs(name);
        const stored = storedService(service, sinceAtMs, this.#parts.configOf(name)!);
        const { generation } = next;
        const fingerprint = fingerprintOf(next);
        const notes = answer && call?.changeNotes(answer(next));
        return { generation, fingerprint, services: [stored], record: made, notes };
      },
    );
    call?.recorded();
  }

  /** What no answer waits for. */
  #adopt(): void {
    this.#publisher.adopt().catch((error: unknown) => {
      this.#parts.log.warn({ err: error }, 'a worker is late to go by the new table');
    });
  }

  /** Takes its turn, then checks what every change must be checked for. */
  async #take<T>(
    request: ChangeRequest,
    what: string,
    run: (service: Service) => Promise<T>,
  ): Promise<T> {
    return this.#turn.take(async () => {
      if (this.#refusal) throw this.#refusal;
      let service: Service | undefined;
      try {
        service = findService(this.table, request.service);
        checkGeneration(this.table, request);
        return await run(service);
      } catch (error) {
        throw this.#account.notMade(error, service, { request, what });
      }
    });
  }

  #unchanged(service: Service, startedMs: number): SwitchAnswer {
    const { name, active } = service;
    const { generation } = this.table;
    const { release } = service[active];
    const atMs = this.#sinceAtMs(name);
    const record = { generation, service: name, from: active, to: active, release, atMs };
    return { ...switchAnswer(record, performance.now() - startedMs), changed: false };
  }

  #longLived({ block }: Side): number {
    const { totals } = this.#parts;
    return totals.blockSlot(block, BLOCK.tunnels) + totals.blockSlot(block, BLOCK.streams);
  }

  #sinceAtMs(name: string): number {
    return this.#parts.store.load().services.get(name)?.sinceAtMs ?? epochMs();
  }

  #lastSwitch(service: string): SwitchRecord | undefined {
    return this.#parts.store.history({ service, limit: 1 })[0];
  }
}
