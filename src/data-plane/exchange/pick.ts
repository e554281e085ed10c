// Which endpoint of a color takes a request: the one with fewer requests in flight of two drawn
// at random ("power of two choices"), among those that health checks call up and live requests do not
// find broken.

import { HEALTH_WORD } from '../../contract/counters.ts';
import type { Tally } from '../base/tally.ts';
import type { Exchange } from './exchange.ts';
import type { ExchangeServices } from './exchange-services.ts';
import { Bonds } from '../transport/bonds.ts';
import type { TargetPool } from '../transport/transport.ts';

/** What the choice goes by. */
interface PickParts {
  readonly tally: Pick<Tally, 'endpointInflight'>;
  /** HEALTH_WORD by slot of the endpoint. */
  readonly health: Int32Array;
}

type LeavingRequest = Pick<Exchange, 'pool' | 'deployment'>;

/**
 * Returns a pool of `pools`, never `excluded` while there is another. When no endpoint is up,
 * those that were not checked yet are tried, then those that are ejected, and when all are down, all: a
 * health check that is wrong must not take a color down. Undefined when `pools` is empty.
 */
export function pickPool(
  pools: readonly TargetPool[],
  excluded: TargetPool | undefined,
  parts: PickParts,
): TargetPool | undefined {
  if (pools.length <= 1) return pools[0];
  const first = draw(pools, excluded, parts);
  const second = draw(pools, excluded, parts);
  return inflight(first, parts) <= inflight(second, parts) ? first : second;
}

/** Returns where a request that begins goes: where its client has a connection of its own, if it has one. */
export function firstPool(
  { client, deployment }: Pick<Exchange, 'client' | 'deployment'>,
  services: ExchangeServices,
  hasConnectionLogin: boolean,
): TargetPool | undefined {
  const { bonds } = client;
  if (hasConnectionLogin) (client.bonds ??= new Bonds()).begin(true);
  else bonds?.begin(false);
  return bonds?.poolIn(deployment.pools) ?? pickPool(deployment.pools, undefined, services);
}

/**
 * Returns where a request goes on that gives up its endpoint: to another of its deployment, as that is at
 * this moment. Endpoints may have left the deployment since the request came. `mayStay`: nothing is wrong
 * with the endpoint; it gets the request again where no other one serves.
 */
export function nextPool(
  { pool, deployment }: LeavingRequest,
  services: ExchangeServices,
  mayStay = false,
): TargetPool {
  services.tally.endpointBusy(pool!.endpoint.slot, -1);
  const pools = services.poolsNow(deployment);
  const next = pickPool(pools, pool, services) ?? pool!;
  return mayStay && pools.includes(pool!) && !isServing(next, services) ? pool! : next;
}

/** Tells whether `pool` is sent requests as a rule: neither down nor ejected. */
export function isServing(
  { endpoint }: TargetPool,
  { health }: Pick<PickParts, 'health'>,
): boolean {
  const word = Atomics.load(health, endpoint.slot);
  return word === HEALTH_WORD.up || word === HEALTH_WORD.unknown;
}

/** Returns a random endpoint that is up; else one not checked yet, one that is ejected, one that is down. */
function draw(
  pools: readonly TargetPool[],
  excluded: TargetPool | undefined,
  parts: PickParts,
): TargetPool {
  const start = Math.floor(Math.random() * pools.length);
  let fallback: TargetPool | undefined;
  let fallbackRank = 0;
  for (let i = 0; i < pools.length; i++) {
    const pool = pools[(start + i) % pools.length]!;
    if (pool === excluded) continue;
    const word = Atomics.load(parts.health, pool.endpoint.slot);
    if (word === HEALTH_WORD.up) return pool;
    // A request that has failed once is nothing to try an endpoint with.
    if (word >= HEALTH_WORD.trial && excluded === undefined && pool.takesTrial(word)) return pool;
    const rank = rankOf(word);
    if (rank <= fallbackRank) continue;
    fallback = pool;
    fallbackRank = rank;
  }
  return fallback ?? pools[start]!;
}

/** Of endpoints that are not up: the higher, the sooner it is tried. */
function rankOf(word: number): number {
  if (word === HEALTH_WORD.unknown) return 3;
  return word === HEALTH_WORD.down ? 1 : 2;
}

function inflight(pool: TargetPool, parts: PickParts): number {
  return parts.tally.endpointInflight(pool.endpoint.slot);
}
