// The responses that the proxy makes itself: one per failure code, and one to health checks. They
// name the failure in words and in a field, and never anything about the inside of the network.

import { STATUS_CODES } from 'node:http';
import { FAILURES, type FailureCode } from '../../../base/failures.ts';

const RETRY_AFTER_SECONDS = 1;

/** What a response of the proxy's own says about a failure. */
export interface Refusal {
  readonly code: FailureCode;
  /** Replaces the general sentence; undefined: that one. */
  readonly detail: string | undefined;
  readonly retryAfterSeconds: number;
  /** HTML for browsers, instead of the sentence; empty: none. */
  readonly page: string;
}

/** How a response of our own ends, and which request it belongs to. */
export interface OwnEnding {
  /** False announces the close. */
  readonly keepAlive: boolean;
  readonly isHead: boolean;
  /** Lines with the id of the request and the like; may be empty. */
  readonly lastFields: string;
}

/** Returns the refusal for `code`, with what is usual. */
export function refusalFor(code: FailureCode, detail?: string): Refusal {
  return { code, detail, retryAfterSeconds: RETRY_AFTER_SECONDS, page: '' };
}

/**
 * Returns the whole response for a refusal. A response to HEAD has no body (RFC 9110 §9.3.2).
 */
export function refusalResponse(
  { code, detail, retryAfterSeconds, page }: Refusal,
  ending: OwnEnding,
): string {
  const { status, detail: general } = FAILURES[code];
  // One character per byte, as everything that leaves as text.
  const body =
    page === ''
      ? `${status} ${code}: ${detail ?? general}\n`
      : Buffer.from(page).toString('latin1');
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `Content-Type: text/${page === '' ? 'plain' : 'html'}; charset=utf-8`,
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
    `X-Turnout-Failure: ${code}`,
  ];
  if (status === 503) lines.push(`Retry-After: ${retryAfterSeconds}`);
  return wholeResponse(lines, body, ending);
}

/** Returns head and body; a response to HEAD has no body (RFC 9110 §9.3.2). */
export function wholeResponse(
  lines: readonly string[],
  body: string,
  { keepAlive, isHead, lastFields }: OwnEnding,
): string {
  const close = keepAlive ? '' : 'Connection: close\r\n';
  return `${lines.join('\r\n')}\r\n${close}${lastFields}\r\n${isHead ? '' : body}`;
}
