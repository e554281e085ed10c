// Pure: are the targets of a deployment fit for traffic? Judges what is known of them; asks nothing.

import { countText } from '../../../base/count-text.ts';
import type { Deployment, Endpoint } from '../../../contract/table.ts';
import { OperatorError } from '../../base/problems.ts';
import type { HealthState } from '../../targets/health-verdict.ts';

/** What is known about one target, or one address of it where that is a name. */
export interface TargetHealth {
  readonly state: HealthState;
  /** Why; empty while nothing was tried or all is well. */
  readonly reason: string;
  /** The address; only where the target is a name. */
  readonly place?: string;
  /** When this process last had an answer, as `performance.now()`; left out: it has not asked. */
  readonly answeredAtMs?: number;
}

/** Tells what is known about a target: never nothing, and several things about some names. */
export type HealthOf = (endpoint: Endpoint) => readonly TargetHealth[];

/** Refuses a switch to a deployment of which a target is not known to be up. */
export function checkSwitch(service: string, to: Deployment, health: HealthOf): void {
  const unfit = targetsOf(service, to, health).filter((target) => target.state !== 'up');
  if (unfit.length === 0) return;
  throw unhealthy(`${service}: ${to.color} is not healthy`, unfit);
}

/** Refuses to bring more traffic to a deployment of which a target is known not to serve. */
export function checkRaise(service: string, to: Deployment, serving: HealthOf): void {
  const unfit = targetsOf(service, to, serving).filter((target) => target.state === 'down');
  if (unfit.length === 0) return;
  throw unhealthy(`${service}: ${to.color} does not serve with all of its targets`, unfit);
}

/**
 * Refuses a switch that lets requests wait while another process still serves some: that one
 * holds no request. `leftBehind`: connections that it has; undefined: not known yet.
 */
export function checkAlone(holdMs: number, leftBehind: number | undefined): void {
  if (holdMs === 0 || leftBehind === 0) return;
  const count = leftBehind === undefined ? 'connections' : countText(leftBehind, 'connection');
  throw new OperatorError(
    'upgrading',
    `the process before the upgrade still finishes ${count}, which cannot be held; wait until it ` +
      'has ended (`turnout drain` tells), or switch without "hold"',
  );
}

/** Refuses a rollback to a deployment of which no target is known to be up. */
export function checkRollback(service: string, to: Deployment, health: HealthOf): void {
  const targets = targetsOf(service, to, health);
  if (targets.some((target) => target.state === 'up')) return;
  throw unhealthy(`${service}: no target of ${to.color} is up`, targets);
}

interface NamedTarget extends Pick<TargetHealth, 'state' | 'reason'> {
  readonly url: string;
  readonly address?: string;
}

function targetsOf(
  service: string,
  { color, endpoints }: Deployment,
  health: HealthOf,
): NamedTarget[] {
  if (endpoints.length === 0) {
    throw new OperatorError('no-targets', `${service}: ${color} has no target`);
  }
  return endpoints.flatMap((endpoint) =>
    health(endpoint).map(({ state, reason, place }) => {
      const { url } = endpoint;
      return place === undefined ? { url, state, reason } : { url, address: place, state, reason };
    }),
  );
}

function unhealthy(what: string, targets: readonly NamedTarget[]): OperatorError {
  const list = targets.map(({ url, address, state, reason }) => {
    const word = state === 'unknown' ? 'not checked yet' : state;
    const target = address === undefined ? url : `${url} at ${address}`;
    return reason === '' ? `${target} is ${word}` : `${target} is ${word} (${reason})`;
  });
  return new OperatorError('target-unhealthy', `${what}: ${list.join('; ')}`, {
    members: { targets },
  });
}
