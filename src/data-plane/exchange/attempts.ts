// The attempts of one request: which endpoint gets it, when another one is tried after a failure or
// because of a status, and when another deployment is asked because the first lacks a file. Knows no
// socket, and not how the request ends when there is nothing left to try.

import type { FailureCode } from '../../base/failures.ts';
import { RETRIES_MAX } from '../../base/limits.ts';
import { DECISION, HEALTH_WORD, RETRY_REASON } from '../../contract/counters.ts';
import { text } from '../../http/grammar/text.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import type { ResponseHead } from '../../http/heads/response-head.ts';
import { prefixOf } from '../routing/paths/path-prefix.ts';
import { isRescuable } from '../routing/rescue.ts';
import { pathOf } from '../routing/table/route-table.ts';
import type { RoutedService, RoutedDeployment } from '../routing/table/routed-service.ts';
import type { TargetEnd, TargetPool } from '../transport/transport.ts';
import type { Exchange } from './exchange.ts';
import type { ExchangeServices } from './exchange-services.ts';
import { judgeUnreached } from './judge.ts';
import { isServing, nextPool, pickPool } from './pick.ts';

/** A request is about to be sent for the first time. */
export function begin(exchange: Exchange, service: RoutedService, head: RequestHead): void {
  exchange.isRescuable = isRescuable(service, exchange, head);
  service.retries.requestBegan();
  const { strippedPrefixes } = service;
  if (strippedPrefixes.length > 0) {
    exchange.request.prefix = prefixOf(strippedPrefixes, pathOf(head));
  }
}

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

/** No connection came about, so nothing was sent: tries another endpoint, or the active deployment. */
export function retryConnect(
  exchange: Exchange,
  services: ExchangeServices,
  service: RoutedService,
  failure: readonly [code: FailureCode, detail: string | undefined],
): void {
  const mayRetry = exchange.retries < RETRIES_MAX;
  const { fallback } = exchange;
  if (fallback !== undefined && !(mayRetry && hasOther(exchange, services))) {
    exchange.fallback = undefined;
    const moved = services.moveOver(service, fallback);
    if (moved !== undefined && moved.deployment.number !== exchange.deployment.number) {
      count(exchange, services, RETRY_REASON.session);
      judgeUnreached(services, exchange);
      exchange.hasSession = false;
      goTo(exchange, services, moved.deployment, DECISION.active, moved.field);
      const pool = pickPool(moved.deployment.pools, undefined, services);
      if (pool === undefined) exchange.fail(...failure);
      else dispatch(exchange, services, pool, true);
      return;
    }
  }
  if (mayRetry) retry(exchange, services, RETRY_REASON.connect);
  else exchange.fail(...failure);
}

/**
 * The target has closed before the head of a response. On a used connection that says nothing about
 * the target: the request is sent again. On a fresh one it does: another target gets it, and only what
 * is safe, because this one may have begun to act.
 */
export function retryClosed(
  exchange: Exchange,
  services: ExchangeServices,
  how: TargetEnd,
  detail: string | undefined,
): void {
  const isWorth = how === 'stale' || (how === 'fresh' && exchange.method.isSafe);
  const mayRetry = isWorth && exchange.request.mayRepeat && exchange.retries < RETRIES_MAX;
  if (mayRetry && (how === 'stale' || hasServing(exchange, services))) {
    retry(exchange, services, RETRY_REASON.closed, how === 'stale');
  } else exchange.fail('UPSTREAM_CLOSED', detail);
}

function retry(
  exchange: Exchange,
  services: ExchangeServices,
  reason: number,
  mayStay = false,
): void {
  exchange.retries++;
  count(exchange, services, reason);
  dispatch(exchange, services, nextPool(exchange, services, mayStay), true);
}

function count(exchange: Exchange, { tally }: ExchangeServices, reason: number): void {
  exchange.retryReason = reason;
  tally.retried(exchange.block, reason);
}

/** Another endpoint of the deployment serves. */
function hasServing({ pool, deployment }: Exchange, services: ExchangeServices): boolean {
  return services.poolsNow(deployment).some((one) => one !== pool && isServing(one, services));
}

/** Another endpoint of the deployment is there that is not known to be down. */
function hasOther({ pool, deployment }: Exchange, services: ExchangeServices): boolean {
  return services
    .poolsNow(deployment)
    .some(
      (one) =>
        one !== pool && Atomics.load(services.health, one.endpoint.slot) !== HEALTH_WORD.down,
    );
}

/** The request goes on at another deployment. */
function goTo(
  exchange: Exchange,
  { tally }: ExchangeServices,
  to: RoutedDeployment,
  reason: number,
  sessionField: string,
): void {
  const from = exchange.deployment;
  exchange.deployment = to;
  exchange.reason = reason;
  exchange.hidesBad = false;
  exchange.sessionField = sessionField;
  const { head } = exchange.request;
  exchange.request.head = head.slice(0, -from.requestEnding.length) + to.requestEnding;
  tally.requestMoved(from.block, to.block);
  tally.endpointBusy(exchange.pool!.endpoint.slot, -1);
  exchange.pool = undefined;
}

/** Tells whether the response is not wanted, because another endpoint or deployment is to be asked. */
export function isUnwanted(
  exchange: Exchange,
  services: ExchangeServices,
  service: RoutedService,
  head: ResponseHead,
): boolean {
  if (head.status >= 502 && head.status <= 504) {
    if (!mayAskAgain(exchange, services, head) || !service.retries.take()) return false;
    // The client shall not see it; the release is judged by it all the same.
    exchange.hidesBad ||= exchange.deployment.judging.isBad(head.status);
    return true;
  }
  const isMissing = head.status === 404 && exchange.isRescuable && !exchange.response.isHeadSent;
  exchange.rescuer = isMissing ? services.rescuerOf(exchange.deployment) : undefined;
  return exchange.rescuer !== undefined;
}

/**
 * The target could not serve the request, as its status says: another endpoint may be asked. Only what is
 * safe and has no body, once, and before the client has seen anything. What says when to come back
 * (RFC 9110 §10.2.3) is the word of the app. A preview is there to be seen as it is, and the steps of a
 * login have to come on one connection.
 */
function mayAskAgain(exchange: Exchange, services: ExchangeServices, head: ResponseHead): boolean {
  const { method, request, response, client, reason, retries } = exchange;
  return (
    retries < RETRIES_MAX &&
    method.isSafe &&
    !request.hasBody &&
    !exchange.wantsUpgrade &&
    response.bytes === 0 &&
    reason !== DECISION.rescue &&
    reason !== DECISION.preview &&
    client.bonds === undefined &&
    hasServing(exchange, services) &&
    !saysWhenToComeBack(head)
  );
}

function saysWhenToComeBack({ lines, bytes }: ResponseHead): boolean {
  for (let i = 0; i < lines.count; i++) {
    const name = text(bytes, lines.nameStart(i), lines.nameEnd(i));
    if (name.toLowerCase() === 'retry-after') return true;
  }
  return false;
}

/** Asks another endpoint, or the other deployment, once. */
export function askElsewhere(exchange: Exchange, services: ExchangeServices): void {
  const to = exchange.rescuer;
  if (to === undefined) {
    retry(exchange, services, RETRY_REASON.status);
    return;
  }
  exchange.isRescuable = false;
  // A file that caches may keep is no place for a session.
  goTo(exchange, services, to, DECISION.rescue, '');
  const pool = pickPool(to.pools, undefined, services);
  if (pool === undefined) exchange.fail('RESCUE_FAILED');
  else dispatch(exchange, services, pool, false);
}
