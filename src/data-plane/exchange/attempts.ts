// The attempts of one request: which endpoint gets it, when another one is tried after a failure,
// and when another side is asked because the first lacks a file. Knows no socket, and not how the
// request ends when there is nothing left to try.

import type { FailureCode } from '../../base/failures.ts';
import { RETRIES_MAX } from '../../base/limits.ts';
import { DECISION } from '../../contract/counters.ts';
import type { ResponseHead } from '../../http/response-head.ts';
import type { RoutedService } from '../routing/routed-service.ts';
import type { TargetPool } from '../transport/transport.ts';
import type { Exchange } from './exchange.ts';
import type { ExchangeServices } from './exchange-services.ts';
import { nextPool, pickPool } from './pick.ts';

/** Sends the request by `pool`, or lets it wait for a connection; `fresh` asks for a new one. */
export function dispatch(
  exchange: Exchange,
  services: ExchangeServices,
  pool: TargetPool,
  fresh: boolean,
): void {
  const { request } = exchange;
  exchange.pool = pool;
  services.tally.endpointBusy(pool.endpoint.slot, 1);
  if (!pool.serve(request, fresh)) exchange.fail('POOL_FULL');
  else if (request.stream === undefined && !exchange.isOver) request.queue();
}

/** The endpoint leaves while the request waits for a connection to it: another one gets it. */
export function sendElsewhere(exchange: Exchange, services: ExchangeServices): void {
  exchange.request.leaveQueue();
  dispatch(exchange, services, nextPool(exchange, services), false);
}

/** An attempt has failed by `code`: makes another where that can do no harm, or fails. */
export function retryOrFail(
  exchange: Exchange,
  services: ExchangeServices,
  mayRetry: boolean,
  code: FailureCode,
): void {
  if (!mayRetry || exchange.retries >= RETRIES_MAX) {
    exchange.fail(code);
    return;
  }
  exchange.retries++;
  services.tally.retried(exchange.block);
  dispatch(exchange, services, nextPool(exchange, services), true);
}

/** Tells whether the response is not wanted, because another side is to be asked. */
export function isUnwanted(
  exchange: Exchange,
  services: ExchangeServices,
  service: RoutedService,
  head: ResponseHead,
): boolean {
  const isMissing = head.status === 404 && exchange.isRescuable && !exchange.response.isHeadSent;
  exchange.rescuer = isMissing ? services.rescuerOf(service) : undefined;
  return exchange.rescuer !== undefined;
}

/** Asks the other side, once. */
export function askElsewhere(exchange: Exchange, services: ExchangeServices): void {
  const { tally } = services;
  const from = exchange.side;
  const to = exchange.rescuer!;
  exchange.isRescuable = false;
  exchange.side = to;
  exchange.reason = DECISION.rescue;
  // A file that caches may keep is no place for a session.
  exchange.sessionField = '';
  const { head } = exchange.request;
  exchange.request.head = head.slice(0, -from.requestEnding.length) + to.requestEnding;
  tally.requestMoved(from.block, to.block);
  tally.endpointBusy(exchange.pool!.endpoint.slot, -1);
  exchange.pool = undefined;
  const pool = pickPool(to.pools, undefined, services);
  if (pool === undefined) exchange.fail('RESCUE_FAILED');
  else dispatch(exchange, services, pool, false);
}
