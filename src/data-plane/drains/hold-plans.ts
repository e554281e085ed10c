// What becomes of requests that still run when their service is held or goes into maintenance. A
// hold that waits for quiet cuts, at half of its time, those that their clients keep running: one
// slow client must not keep all others waiting in vain. One that closes ends uploads at once. What
// tunnels and event streams have to do is decided in drains.ts.

import type { FailureCode } from '../../base/failures.ts';
import type { Progress } from '../base/progress.ts';
import { Timer, type TimerOwner } from '../base/wheel.ts';
import type { HoldOrder, RouteTable } from '../routing/table/route-table.ts';
import type { DrainedExchange, DrainHost } from './drains.ts';
import { isTooSlow } from './slowness.ts';

/** One request, as a hold sees it. */
export interface AwaitedExchange extends DrainedExchange {
  readonly progress: Progress;
  /** Ends with a response of our own, or by cutting one that has begun. */
  fail(code: FailureCode): void;
}

/** What holds know of their worker. */
export interface HoldHost extends Pick<DrainHost, 'wheel' | 'contained'> {
  clients(): Iterable<{ readonly exchange: AwaitedExchange | undefined }>;
}

/** A rate that was measured for less than this says nothing. */
const MEASURED_MS_MIN = 500;

export class HoldPlans {
  readonly #host: HoldHost;
  /** By service. */
  readonly #running = new Map<string, HoldPlan>();

  constructor(host: HoldHost) {
    this.#host = host;
  }

  /** Begins, goes on with and ends the plans of the holds in `table`. */
  follow({ holds }: RouteTable): void {
    const wanted = new Map(holds.map((order) => [order.service, order]));
    for (const [service, plan] of this.#running) {
      const order = wanted.get(service);
      if (order !== undefined && isSame(order, plan.order)) continue;
      plan.stop();
      this.#running.delete(service);
    }
    for (const [service, order] of wanted) {
      if (!this.#running.has(service)) this.#running.set(service, new HoldPlan(order, this.#host));
    }
  }

  stop(): void {
    for (const plan of this.#running.values()) plan.stop();
    this.#running.clear();
  }
}

/** The plan of one hold, from the moment at which this worker goes by it. */
class HoldPlan implements TimerOwner {
  readonly order: HoldOrder;
  readonly #host: HoldHost;
  readonly #timer = new Timer(this);
  readonly #startedMs = performance.now();
  /** What each request had moved when the hold began. */
  readonly #moved = new Map<AwaitedExchange, number>();

  constructor(order: HoldOrder, host: HoldHost) {
    this.order = order;
    this.#host = host;
    const { quiet } = order;
    if (quiet === undefined) {
      this.#cut('CLOSED_BY_HOLD', ({ progress }) => progress.waitsFor === 'upload');
      return;
    }
    for (const exchange of this.#awaited()) this.#moved.set(exchange, exchange.progress.movedBytes);
    const halfMs = host.wheel.wall.untilMs((quiet.fromMs + quiet.byMs) / 2);
    host.wheel.arm(this.#timer, Math.max(MEASURED_MS_MIN, halfMs));
  }

  onDeadline(): void {
    const elapsedMs = performance.now() - this.#startedMs;
    const restMs = this.#host.wheel.wall.untilMs(this.order.quiet!.byMs);
    this.#cut('CLIENT_TOO_SLOW', (exchange) => {
      const { progress } = exchange;
      const movedBytes = progress.movedBytes - (this.#moved.get(exchange) ?? 0);
      return isTooSlow(progress, { movedBytes, elapsedMs, restMs });
    });
    this.#moved.clear();
  }

  onFault(error: unknown): void {
    this.#host.contained(error);
  }

  stop(): void {
    this.#host.wheel.remove(this.#timer);
    this.#moved.clear();
  }

  /** An error in one must not keep the others running. */
  #cut(code: FailureCode, isMeant: (exchange: AwaitedExchange) => boolean): void {
    for (const exchange of this.#awaited()) {
      try {
        if (isMeant(exchange)) exchange.fail(code);
      } catch (error) {
        exchange.onFault(error);
      }
    }
  }

  #awaited(): AwaitedExchange[] {
    const awaited: AwaitedExchange[] = [];
    for (const { exchange } of this.#host.clients()) {
      const isMeant = exchange !== undefined && this.order.blocks.has(exchange.block);
      if (isMeant && !exchange.isLongLived) awaited.push(exchange);
    }
    return awaited;
  }
}

function isSame(a: HoldOrder, b: HoldOrder): boolean {
  const isAlike = a.quiet?.fromMs === b.quiet?.fromMs && a.quiet?.byMs === b.quiet?.byMs;
  return (
    isAlike && a.blocks.size === b.blocks.size && [...a.blocks].every((one) => b.blocks.has(one))
  );
}
