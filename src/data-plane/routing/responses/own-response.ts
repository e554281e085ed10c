// Responses of the proxy's own that tell of no failure.

import { STATUS_CODES } from 'node:http';
import { wholeResponse, type OwnEnding } from './refusal.ts';

export interface OwnResponse {
  readonly status: 200 | 308;
  /** Where the client is sent; empty: nowhere. */
  readonly location: string;
  readonly body: string;
}

/** To a health check of a service that is held or in maintenance. */
export const HEALTHY: OwnResponse = {
  status: 200,
  location: '',
  body: 'ok: Turnout answers, the service waits\n',
};

/** To an ACME authority that looks whether a name is ours (RFC 8555 §8.3). */
export function challengeResponse(answer: string): OwnResponse {
  return { status: 200, location: '', body: answer };
}

/** Sends the client to `location`, with the same method and body (RFC 9110 §15.4.9). */
export function movedTo(location: string): OwnResponse {
  return { status: 308, location, body: '' };
}

/** Returns the whole response. */
export function ownResponse({ status, location, body }: OwnResponse, ending: OwnEnding): string {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    ...(body === '' ? [] : ['Content-Type: text/plain; charset=utf-8']),
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
    ...(location === '' ? [] : [`Location: ${location}`]),
  ];
  return wholeResponse(lines, body, ending);
}
