// Keeps switches that were ordered for later, and has each made when it is due, as its caller would
// make it then: by the same checks, in the name of the same actor. What is due while no process runs is
// made by the next one, but not after its grace. How a switch is made is known elsewhere.

import { epochMs } from '../../base/clock.ts';
import { durationText } from '../../base/duration.ts';
import {
  SCHEDULE_AHEAD_MAX_MS,
  ORDERS_PENDING_MAX,
  REASON_CHARS_MAX,
} from '../../api/api-limits.ts';
import type { ScheduledOrder } from '../../api/scheduled.ts';
import { parseTrafficPlan } from '../../config/values/traffic-plan.ts';
import { callOf, type CallEnd } from '../audit/call.ts';
import type { Log } from '../base/log.ts';
import { messageOf, OperatorError } from '../base/problems.ts';
import type { Timers } from '../base/timers.ts';
import { checkReason, findService, type SwitchRequest } from '../deployments/change-request.ts';
import type { FreezeWindows } from '../freezes/calendar.ts';
import { checkWindows } from '../switching/checks/switching-freeze.ts';
import type { ScheduleStore, StoredOrder } from '../store/schedule-store.ts';
import type { Switchboard } from '../switching/switchboard.ts';
import { orderEvents, orderView, timeOf } from './order-view.ts';
import { checkMeant, moveIn, parseOrder, printOrder, type Order, type OrderEnd } from './order.ts';

/** A switch, and how its traffic moves. */
interface SwitchTerms extends SwitchRequest, Pick<Order, 'plan' | 'bakeMs' | 'guard'> {}

export interface WantedOrder extends SwitchTerms {
  /** Instead of `service`. */
  readonly services: readonly string[] | undefined;
  readonly atMs: number;
  readonly graceMs: number;
}

/** What an actor may still do: by the token that ordered it. */
interface TokenWatch {
  /** Returns the token in use that has this name; undefined: it is no token. */
  named(
    actor: string,
  ): { readonly id: string; readonly expiresAtMs: number | undefined } | undefined;
  /** Returns why a token is good no more; undefined: it is. */
  whyOver(id: string): string | undefined;
}

export interface SchedulerParts {
  readonly board: Pick<Switchboard, 'table' | 'states' | 'between' | 'refusal'>;
  /** Another one after an upgrade that was called off. */
  readonly store: () => ScheduleStore;
  /** Makes a switch now, of `services` or of the one that the terms name. */
  readonly carryOut: (
    services: readonly string[] | undefined,
    terms: SwitchTerms,
  ) => Promise<{ readonly generation: number }>;
  readonly tokens: TokenWatch;
  readonly windows: FreezeWindows;
  /** Something was told, and is stored: see `Store.events`. */
  readonly onTold: () => void;
  readonly timers: Timers;
  readonly log: Log;
}

/** The clock of the system may jump meanwhile. */
const LOOK_AT_LEAST_EVERY_MS = 10_000;
/** A switch that could not be made for now is tried again, within its grace. */
const RETRY_MS = 1_000;

export class Scheduler {
  readonly #parts: SchedulerParts;
  #cancel: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #isStopped = true;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#isStopped = false;
    this.#lookSoon();
  }

  /** Begins nothing any more; what has begun goes on. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** Resolves when what has begun is over. */
  async settled(): Promise<void> {
    await this.#looking?.catch(() => {}); // The next process finds it as it was.
  }

  /** Takes an order; what would refuse it already now refuses it. */
  async order(wanted: WantedOrder): Promise<{ generation: number; scheduled: ScheduledOrder }> {
    const { board, tokens, windows } = this.#parts;
    const store = this.#parts.store();
    const { services, service, to, atMs, graceMs, actor, call, plan, bakeMs, guard } = wanted;
    const { holdMs, migrate, force, reason } = wanted;
    checkReason(wanted);
    checkTime(atMs, epochMs());
    checkPlan(plan);
    const answer = await board.between(wanted, async () => {
      const names = (services ?? [service]).map((name) => findService(board.table, name).name);
      const moves = names.map((name) => moveIn(board.states.get(name)!, to));
      if (!force) for (const name of names) checkWindows(name, windows(name).flat(), atMs);
      const token = tokens.named(actor);
      checkLife(actor, token?.expiresAtMs, atMs);
      if (store.pending().length >= ORDERS_PENDING_MAX) throw tooMany();
      const order: Order = {
        moves,
        to,
        isOfSeveral: services !== undefined,
        graceMs,
        holdMs,
        migrate,
        force,
        reason,
        plan,
        bakeMs,
        guard,
        actor,
        tokenId: token?.id ?? '',
        orderedAtMs: epochMs(),
      };
      const { epoch: generation } = board.table;
      const told = (id: string) => ({
        generation,
        scheduled: orderView({ id, state: '', atMs, endedAtMs: undefined }, order),
      });
      const made = callOf({ ...wanted, service: names.join(', ') }, 'schedule a switch');
      const id = await store.add({ state: printOrder(order), atMs }, (given) => {
        const body = JSON.stringify(told(given));
        const notes = made.notes({ outcome: 'done', status: 202, generation, body });
        return { ...notes, events: orderEvents(told(given).scheduled, epochMs()) };
      });
      call?.recorded();
      return told(id);
    });
    const { id, at } = answer.scheduled;
    this.#parts.onTold();
    this.#parts.log.info({ id, at, actor, reason }, `${actor} has ordered a switch for ${at}`);
    this.#lookSoon();
    return answer;
  }

  /** Takes an order back that is not carried out yet. */
  async cancel(
    request: Pick<SwitchRequest, 'actor' | 'reason' | 'call' | 'ifMatch'>,
    id: string,
    only: readonly string[] | undefined,
  ): Promise<{ generation: number; scheduled: ScheduledOrder }> {
    const { board } = this.#parts;
    await this.settled(); // What has begun is told as it ended.
    return await board.between(request, async () => {
      const found = this.#found(id, only);
      if (found.order.end !== undefined) {
        const { outcome, detail } = found.order.end;
        throw new OperatorError('scheduled-over', `${id} is over: ${outcome}, ${detail}`);
      }
      const { epoch: generation } = board.table;
      const { actor, reason } = request;
      const end = { outcome: 'cancelled', code: '', detail: reason, actor, generation } as const;
      const order = { ...found.order, end };
      const stored = { ...found.stored, state: printOrder(order), endedAtMs: epochMs() };
      const answer = { generation, scheduled: orderView(stored, order) };
      const service = order.moves.map((one) => one.service).join(', ');
      const body = JSON.stringify(answer);
      const call = callOf({ ...request, service }, `cancel ${id}`);
      const notes = call.notes({ outcome: 'done', status: 200, generation, body }, service);
      const events = orderEvents(answer.scheduled, epochMs());
      await this.#parts.store().save(stored, { ...notes, events });
      request.call?.recorded();
      this.#parts.onTold();
      this.#parts.log.info({ id, actor, reason }, `${actor} has taken the order ${id} back`);
      return answer;
    });
  }

  /** Returns what is ordered, and what was, for callers that may know of `only`; undefined: all. */
  list(
    only: readonly string[] | undefined,
    limit: number,
  ): { pending: ScheduledOrder[]; over: ScheduledOrder[] } {
    const store = this.#parts.store();
    const seen = (all: readonly StoredOrder[]): ScheduledOrder[] =>
      all.flatMap((stored) => {
        const order = parseOrder(stored.state);
        return order !== undefined && isSeen(order, only) ? [orderView(stored, order)] : [];
      });
    return { pending: seen(store.pending()), over: seen(store.over(limit)) };
  }

  /** Carries out what is due. Resolves when that is over. */
  async look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => (this.#looking = undefined));
    await this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const { board, store: open } = this.#parts;
    for (;;) {
      // Another process is in charge, or will be: it finds the same orders.
      if (this.#isStopped || board.refusal !== undefined) return;
      const [first] = open().pending();
      if (first === undefined || first.atMs > epochMs()) return;
      const order = parseOrder(first.state);
      if (order === undefined) {
        await this.#end(first, UNREADABLE, refusedEnd('internal', 'the order cannot be read'));
        continue;
      }
      const ending = await this.#carryOut(first, order);
      if (ending === undefined) return;
      await this.#end(first, order, ending);
    }
  }

  /** Returns how it ended; undefined: it is to be tried again. */
  async #carryOut({ id, atMs }: StoredOrder, order: Order): Promise<OrderEnd | undefined> {
    const { board, carryOut, tokens, log } = this.#parts;
    const lateMs = epochMs() - atMs;
    if (lateMs > order.graceMs) {
      const late = `due at ${timeOf(atMs)}, ${durationText(lateMs)} ago; its grace was ${durationText(order.graceMs)}`;
      return { ...refusedEnd('scheduled-late', late), outcome: 'expired' };
    }
    const { epoch } = board.table;
    try {
      const over = order.tokenId === '' ? undefined : tokens.whyOver(order.tokenId);
      if (over !== undefined) {
        throw new OperatorError('forbidden', `the token ${order.actor} ${over}`);
      }
      for (const meant of order.moves) {
        const name = findService(board.table, meant.service).name;
        checkMeant(board.states.get(name)!, order, meant);
      }
      const { generation } = await carryOut(...asked(id, order, epoch));
      return { outcome: 'done', code: '', detail: '', actor: order.actor, generation };
    } catch (error) {
      if (!(error instanceof OperatorError)) log.error({ err: error, id }, 'an order has failed');
      const { code, status } =
        error instanceof OperatorError ? error : ({ code: 'internal', status: 500 } as const);
      // Another change came in between, or it cannot be made just now.
      if (code === 'generation-mismatch' || PASSING.has(code)) {
        log.warn({ id, code }, `${id} is tried again: ${messageOf(error)}`);
        return undefined;
      }
      return {
        ...refusedEnd(code, messageOf(error)),
        outcome: status >= 500 ? 'failed' : 'refused',
      };
    }
  }

  async #end(stored: StoredOrder, order: Order, ending: OrderEnd): Promise<void> {
    const { board, log } = this.#parts;
    const { id } = stored;
    const generation = ending.generation || board.table.epoch;
    const end = { ...ending, generation };
    const { outcome, code, detail } = end;
    const service = order.moves.map((one) => one.service).join(', ');
    const call = callOf({ actor: order.actor, reason: order.reason, service }, `scheduled ${id}`);
    const notes = call.notes({ ...AUDITED[outcome], generation, code, detail });
    const state = order === UNREADABLE ? stored.state : printOrder({ ...order, end });
    const ended = { ...stored, state, endedAtMs: epochMs() };
    const events = orderEvents(orderView(ended, { ...order, end }), epochMs());
    await this.#parts.store().save(ended, { ...notes, events });
    this.#parts.onTold();
    const fields = { id, service, actor: order.actor, outcome, code };
    if (outcome === 'done') log.info(fields, `${id} was carried out as ordered`);
    else log.error(fields, `${id} WAS NOT CARRIED OUT (${outcome}): ${detail}`);
  }

  #found(id: string, only: readonly string[] | undefined) {
    const stored = this.#parts.store().find(id);
    const order = stored && parseOrder(stored.state);
    if (stored === undefined || order === undefined || !isSeen(order, only)) {
      throw new OperatorError('scheduled-unknown', `no switch is ordered under ${id}`);
    }
    return { stored, order };
  }

  #lookSoon(): void {
    if (this.#isStopped) return;
    this.#cancel?.();
    this.#cancel = this.#parts.timers.after(this.#waitMs(), () => void this.#lookAndWait());
  }

  async #lookAndWait(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      // The store can't be read or written for now: nothing is lost, all is tried again.
      this.#parts.log.warn({ err: error }, 'orders for later could not be looked at');
    }
    this.#lookSoon();
  }

  #waitMs(): number {
    try {
      const [first] = this.#parts.store().pending();
      if (first === undefined) return LOOK_AT_LEAST_EVERY_MS;
      const inMs = first.atMs - epochMs();
      return Math.min(Math.max(inMs, inMs > 0 ? 1 : RETRY_MS), LOOK_AT_LEAST_EVERY_MS);
    } catch {
      return LOOK_AT_LEAST_EVERY_MS;
    }
  }
}

/** What may be otherwise in a moment. */
const PASSING: ReadonlySet<string> = new Set(
  'busy upgrading stopping store-failed workers-not-ready outcome-unknown called-off'.split(' '),
);

const AUDITED: Readonly<Record<OrderEnd['outcome'], Pick<CallEnd, 'outcome' | 'status'>>> = {
  done: { outcome: 'done', status: 200 },
  refused: { outcome: 'refused', status: 409 },
  failed: { outcome: 'failed', status: 500 },
  expired: { outcome: 'refused', status: 409 },
  cancelled: { outcome: 'done', status: 200 },
};

/** Stands for one that another version has written. */
const UNREADABLE: Order = {
  moves: [],
  isOfSeveral: false,
  graceMs: 0,
  holdMs: 0,
  force: false,
  reason: '',
  actor: 'turnout',
  tokenId: '',
  orderedAtMs: 0,
};

/** Returns what is asked for when an order is due. */
function asked(
  id: string,
  order: Order,
  epoch: number,
): readonly [services: readonly string[] | undefined, terms: SwitchTerms] {
  const { moves, to, isOfSeveral, holdMs, migrate, force, reason, plan, bakeMs, guard } = order;
  const { actor } = order;
  const why = `${id}${reason === '' ? '' : `: ${reason}`}`.slice(0, REASON_CHARS_MAX);
  const [first] = moves;
  const terms = {
    holdMs,
    migrate,
    force,
    reason: why,
    plan,
    bakeMs,
    guard,
    actor,
    ifMatch: [epoch],
  };
  if (isOfSeveral)
    return [moves.map(({ service }) => service), { ...terms, service: undefined, to }];
  return [undefined, { ...terms, service: first?.service, to: first?.deployment }];
}

function refusedEnd(code: string, detail: string): OrderEnd {
  return { outcome: 'refused', code, detail, actor: 'turnout', generation: 0 };
}

function checkPlan(plan: string | undefined): void {
  const parsed = plan === undefined ? undefined : parseTrafficPlan(plan);
  if (parsed?.ok === false) throw new OperatorError('plan-invalid', parsed.problem);
}

function checkTime(atMs: number, nowMs: number): void {
  if (atMs > nowMs && atMs <= nowMs + SCHEDULE_AHEAD_MAX_MS) return;
  const expected = `a time from now on, at most ${durationText(SCHEDULE_AHEAD_MAX_MS)} ahead`;
  const now = timeOf(nowMs);
  throw new OperatorError(
    'body-invalid',
    `at: expected ${expected}, got ${timeOf(atMs)}; it is ${now}`,
  );
}

/** It would be refused when it is due. */
function checkLife(actor: string, expiresAtMs: number | undefined, atMs: number): void {
  if (expiresAtMs === undefined || expiresAtMs > atMs) return;
  throw new OperatorError(
    'forbidden',
    `the token ${actor} expires at ${timeOf(expiresAtMs)}, before ${timeOf(atMs)}`,
  );
}

function tooMany(): OperatorError {
  return new OperatorError(
    'too-many-scheduled',
    `${ORDERS_PENDING_MAX} switches are ordered already: cancel one of them first`,
  );
}

function isSeen({ moves }: Order, only: readonly string[] | undefined): boolean {
  return moves.every(({ service }) => only?.includes(service) ?? true);
}
