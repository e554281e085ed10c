// Pure: may this change be made, and to which color? Every refusal of a switch or a
// rollback that does not depend on store or workers is decided here.

import type { Call } from '../audit/call.ts';
import type { HealthState } from '../targets/health-verdict.ts';
import {
  otherColor,
  type Color,
  type Endpoint,
  type RoutingTable,
  type Service,
} from '../../contract/table.ts';
import { OperatorError } from '../base/problems.ts';
import type { SwitchRecord } from '../store/store.ts';

export interface ChangeRequest {
  /** May be left out where there is one service. */
  readonly service: string | undefined;
  /** Overrides health, nothing else; needs a reason. */
  readonly force: boolean;
  readonly reason: string;
  /** Generations that the operator is willing to change; undefined: any. */
  readonly ifMatch: readonly number[] | undefined;
  /** The actor: see `AuditDraft`. */
  readonly actor: string;
  /** The call of an operator; left out where the process itself asks. */
  readonly call?: Call | undefined;
}

export interface SwitchRequest extends ChangeRequest {
  /** Left out: the color that is not active. */
  readonly to: Color | undefined;
  /** Requests wait for at most this long until all others have ended; 0: none waits. */
  readonly holdMs: number;
}

export interface RollbackRequest extends ChangeRequest {
  /** Sessions that began after the switch: `all` go back at once, `new`: they drain. */
  readonly restick: 'all' | 'new';
  /** The release that is left can't be switched to until it is unlocked or replaced. */
  readonly lockOut: boolean;
}

/** What is known about one target, or one address of it where that is a name. */
export interface TargetHealth {
  readonly state: HealthState;
  /** Why; empty while nothing was tried or all is well. */
  readonly reason: string;
  /** The address; only where the target is a name. */
  readonly place?: string;
}

/** Tells what is known about a target: never nothing, and several things about some names. */
export type HealthOf = (endpoint: Endpoint) => readonly TargetHealth[];

/** Returns the service that is meant. */
export function findService(table: RoutingTable, name: string | undefined): Service {
  const names = table.services.map((service) => service.name);
  if (name === undefined) {
    if (table.services.length === 1) return table.services[0]!;
    throw new OperatorError('service-required', `name one of: ${names.join(', ')}`, {
      members: { services: names },
    });
  }
  const found = table.services.find((service) => service.name === name);
  if (found) return found;
  throw new OperatorError('service-unknown', `expected one of: ${names.join(', ')}`, {
    members: { services: names },
  });
}

/** Refuses unless the table that is published is one that the operator has seen. */
export function checkGeneration(
  table: RoutingTable,
  request: Pick<ChangeRequest, 'ifMatch'>,
): void {
  if (request.ifMatch === undefined || request.ifMatch.includes(table.generation)) return;
  throw new OperatorError(
    'generation-mismatch',
    `expected generation ${request.ifMatch.join(' or ')}, it is ${table.generation}`,
    { members: { generation: table.generation } },
  );
}

/** Refuses a forced change without a reason. */
export function checkReason(request: ChangeRequest): void {
  if (!request.force || request.reason.trim() !== '') return;
  throw new OperatorError('reason-required', 'force overrides health; say why in "reason"');
}

/** Refuses a switch to a release that was left because it failed; `force` does not override it. */
export function checkLockedOut(service: Service, to: Color): void {
  const { lockedOut, release } = service[to];
  if (lockedOut === undefined) return;
  const { actor, atMs, reason, generation } = lockedOut;
  const at = new Date(atMs).toISOString();
  const why = reason === '' ? 'without a reason' : `because: ${reason}`;
  throw new OperatorError(
    'release-locked-out',
    `${service.name}: ${actor} rolled back from ${release} on ${to} at ${at}, ${why}; ` +
      'register another release there, or unlock it',
    { members: { release, color: to, lockedOut: { actor, at, reason, generation } } },
  );
}

/** Refuses a switch to a color of which a target is not known to be up. */
export function checkSwitch(service: Service, to: Color, force: boolean, health: HealthOf): void {
  const targets = targetsOf(service, to, health);
  const unfit = targets.filter((target) => target.state !== 'up');
  if (force || unfit.length === 0) return;
  throw unhealthy(`${service.name}: ${to} is not healthy`, unfit);
}

/**
 * Refuses a switch that lets requests wait while another process still serves some: that one
 * holds no request. `leftBehind`: connections that it has; undefined: not known yet.
 */
export function checkAlone(holdMs: number, leftBehind: number | undefined): void {
  if (holdMs === 0 || leftBehind === 0) return;
  const count = leftBehind === undefined ? 'connections' : `${leftBehind} connections`;
  throw new OperatorError(
    'upgrading',
    `the process before the upgrade still finishes ${count}, which cannot be held; wait until it ` +
      'has ended (`turnout drain` tells), or switch without "hold"',
  );
}

/** Refuses a rollback to a color of which no target is known to be up. */
export function checkRollback(service: Service, to: Color, force: boolean, health: HealthOf): void {
  const targets = targetsOf(service, to, health);
  if (force || targets.some((target) => target.state === 'up')) return;
  throw unhealthy(`${service.name}: no target of ${to} is up`, targets);
}

/**
 * Returns where a rollback leads. Taking back a rollback would bring back what was just
 * fled from, so that is refused: a repeated call must not undo the first.
 */
export function rollbackTarget(service: Service, last: SwitchRecord | undefined): Color {
  if (last === undefined) {
    throw new OperatorError('nothing-to-roll-back-to', `${service.name} was never switched`);
  }
  if (last.outcome === 'rolled-back') {
    throw new OperatorError(
      'nothing-to-roll-back-to',
      `the last change of ${service.name} was already a rollback to ${last.to}; ` +
        `to go to ${otherColor(last.to)} again, switch`,
    );
  }
  return last.from;
}

interface NamedTarget extends Omit<TargetHealth, 'place'> {
  readonly url: string;
  readonly address?: string;
}

function targetsOf(service: Service, color: Color, health: HealthOf): NamedTarget[] {
  const { endpoints } = service[color];
  if (endpoints.length === 0) {
    throw new OperatorError('no-targets', `${service.name}: ${color} has no target`);
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
