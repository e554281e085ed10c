// Files of an earlier release: a page that was loaded before a switch asks for them after it. Says
// whether a 404 of the active deployment, or of a canary, may be tried on another.

import type { Method } from '../../http/grammar/methods.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import { isAmbiguousPath } from './paths/ambiguous-path.ts';
import { pathOf } from './table/route-table.ts';
import type { RoutedService, RoutedDeployment } from './table/routed-service.ts';

interface RoutedRequest {
  readonly deployment: RoutedDeployment;
  readonly method: Method;
}

/** It went where new traffic goes: to the active deployment or to a canary. */
function isNew({ active, split }: RoutedService, { deployment }: RoutedRequest): boolean {
  return deployment === active || deployment === split?.canary;
}

/** Tells whether the request may be sent a second time, to another deployment of its service. */
export function isRescuable(
  service: RoutedService,
  request: RoutedRequest,
  head: RequestHead,
): boolean {
  if (service.rescue.isEmpty) return false;
  const { name } = request.method;
  const isRead = name === 'GET' || name === 'HEAD';
  if (!isRead || head.bodyLength !== 0 || !isNew(service, request)) return false;
  const path = pathOf(head);
  // What the app reads may match no pattern.
  return service.rescue.matches(path) && !isAmbiguousPath(path);
}
