// A release that comes with the rollout that is to bring it its traffic. Where that would be refused, it
// is not registered either: what is on the idle color may be the way back. Knows no rollout.

import { otherColor } from '../../../contract/table.ts';
import { OperatorError } from '../../base/problems.ts';
import { findService, type ChangeRequest } from '../../deployments/change-request.ts';
import type { Destination } from '../../deployments/destination.ts';
import type { RegisterRequest } from '../../deployments/registration.ts';
import type { ServiceState } from '../../store/service-state.ts';
import type { Switchboard } from '../../switching/switchboard.ts';

/** A release that is registered together with the start of its rollout. */
export interface NewRelease extends Omit<RegisterRequest, 'color' | 'evictIn' | 'allow'> {
  readonly evictIn: readonly string[] | undefined;
  readonly allow: readonly string[] | undefined;
}

/** What it comes for. */
interface Coming {
  readonly services: readonly (string | undefined)[];
  readonly to: Destination | undefined;
  readonly registers: NewRelease;
}

type Board = Pick<Switchboard, 'table' | 'states' | 'dryRun'>;

/** Refuses targets for several services, and for a color that gets the traffic. */
export function checkIdleOfOne(states: readonly ServiceState[], to: Destination | undefined): void {
  if (states.length !== 1)
    throw new OperatorError(
      'body-invalid',
      '"targets" are those of one service: register the releases of several one by one',
    );
  const color = otherColor(states[0]!.active);
  if (to !== undefined && to !== color)
    throw new OperatorError(
      'body-invalid',
      `"to": a release is registered on the idle color, ${color}`,
    );
}

/** Returns what would refuse a release, or the traffic for it; its targets are not asked. */
export async function inTheWayOf(
  board: Board,
  request: ChangeRequest,
  { services, to: wanted, registers }: Coming,
): Promise<OperatorError[]> {
  const states = services.map((one) => board.states.get(findService(board.table, one).name)!);
  checkIdleOfOne(states, wanted);
  const { name, active } = states[0]!;
  const to = otherColor(active);
  const found = await board.dryRun(request, [
    { kind: 'register', service: name, ...registers, color: to },
    { kind: 'switch', service: name, to },
  ]);
  return found.map(({ code, detail }) => new OperatorError(code, detail));
}
