// Files of an earlier release: a page that was loaded before a switch asks for them after it. May
// a 404 of the active color be tried on the other one?

import type { Method } from '../../http/methods.ts';
import type { RequestHead } from '../../http/request-head.ts';
import { pathOf } from './route-table.ts';
import type { RoutedService, RoutedSide } from './routed-service.ts';

interface Asking {
  readonly side: RoutedSide;
  readonly method: Method;
}

/** Tells whether the request may be sent a second time, to the rescuer of its service. */
export function isRescuable(service: RoutedService, asking: Asking, head: RequestHead): boolean {
  if (service.rescue.isEmpty || service.rescuer === undefined) return false;
  const { name } = asking.method;
  const isRead = name === 'GET' || name === 'HEAD';
  if (!isRead || head.bodyLength !== 0 || asking.side !== service.active) return false;
  return service.rescue.matches(pathOf(head));
}
