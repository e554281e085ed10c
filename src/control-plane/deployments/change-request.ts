// What is said with every change, and what is refused of each of them before anything is decided.

import type { RoutingTable, Service } from '../../contract/table.ts';
import type { Call } from '../audit/call.ts';
import { OperatorError } from '../base/problems.ts';
import type { Destination } from './destination.ts';

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
  /** All checks are made, and nothing is done. */
  readonly dryRun?: boolean | undefined;
  /** Requests wait for at most this long until all others have ended; left out, 0: none waits. */
  readonly holdMs?: number | undefined;
  /** Gate that changes the data meanwhile, by its name in the configuration; left out: none. */
  readonly migrate?: string | undefined;
}

export interface SwitchRequest extends ChangeRequest {
  /** Left out: the color that is not active. */
  readonly to: Destination | undefined;
  /** Requests wait for at most this long until all others have ended; 0: none waits. */
  readonly holdMs: number;
  /** A rollout that runs ends by it, as it does by one with `force`. */
  readonly overridesRollout?: boolean;
}

export interface RollbackRequest extends ChangeRequest {
  /** Left out: what was active before the last switch. */
  readonly to?: Destination | undefined;
  /** Sessions that began after the switch: `all` go back at once, `new`: they drain. */
  readonly restick: 'all' | 'new';
  /** The release that is left can't be switched to until it is unlocked or replaced. */
  readonly lockOut: boolean;
  /** Services that the caller may change; left out: all. */
  readonly only?: readonly string[] | undefined;
}

/** A rollback as it is called for; what is left out is as the rollout that runs has it. */
export interface AskedRollback extends Omit<RollbackRequest, 'restick' | 'lockOut'> {
  readonly restick?: RollbackRequest['restick'] | undefined;
  readonly lockOut?: boolean | undefined;
}

/** Returns a rollback on the terms that count while no rollout runs. */
export function plainRollback({
  restick = 'all',
  lockOut = true,
  ...asked
}: AskedRollback): RollbackRequest {
  return { ...asked, restick, lockOut };
}

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

/** Refuses an act on the rollout `id` where its caller has seen another event of it than the last one. */
export function checkEvent(
  id: string,
  event: number,
  expected: readonly number[] | undefined,
): void {
  if (expected === undefined || expected.includes(event)) return;
  const why = `expected event ${expected.join(' or ')} of ${id}, it is ${event}`;
  throw new OperatorError('generation-mismatch', why, { members: { event } });
}

/** Refuses unless the last decision is one that the operator has seen. */
export function checkGeneration(
  table: RoutingTable,
  request: Pick<ChangeRequest, 'ifMatch'>,
): void {
  if (request.ifMatch === undefined || request.ifMatch.includes(table.epoch)) return;
  throw new OperatorError(
    'generation-mismatch',
    `expected generation ${request.ifMatch.join(' or ')}, it is ${table.epoch}`,
    { members: { generation: table.epoch } },
  );
}

/** Refuses a forced change without a reason. */
export function checkReason(request: ChangeRequest): void {
  if (!request.force || request.reason.trim() !== '') return;
  throw new OperatorError('reason-required', 'force overrides health; say why in "reason"');
}
