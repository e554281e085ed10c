// A release of a service in a few words: where it runs, why it is locked out, and which one is ordered for
// later.

import type { Drain } from '../../api/draining.ts';
import type { ScheduledOrder } from '../../api/scheduled.ts';
import type { SideStatus } from '../../api/status-answer.ts';
import { shown, type Lenient } from '../client/answer.ts';
import { timeText } from '../terminal/numbers.ts';
import { colorName, type Terminal } from '../terminal/print.ts';

/** Returns `shop v42 (deployment 18)` for each service. */
export function orderText({ services }: Pick<Lenient<ScheduledOrder>, 'services'>): string {
  return services
    .map(({ service, release = '', deployment }) => {
      const name = release === '' ? '' : ` ${release}`;
      return `${shown(service)}${name} (deployment ${shown(deployment)})`;
    })
    .join(', ');
}

/** Returns `v42 on blue`, or the color alone where the release has no name. */
export function releaseName(
  terminal: Terminal,
  { color, release }: Pick<Lenient<Drain>, 'color' | 'release'>,
): string {
  const where = colorName(terminal, shown(color));
  return (release ?? '') === '' ? where : `${release} on ${where}`;
}

/** Returns a lock-out of the status as one line; `release` is what it is about. */
export function lockOutText(
  release: string,
  { at, actor, reason = '' }: NonNullable<Lenient<SideStatus>['lockedOut']>,
): string {
  const why = reason === '' ? '' : `: ${reason}`;
  return `${release} is locked out since ${timeText(at)} by ${shown(actor)}${why}`;
}

/** Returns `deployment 17`, or its targets that leave it. */
export function drainName({ scope, deployment, targets }: Lenient<Drain>): string {
  const name = `deployment ${shown(deployment)}`;
  return scope === 'targets' ? `${targets.map(shown).join(', ')} of ${name}` : name;
}
