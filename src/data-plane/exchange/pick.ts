// Which endpoint of a color takes a request: the one with fewer requests in flight of two drawn
// at random ("power of two choices"), among those that health checks call up.

import { HEALTH_WORD } from '../../contract/counters.ts';
import type { Plane } from '../plane.ts';
import type { EndpointPool } from '../targets/pool.ts';

/**
 * Returns a pool of `pools`, never `excluded` while there is another. When no endpoint is up,
 * those that were not asked yet are tried, and when all are down, all: a health check that is wrong
 * must not take a color down. Undefined for none.
 */
export function pickPool(
  pools: readonly EndpointPool[],
  excluded: EndpointPool | undefined,
  plane: Plane,
): EndpointPool | undefined {
  if (pools.length <= 1) return pools[0];
  const first = draw(pools, excluded, plane);
  const second = draw(pools, excluded, plane);
  return inflight(first, plane) <= inflight(second, plane) ? first : second;
}

/** Returns a random endpoint that is up; else one that was not asked yet, else one that is down. */
function draw(
  pools: readonly EndpointPool[],
  excluded: EndpointPool | undefined,
  plane: Plane,
): EndpointPool {
  const start = Math.floor(Math.random() * pools.length);
  let fallback: EndpointPool | undefined;
  for (let i = 0; i < pools.length; i++) {
    const pool = pools[(start + i) % pools.length]!;
    if (pool === excluded) continue;
    const word = Atomics.load(plane.memory.health, pool.endpoint.slot);
    if (word === HEALTH_WORD.up) return pool;
    if (fallback === undefined || word === HEALTH_WORD.unknown) fallback = pool;
  }
  return fallback ?? pools[start]!;
}

function inflight(pool: EndpointPool, plane: Plane): number {
  return plane.tally.endpointInflight(pool.endpoint.slot);
}
