// What is counted when an exchange ends: once, whichever way it ended.

import { DECISION } from '../../contract/counters.ts';
import type { Exchange } from './exchange.ts';
import type { ExchangeServices } from './exchange-services.ts';
import { judge } from './judge.ts';
import { UNTIMED, type Tally } from '../base/tally.ts';

/**
 * Counts an exchange that has ended. A tunnel was counted as a request when it began. Where no target
 * was asked, the response says nothing about a release: it counts in the block of none.
 */
export function settle(services: ExchangeServices, exchange: Exchange): void {
  const { tally, nowhere, accessLog } = services;
  const { request, response, tunnel } = exchange;
  response.tap?.end();
  const block = exchange.wasTargetAsked ? exchange.block : nowhere.block;
  if (block !== exchange.block) tally.requestMoved(exchange.block, block);
  if (exchange.pool !== undefined) tally.endpointBusy(exchange.pool.endpoint.slot, -1);
  if (exchange.failure !== undefined) {
    // A failure of a preview must not count against the release.
    const isJudged = exchange.reason !== DECISION.preview;
    tally.failed(isJudged ? block : nowhere.block, exchange.failure);
  }
  countLongLived(exchange, tally, -1);
  if (tunnel === undefined) countRequest(services, exchange, block);
  tally.bytesMoved(block, request.bytes + (tunnel?.bytes ?? 0), response.bytes);
  accessLog.ended(exchange, exchange.elapsedMs());
}

/** Counts a tunnel or event stream that begins or ends; any other exchange is none. */
export function countLongLived(exchange: Exchange, tally: Tally, step: 1 | -1): void {
  const { block, pool, stream, tunnel } = exchange;
  const slot = pool?.endpoint.slot;
  if (slot === undefined) return;
  if (stream !== undefined) {
    tally.streams(block, step);
    tally.endpointStreams(slot, step);
  }
  if (tunnel !== undefined) {
    tally.tunnels(block, step);
    tally.endpointTunnels(slot, step);
  }
}

/** Counts the request of an exchange in `block`, by its status and time, and judges the release by it. */
export function countRequest(services: ExchangeServices, exchange: Exchange, block: number): void {
  const { reason, response } = exchange;
  // How long a stream lasts says nothing about a release, and previews must not count.
  const isTimed = exchange.stream === undefined && reason !== DECISION.preview;
  const durationMs = isTimed ? exchange.elapsedMs() : UNTIMED;
  services.tally.requestEnded(block, reason, response.status, durationMs);
  judge(services, exchange, block, durationMs);
}
