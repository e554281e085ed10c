// Which requests are health checks of a balancer, and no page loads: the health path may be the home page.

import { acceptsHtml } from '../../http/heads/accept.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import { pathOf } from './table/route-table.ts';

/** `healthPath`: where they ask; empty: there are none. */
export function isHealthCheck(healthPath: string, head: RequestHead): boolean {
  const { name } = head.method!;
  if (healthPath === '' || (name !== 'GET' && name !== 'HEAD')) return false;
  return pathOf(head) === healthPath && !acceptsHtml(head);
}
