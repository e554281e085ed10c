// What an exchange says for or against the release that served it: counted once, when it has ended.
// Shown releases, rescued files, and what failed by the fault of the client or of the proxy say nothing.

import { FAILURE_CODES, FAILURES, type FailureCode } from '../../base/failures.ts';
import { markClient } from '../../contract/client-sightings.ts';
import { BLOCK, DECISION } from '../../contract/counters.ts';
import { UNTIMED } from '../base/tally.ts';
import type { Exchange } from './exchange.ts';
import type { ExchangeServices } from './exchange-services.ts';

/** A release that is too slow fills its queues. */
const BY_SLOWNESS: readonly FailureCode[] = ['POOL_FULL', 'POOL_TIMEOUT'];

/** Failures that are the fault of a release, whether or not the client saw a status of it. */
const OF_RELEASES: ReadonlySet<FailureCode> = new Set(
  FAILURE_CODES.filter((code) => FAILURES[code].blame === 'upstream' || BY_SLOWNESS.includes(code)),
);

/** Judges an exchange that counts in `block`. `durationMs` UNTIMED: its time says nothing. */
export function judge(
  { tally, clientSightings, wheel }: ExchangeServices,
  exchange: Exchange,
  block: number,
  durationMs: number,
): void {
  const { reason, failure, deployment, request, response } = exchange;
  if (!exchange.wasTargetAsked || reason === DECISION.preview) return;
  const { ignoredPaths } = deployment.judging;
  const isTimed = durationMs !== UNTIMED;
  const isIgnored = !ignoredPaths.isEmpty && ignoredPaths.matches(exchange.path);
  if (isIgnored || reason === DECISION.rescue) {
    if (isTimed) tally.timed(block, BLOCK.durationUnjudged, durationMs);
    return;
  }
  const isSplit = reason === DECISION.split;
  // A client that left has waited at least that long.
  if (isSplit && isTimed) tally.timed(block, BLOCK.durationSplit, durationMs);
  if (failure !== undefined && !OF_RELEASES.has(failure)) return;
  const isBad =
    failure !== undefined || exchange.hidesBad || deployment.judging.isBad(response.status);
  tally.judged(block, isBad, isSplit);
  const { seconds: nowS } = wheel.wall;
  markClient(clientSightings, { block, nowS, hash: request.addressHash, isBad });
}

/**
 * Judges the canary by a request that it could not be given: no connection came about, and it goes on at the
 * active deployment. The client sees no error, but all clients would once all of them go there.
 */
export function judgeUnreached(
  { tally, clientSightings, wheel }: ExchangeServices,
  { reason, deployment, request, path }: Exchange,
): void {
  const { block, judging } = deployment;
  const { ignoredPaths } = judging;
  // Of a deployment that drains it says nothing: it may have been stopped.
  if (reason !== DECISION.split) return;
  if (!ignoredPaths.isEmpty && ignoredPaths.matches(path)) return;
  tally.judged(block, true, true);
  const { seconds: nowS } = wheel.wall;
  markClient(clientSightings, { block, nowS, hash: request.addressHash, isBad: true });
}
