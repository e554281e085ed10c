// Connections that are open before the first request: to every endpoint of the deployments that a table
// makes active.

import { PRECONNECT_COUNT, PRECONNECT_MS } from '../../base/limits.ts';
import type { TargetPool } from '../transport/transport.ts';

/** Opens what is missing in `pools`, and calls `done` once: when all are open, have failed or take too long. */
export function connectAhead(pools: readonly TargetPool[], done: () => void): void {
  let isDone = false;
  const finish = (): void => {
    if (isDone) return;
    isDone = true;
    clearTimeout(deadline);
    done();
  };
  // A target that does not accept must not block a forced switch.
  const deadline = setTimeout(finish, PRECONNECT_MS);
  let pending = pools.reduce((sum, pool) => sum + pool.missing(PRECONNECT_COUNT), 0);
  if (pending === 0) finish();
  for (const pool of pools) {
    pool.preconnect(PRECONNECT_COUNT, () => {
      pending--;
      if (pending === 0) finish();
    });
  }
}
