// The operator's own pages, which browsers get instead of a line of text where no target could answer.

import { FAILURES } from '../../../base/failures.ts';
import type { ErrorPages, ServicePolicy } from '../../../contract/service-policy.ts';
import { acceptsHtml } from '../../../http/heads/accept.ts';
import type { RequestHead } from '../../../http/heads/request-head.ts';
import type { Refusal } from '../responses/refusal.ts';
import type { RoutedService } from './routed-service.ts';

/** Returns a page for each status; undefined: there is none at all. */
export function errorPagesOf({ page, pages }: ServicePolicy['errors']): ErrorPages | undefined {
  const all = { 502: pages[502] || page, 503: pages[503] || page, 504: pages[504] || page };
  return Object.values(all).every((one) => one === '') ? undefined : all;
}

/** Returns the pages for the client that has sent `head`; undefined: it gets a line. */
export function errorPagesFor(
  service: RoutedService | undefined,
  head: RequestHead,
): ErrorPages | undefined {
  const pages = service?.errorPages;
  return pages !== undefined && acceptsHtml(head) ? pages : undefined;
}

/** Returns `refusal` with its page, where it tells of a target or of Turnout (502, 503, 504). */
export function withErrorPage(refusal: Refusal, pages: ErrorPages | undefined): Refusal {
  const { status } = FAILURES[refusal.code];
  if (pages === undefined || refusal.page !== '') return refusal;
  const isMeant = status === 502 || status === 503 || status === 504;
  return isMeant ? { ...refusal, page: pages[status] } : refusal;
}
