// What a worker does for the deployments that drain. Each goes through the same stages:
//
//   began          connections without a session are closed, as the policy of the service says
//   sessions over  so are all others
//   requests over  requests that still run are cut
//   end            and so is everything else
//
// A deployment that comes back into service keeps what was not closed yet. Targets that leave their deployment go
// through the same stages, but sessions do not keep them: what has a session goes on at the others.

import { isDeepStrictEqual } from 'node:util';
import { unreachable } from '../../base/assert.ts';
import { DECISION } from '../../contract/counters.ts';
import type { Endpoint } from '../../contract/table.ts';
import { Timer, type TimerOwner, type Wheel } from '../base/wheel.ts';
import type { DrainOrder, LeavingTargets, RouteTable } from '../routing/table/route-table.ts';
import { ClosingPace, type Closable, type Pace, type PaceKey } from './closing-pace.ts';

/** One request, as drains see it. */
export interface DrainedExchange extends Closable {
  /** Counter block of its deployment. */
  readonly block: number;
  readonly hasSession: boolean;
  /** Why it went there; index into DECISIONS. */
  readonly reason: number;
  readonly isLongLived: boolean;
  /** Of the target that it was sent to. */
  readonly pool?: { readonly endpoint: Pick<Endpoint, 'deployment' | 'url'> } | undefined;
  cutByDrain(): void;
}

/** One client connection, as drains see it. */
interface DrainedClient {
  /** What runs there now. */
  readonly exchange: DrainedExchange | undefined;
  readonly reconnect: {
    /** If `block` served the client last, it reconnects after `afterMs`; undefined: it may stay. */
    plan(block: number, afterMs: number | undefined): void;
  };
}

/** What drains know of their worker. */
export interface DrainHost {
  readonly wheel: Wheel;
  readonly workerCount: number;
  clients(): Iterable<DrainedClient>;
  /** Reports an error of ours that was caught. */
  contained(error: unknown): void;
}

/** Stands for every block once the worker stops. */
const ALL = -1;

type Stage = 'began' | 'sessions-over' | 'requests-over' | 'end';

export class Drains {
  readonly #host: DrainHost;
  readonly #pace = new ClosingPace();
  /** By `keyOf` their orders. */
  readonly #running = new Map<PaceKey, Drain>();
  /** On the clock of `performance.now()`, once the worker stops: when all are to be closed. */
  #allClosedAtMs: number | undefined;

  constructor(host: DrainHost) {
    this.#host = host;
  }

  /** Begins, goes on with and ends drains as `table` says. */
  follow({ drains, services }: RouteTable): void {
    const wanted = new Map(drains.map((order) => [keyOf(order), order]));
    const active = new Set(services.map((service) => service.active.block));
    for (const [key, drain] of this.#running) {
      const order = wanted.get(key);
      const { block, leaving } = drain.order;
      if (leaving !== undefined) this.#comeBack(drain, leaving, services);
      if (order !== undefined && isSame(order, drain.order)) continue;
      // The table has no such drain any more: nothing was left on the deployment when it was made, or the
      // service is gone. Requests that came in meanwhile keep the time that the drain gave to all.
      const isActive = leaving === undefined && active.has(block);
      const isDropped = order === undefined && !isActive;
      const isBack = drain.order.leaving?.urls.size === 0;
      if (isDropped && !drain.isOver && !isBack) continue;
      drain.stop();
      this.#running.delete(key);
      this.#pace.cancel(key);
      if (order !== undefined) continue;
      if (isActive) this.#stay(block);
      else this.#cutAll(drain.order);
    }
    for (const [key, order] of wanted) {
      if (!this.#running.has(key)) {
        this.#running.set(
          key,
          new Drain(order, this.#host, (now, stage) => this.#enter(now, stage)),
        );
      }
    }
  }

  /** Targets that leave may be wanted again: what runs there stays. */
  #comeBack(drain: Drain, { deployment, urls }: LeavingTargets, services: Services): void {
    const back = new Set(
      services
        .flatMap(({ deployments }) => deployments)
        .filter(({ number }) => number === deployment)
        .flatMap(({ endpoints }) => endpoints.map(({ url }) => url)),
    );
    const left = new Set([...urls].filter((url) => !back.has(url)));
    if (left.size === urls.size) return;
    drain.order = { ...drain.order, leaving: { deployment, urls: left } };
    this.#pace.cancel(keyOf(drain.order), (closable) => {
      return !isMeant(closable as DrainedExchange, drain.order);
    });
  }

  /**
   * A tunnel or event stream has begun. Where its deployment drains already, because the response to an
   * earlier request came late, it is closed within what is left of the time of the others.
   */
  join(exchange: DrainedExchange): void {
    if (this.#allClosedAtMs !== undefined) {
      const leftMs = Math.max(0, this.#allClosedAtMs - performance.now());
      this.#closeLater(ALL, exchange, { longLived: 'spread', windowMs: leftMs });
      return;
    }
    const order = this.#orderFor(exchange);
    if (order === undefined) return;
    if (order.leaving === undefined && !isFromBefore(exchange)) return;
    const { longLived, startedAtMs, sessionsUntilMs, streamsMs } = order;
    const { wall } = this.#host.wheel;
    const areSessionsOver = wall.untilMs(sessionsUntilMs) === 0;
    if (exchange.hasSession && !areSessionsOver) return;
    const sinceMs = areSessionsOver ? sessionsUntilMs : startedAtMs;
    const windowMs = wall.untilMs(sinceMs + streamsMs);
    this.#closeLater(keyOf(order), exchange, { longLived, windowMs });
  }

  #orderFor(exchange: DrainedExchange): DrainOrder | undefined {
    for (const { order } of this.#running.values()) {
      if (order.leaving !== undefined && isMeant(exchange, order)) return order;
    }
    return this.#running.get(exchange.block)?.order;
  }

  /** The worker stops: closes every tunnel and event stream, at random moments within `windowMs`. */
  closeAll(windowMs: number): void {
    this.stop();
    this.#allClosedAtMs = performance.now() + windowMs;
    const found: DrainedExchange[] = [];
    for (const { exchange } of this.#host.clients()) {
      if (exchange?.isLongLived === true) found.push(exchange);
    }
    this.#pace.add(ALL, found, { longLived: 'spread', windowMs, closesPerSecond: 0 });
  }

  stop(): void {
    this.#pace.stop();
    for (const drain of this.#running.values()) drain.stop();
    this.#running.clear();
  }

  #closeLater(key: PaceKey, exchange: DrainedExchange, pace: Omit<Pace, 'closesPerSecond'>): void {
    // Its head, and what came with that, are still on their way to the client.
    queueMicrotask(() => this.#pace.add(key, [exchange], { ...pace, closesPerSecond: 0 }));
  }

  #enter(order: DrainOrder, stage: Stage): void {
    switch (stage) {
      case 'began':
        this.#close(order, false);
        this.#reconnect(order);
        break;
      case 'sessions-over':
        this.#pace.cancel(keyOf(order));
        this.#close(order, true);
        break;
      case 'requests-over':
        for (const client of this.#host.clients()) {
          const exchange = exchangeOf(client, order);
          if (exchange !== undefined && isPlain(exchange, order)) cut(exchange);
        }
        break;
      case 'end':
        this.#cutAll(order);
        break;
      default:
        unreachable(stage);
    }
  }

  #close(order: DrainOrder, withSessions: boolean): void {
    const { longLived, streamsMs, closesPerSecond } = order;
    const found = [];
    for (const client of this.#host.clients()) {
      const exchange = exchangeOf(client, order);
      if (exchange?.isLongLived !== true) continue;
      if (withSessions || !exchange.hasSession) found.push(exchange);
    }
    this.#pace.add(keyOf(order), found, {
      longLived,
      windowMs: streamsMs,
      closesPerSecond: closesPerSecond / this.#host.workerCount,
    });
  }

  /** Clients that were served by the block open a new connection, each at its own moment. */
  #reconnect({ block, leaving, longLived, streamsMs }: DrainOrder): void {
    // The deployment goes on: a client of it loses nothing by its connection.
    if (leaving !== undefined || longLived === 'linger') return;
    for (const client of this.#host.clients()) {
      client.reconnect.plan(block, longLived === 'cut' ? 0 : Math.random() * streamsMs);
    }
  }

  #stay(block: number): void {
    for (const client of this.#host.clients()) client.reconnect.plan(block, undefined);
  }

  #cutAll(order: DrainOrder): void {
    for (const client of this.#host.clients()) {
      const exchange = exchangeOf(client, order);
      if (exchange === undefined) continue;
      if (exchange.isLongLived || isPlain(exchange, order)) cut(exchange);
    }
  }
}

type Services = RouteTable['services'];

/** Differs for all orders of a table. */
function keyOf({ block, leaving, startedAtMs }: DrainOrder): PaceKey {
  return leaving === undefined ? block : `${leaving.deployment} since ${startedAtMs}`;
}

function exchangeOf({ exchange }: DrainedClient, order: DrainOrder): DrainedExchange | undefined {
  return exchange !== undefined && isMeant(exchange, order) ? exchange : undefined;
}

function isMeant({ block, pool }: DrainedExchange, order: DrainOrder): boolean {
  const { leaving } = order;
  const endpoint = pool?.endpoint;
  if (leaving === undefined) return block === order.block;
  return endpoint?.deployment === leaving.deployment && leaving.urls.has(endpoint.url);
}

/** An error in one must not keep the others open. */
function cut(exchange: DrainedExchange): void {
  try {
    exchange.cutByDrain();
  } catch (error) {
    exchange.onFault(error);
  }
}

/** A request that ends by itself; at a target that leaves, all of them are from before. */
function isPlain(exchange: DrainedExchange, { leaving }: DrainOrder): boolean {
  return !exchange.isLongLived && (leaving !== undefined || isFromBefore(exchange));
}

/** Was sent there as new traffic, or by its session; not by preview or release id. */
function isFromBefore({ reason }: DrainedExchange): boolean {
  return reason === DECISION.active || reason === DECISION.session || reason === DECISION.split;
}

/** Walks one drain through its stages by the wheel. */
class Drain implements TimerOwner {
  /** Only the targets in it may become fewer. */
  order: DrainOrder;
  readonly #host: DrainHost;
  readonly #enter: (order: DrainOrder, stage: Stage) => void;
  readonly #timer = new Timer(this);
  /** What is still to come, with its time on the wheel. */
  readonly #ahead: { readonly stage: Stage; readonly atMs: number }[];

  constructor(
    order: DrainOrder,
    host: DrainHost,
    enter: (order: DrainOrder, stage: Stage) => void,
  ) {
    this.order = order;
    this.#host = host;
    this.#enter = enter;
    const { wheel } = host;
    // A stage that came early would send the tunnels of a session back to the deployment they are on.
    const nowMs = wheel.nowMs() + wheel.behindMs();
    const at = (epochMs: number): number => nowMs + wheel.wall.untilMs(epochMs);
    this.#ahead = [
      { stage: 'began', atMs: at(order.startedAtMs) },
      { stage: 'sessions-over', atMs: at(order.sessionsUntilMs) },
      { stage: 'requests-over', atMs: at(order.requestsUntilMs) },
      { stage: 'end', atMs: at(order.endsAtMs) },
    ];
    this.#advance();
  }

  /** Its last stage has come. */
  get isOver(): boolean {
    return this.#ahead.length === 0;
  }

  onDeadline(): void {
    this.#advance();
  }

  onFault(error: unknown): void {
    this.#host.contained(error);
  }

  stop(): void {
    this.#host.wheel.remove(this.#timer);
    this.#ahead.length = 0;
  }

  #advance(): void {
    const nowMs = this.#host.wheel.nowMs();
    for (let next = this.#ahead[0]; next !== undefined; next = this.#ahead[0]) {
      if (next.atMs > nowMs) {
        if (next.atMs < Infinity) this.#host.wheel.arm(this.#timer, next.atMs - nowMs);
        return;
      }
      this.#ahead.shift();
      try {
        this.#enter(this.order, next.stage);
      } catch (error) {
        this.onFault(error); // The later stages come all the same.
      }
    }
  }
}

function isSame(a: DrainOrder, b: DrainOrder): boolean {
  return (
    a.longLived === b.longLived &&
    a.startedAtMs === b.startedAtMs &&
    a.sessionsUntilMs === b.sessionsUntilMs &&
    a.requestsUntilMs === b.requestsUntilMs &&
    a.endsAtMs === b.endsAtMs &&
    isDeepStrictEqual(a.leaving, b.leaving)
  );
}
