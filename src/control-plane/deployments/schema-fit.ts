// Pure: may a release serve the data as they are by now? A release says which schema it brings
// (`provides`) and which ones its code can work with (`requires`). What was brought stays: a rollback
// takes no migration back. Knows the point of no return, too: from there on, only what comes later may
// follow. Overridden by force, which is the business of the caller.

import { OperatorError } from '../base/problems.ts';
import {
  activeNumber,
  deploymentOf,
  type ReleaseSchema,
  type ServiceState,
  type StoredDeployment,
} from '../store/service-state.ts';
import { nameOf } from './address-use.ts';

/** Returns the schema that the data have once `served` has had traffic; undefined: not known. */
export function schemaReached(
  before: number | undefined,
  served: Pick<StoredDeployment, 'schema'> | undefined,
): number | undefined {
  const provided = served?.schema?.provides;
  if (before === undefined || provided === undefined) return before ?? provided;
  return Math.max(before, provided);
}

/** Returns whether code that requires this can work with data at `schema`; what is not known fits. */
export function fits(required: ReleaseSchema | undefined, schema: number | undefined): boolean {
  if (required === undefined || schema === undefined) return true;
  const [least, most] = required.requires;
  return schema >= least && schema <= most;
}

/** Refuses `to` behind a point of no return, or where it and the data do not fit: see below. */
export function checkData(
  state: ServiceState,
  to: StoredDeployment,
  terms: { readonly replaces: boolean } = { replaces: false },
): void {
  checkReturn(state, to);
  checkSchema(state, to, terms);
}

/**
 * Refuses `to` where it can't work with the data, or would make them unfit for what is active, which
 * serves beside it for a while and is the way back. `replaces`: both never serve at the same time.
 */
function checkSchema(
  state: ServiceState,
  to: StoredDeployment,
  { replaces }: { readonly replaces: boolean },
): void {
  const then = schemaReached(state.schema, to);
  if (!fits(to.schema, then)) throw unfit(state, to, then!);
  const active = deploymentOf(state, activeNumber(state));
  const isNewer = then !== undefined && then !== state.schema;
  if (replaces || active === undefined || !isNewer || fits(active.schema, then)) return;
  throw new OperatorError(
    'schema-incompatible',
    `${state.name}: ${nameOf(to)} brings schema ${then}, and ${nameOf(active)}, which still serves beside ` +
      `it and is the way back, ${needs(active)}; bring a release in between that works with both, ` +
      'switch with "hold", or say "force" with a reason',
    { members: { schema: then, ...membersOf(active) } },
  );
}

/** Refuses the way back behind a point of no return. */
function checkReturn(state: ServiceState, to: StoredDeployment): void {
  const { noReturn } = state;
  if (noReturn === undefined || to.number > activeNumber(state)) return;
  const { actor, reason, atMs } = noReturn;
  const at = new Date(atMs).toISOString();
  throw new OperatorError(
    'point-of-no-return',
    `${state.name}: since ${at} there is no way back, says ${actor}: ${reason}; bring a release that ` +
      'mends it, or say "force" with a reason',
    { members: { pointOfNoReturn: { actor, at, reason } } },
  );
}

function unfit(state: ServiceState, to: StoredDeployment, schema: number): OperatorError {
  return new OperatorError(
    'schema-incompatible',
    `${state.name}: the data have schema ${schema} by now, and ${nameOf(to)} ${needs(to)}; ` +
      'bring a release that works with it, or say "force" with a reason',
    { members: { schema, ...membersOf(to) } },
  );
}

function needs({ schema }: StoredDeployment): string {
  const [least, most] = schema!.requires;
  return least === most ? `needs ${least}` : `works with ${least} to ${most}`;
}

function membersOf({ number, release, schema }: StoredDeployment) {
  return { deployment: number, release, requires: schema?.requires };
}
