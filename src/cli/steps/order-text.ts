// A switch that is ordered for later, in a few words.

import type { ScheduledOrder } from '../../api/scheduled.ts';
import { shown, type Lenient } from '../client/answer.ts';

/** Returns `shop v42 (deployment 18)` for each service. */
export function orderText({ services }: Pick<Lenient<ScheduledOrder>, 'services'>): string {
  return services
    .map(({ service, release = '', deployment }) => {
      const name = release === '' ? '' : ` ${release}`;
      return `${shown(service)}${name} (deployment ${shown(deployment)})`;
    })
    .join(', ');
}
