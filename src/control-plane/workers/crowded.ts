// What the log says when the client connections of a worker are all taken.

import type { Report } from '../../contract/messages.ts';
import type { Log } from '../base/log.ts';

/** Writes one line; a worker reports once a minute at most. */
export function tellCrowded(
  log: Log,
  worker: number,
  report: Extract<Report, { readonly kind: 'crowded' }>,
): void {
  const { displacedCount, refusedCount, network } = report;
  log.warn(
    { worker, displacedCount, refusedCount, network },
    `client.connections is reached: ${displacedCount} idle connections were closed to make room, ` +
      `${refusedCount} new ones were refused, the last one of ${network}`,
  );
}
