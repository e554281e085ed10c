// What a running Turnout says of itself in one line, for those who watch the process. Pure.

import type { RoutingTable } from '../contract/table.ts';

/** More are in `turnout status`. */
const NAMED_MAX = 3;

/** Returns what is active; `reloadProblem`: why the last reload was refused, empty if it was not. */
export function summaryOf({ epoch, services }: RoutingTable, reloadProblem: string): string {
  const named = services.slice(0, NAMED_MAX).map((service) => {
    const { release } = service[service.active];
    return `${service.name}: ${service.active}${release === '' ? '' : ` (${release})`}`;
  });
  const more = services.length - named.length;
  const active = [...named, ...(more > 0 ? [`${more} more`] : [])].join(', ');
  const state = `active is ${active || 'nothing'}; generation ${epoch}`;
  return reloadProblem === '' ? state : `${state}; the last reload was refused: ${reloadProblem}`;
}
