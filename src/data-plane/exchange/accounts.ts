// What is counted when an exchange ends: once, whichever way it ended.

import { DECISION } from '../../contract/counters.ts';
import type { Exchange } from './exchange.ts';
import type { Plane } from '../plane.ts';
import { UNTIMED } from '../base/tally.ts';

/** Counts an exchange that has ended. A tunnel was counted as a request when it began. */
export function settle({ tally, nowhere, accessLog }: Plane, exchange: Exchange): void {
  const { block } = exchange.side;
  if (exchange.pool !== undefined) tally.endpointBusy(exchange.pool.endpoint.slot, -1);
  if (exchange.failure !== undefined) {
    // What a preview shows must not be held against the release.
    const isJudged = exchange.reason !== DECISION.preview;
    tally.failed(isJudged ? block : nowhere.block, exchange.failure);
  }
  if (exchange.stream !== undefined) tally.streams(block, -1);
  if (exchange.tunnel === undefined) countRequest(exchange, { tally });
  else tally.tunnels(block, -1);
  tally.bytesMoved(block, exchange.requestBytes, exchange.responseBytes);
  accessLog.ended(exchange, exchange.elapsedMs());
}

/** Counts the request of an exchange as answered. */
export function countRequest(exchange: Exchange, { tally }: Pick<Plane, 'tally'>): void {
  const { side, reason, status } = exchange;
  // How long a stream lasts says nothing about a release, and a preview shall say nothing.
  const isTimed = exchange.stream === undefined && reason !== DECISION.preview;
  tally.requestEnded(side.block, reason, status, isTimed ? exchange.elapsedMs() : UNTIMED);
}
