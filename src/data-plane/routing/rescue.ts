// Files of an earlier release: a page that was loaded before a switch asks for them after it. Says
// whether a 404 of the active deployment may be tried on the one before.

import type { Method } from '../../http/methods.ts';
import type { RequestHead } from '../../http/request-head.ts';
import { pathOf } from './route-table.ts';
import type { RoutedService, RoutedSide } from './routed-service.ts';

interface RoutedRequest {
  readonly side: RoutedSide;
  readonly method: Method;
}

/**
 * What an app may read as another path than the patterns do: segments of dots and slashes that are
 * encoded, backslashes, empty segments, parameters of a segment.
 */
const AMBIGUOUS = /(?:^|\/)(?:\.|%2e)+(?:\/|;|$)|\/\/|%2f|%5c|\\|;/i;

/** Tells whether the request may be sent a second time, to an earlier deployment of its service. */
export function isRescuable(
  service: RoutedService,
  request: RoutedRequest,
  head: RequestHead,
): boolean {
  if (service.rescue.isEmpty) return false;
  const { name } = request.method;
  const isRead = name === 'GET' || name === 'HEAD';
  if (!isRead || head.bodyLength !== 0 || request.side !== service.active) return false;
  const path = pathOf(head);
  return service.rescue.matches(path) && !AMBIGUOUS.test(path);
}
