// The operator's own page, which browsers get instead of a line of text where no target could answer.

import { FAILURES } from '../../base/failures.ts';
import { acceptsHtml } from '../../http/heads/accept.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import type { Refusal } from './refusal.ts';
import type { RoutedService } from './routed-service.ts';

/** Returns the page for the client that has sent `head`; empty: it gets a line. */
export function errorPageFor(service: RoutedService | undefined, head: RequestHead): string {
  if (service === undefined || service.errorPage === '') return '';
  return acceptsHtml(head) ? service.errorPage : '';
}

/** Returns `refusal` with `page`, where it tells of a target or of Turnout (502, 503, 504). */
export function withErrorPage(refusal: Refusal, page: string): Refusal {
  const { status } = FAILURES[refusal.code];
  const isMeant = status >= 502 && status <= 504 && refusal.page === '';
  return page === '' || !isMeant ? refusal : { ...refusal, page };
}
