// What a running Turnout says of itself in one line, for those who watch the process. Pure.

import { someText } from '../base/count-text.ts';
import type { RoutingTable } from '../contract/table.ts';

/** More are in `turnout status`. */
const NAMED_MAX = 3;

/** Returns what is active; `reloadProblem`: why the last reload was refused, empty if it was not. */
export function summaryOf({ epoch, services }: RoutingTable, reloadProblem: string): string {
  const named = services.map((service) => {
    const { release } = service[service.active];
    return `${service.name}: ${service.active}${release === '' ? '' : ` (${release})`}`;
  });
  const active = someText(named, NAMED_MAX) || 'nothing';
  const state = `active is ${active}; generation ${epoch}`;
  return reloadProblem === '' ? state : `${state}; the last reload was refused: ${reloadProblem}`;
}
