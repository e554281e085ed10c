// A release that comes with the rollout that is to bring it its traffic. Where that would be refused, it
// is not registered either: what is on the idle color may be the way back. Knows no rollout.

import { otherColor } from '../../contract/table.ts';
import { OperatorError } from '../base/problems.ts';
import { findService, type ChangeRequest } from '../deployments/change-request.ts';
import type { Destination } from '../deployments/destination.ts';
import type { RegisterRequest } from '../deployments/registration.ts';
import { throwAll } from '../switching/refusals.ts';
import type { Switchboard } from '../switching/switchboard.ts';

/** A release that is registered together with the start of its rollout. */
export interface NewRelease extends Omit<RegisterRequest, 'color' | 'evictIn' | 'allow'> {
  readonly evictIn: readonly string[] | undefined;
  readonly allow: readonly string[] | undefined;
}

type Board = Pick<Switchboard, 'table' | 'register' | 'dryRun'>;

/** Registers a release on the idle color of a service. */
export async function registerFor(
  board: Board,
  request: ChangeRequest,
  {
    services,
    to,
    registers,
  }: {
    readonly services: readonly (string | undefined)[];
    readonly to: Destination | undefined;
    readonly registers: NewRelease;
  },
): Promise<void> {
  const [name] = services;
  if (services.length !== 1)
    throw new OperatorError(
      'body-invalid',
      '"targets" are those of one service: register the releases of several one by one',
    );
  const color = otherColor(findService(board.table, name).active);
  if (to !== undefined && to !== color)
    throw new OperatorError(
      'body-invalid',
      `"to": a release is registered on the idle color, ${color}`,
    );
  const asked = { ...request, call: undefined };
  if (!request.force) throwAll(await inTheWayOf(board, asked, name, registers));
  await board.register(asked, { ...registers, color });
}

/** Returns what would refuse a release, or the traffic for it; its targets are not asked. */
export async function inTheWayOf(
  board: Board,
  request: ChangeRequest,
  service: string | undefined,
  registers: NewRelease,
): Promise<OperatorError[]> {
  const { name, active } = findService(board.table, service);
  const to = otherColor(active);
  const found = await board.dryRun(request, [
    { kind: 'register', service: name, ...registers, color: to },
    { kind: 'switch', service: name, to },
  ]);
  return found.map(({ code, detail }) => new OperatorError(code, detail));
}
