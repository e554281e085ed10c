// Files of an earlier release: a page that was loaded before a switch asks for them after it. Says
// whether a 404 of the active color may be tried on the other one.

import type { Method } from '../../http/methods.ts';
import type { RequestHead } from '../../http/request-head.ts';
import { pathOf } from './route-table.ts';
import type { RoutedService, RoutedSide } from './routed-service.ts';

interface RoutedRequest {
  readonly side: RoutedSide;
  readonly method: Method;
}

/** Tells whether the request may be sent a second time, to the rescuer of its service. */
export function isRescuable(
  service: RoutedService,
  request: RoutedRequest,
  head: RequestHead,
): boolean {
  if (service.rescue.isEmpty || service.rescuer === undefined) return false;
  const { name } = request.method;
  const isRead = name === 'GET' || name === 'HEAD';
  if (!isRead || head.bodyLength !== 0 || request.side !== service.active) return false;
  return service.rescue.matches(pathOf(head));
}
