// The targets of the color that is active in words, as the reason of a failover and the alarm of an
// outage name them.

import { someText } from '../../base/count-text.ts';
import type { Service } from '../../contract/table.ts';
import { TARGETS_NAMED_MAX } from '../base/control-limits.ts';
import type { Health } from './health.ts';

/** Returns each target of the active color with what is wrong with it; empty: there is none. */
export function activeTargetsText(service: Service, health: Pick<Health, 'of'>): string {
  const texts = service[service.active].endpoints.flatMap((endpoint) =>
    health.of(endpoint).map(({ place, reason }) => {
      const target = place === undefined ? endpoint.url : `${endpoint.url} at ${place}`;
      return reason === '' ? target : `${target} (${reason})`;
    }),
  );
  return someText(texts, TARGETS_NAMED_MAX);
}
