// The answers the proxy makes itself, one per failure code. They name the failure in words and
// in a field, and never anything about the inside of the network.

import { STATUS_CODES } from 'node:http';
import { FAILURES, type FailureCode } from '../base/failures.ts';

const RETRY_AFTER_SECONDS = 1;

/**
 * Returns the whole answer for `code`. `detail` replaces the general sentence; `keepAlive` false
 * announces the close; an answer to HEAD has no body (RFC 9110 §9.3.2).
 */
export function refusalAnswer(
  code: FailureCode,
  options: {
    readonly detail: string | undefined;
    readonly keepAlive: boolean;
    readonly isHead: boolean;
  },
): string {
  const { status, detail } = FAILURES[code];
  const body = `${status} ${code}: ${options.detail ?? detail}\n`;
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
    `X-Turnout-Failure: ${code}`,
  ];
  if (status === 503) lines.push(`Retry-After: ${RETRY_AFTER_SECONDS}`);
  if (!options.keepAlive) lines.push('Connection: close');
  return `${lines.join('\r\n')}\r\n\r\n${options.isHead ? '' : body}`;
}
