// Pure: which requests the admin API hears at all. Bound to loopback it has no token, so
// what must be kept out is the web page in a browser on the same machine.

import { isLoopback } from '../../config/host.ts';
import type { ListenAddress } from '../../contract/settings.ts';
import { OperatorError } from '../problems.ts';

/**
 * Refuses a `Host` that is not loopback: a name that somebody else's DNS points here
 * (DNS rebinding) would make his page the same origin as this API.
 */
export function checkHost(host: string | undefined, listen: ListenAddress): void {
  // Browsers reach no Unix socket, and send Host always; an HTTP/1.0 probe may not.
  if (listen.kind === 'unix' || host === undefined) return;
  const name = hostName(host);
  if (name !== undefined && (isLoopback(name) || name === listen.host.toLowerCase())) return;
  throw new OperatorError('host-not-allowed', 'expected localhost or a loopback address in Host');
}

/** Refuses a request that a page of another origin makes. */
export function checkOrigin(origin: string | undefined, host: string | undefined): void {
  if (origin === undefined || origin === `http://${host}`) return;
  throw new OperatorError('origin-not-allowed', 'expected no Origin, or the one of this API');
}

/**
 * Refuses any body but JSON, also an empty one: a form or a simple request of a page needs
 * no permission of ours, one with this type does.
 */
export function checkContentType(contentType: string | undefined): void {
  const essence = contentType?.split(';', 1)[0]!.trim().toLowerCase();
  if (essence === 'application/json') return;
  throw new OperatorError('content-type-not-json', 'send content-type: application/json');
}

/**
 * Returns the generations of an `If-Match`, or undefined where any will do.
 * RFC 9110 §13.1.1: `*` or a list of entity tags; weak ones never match, so none is taken.
 */
export function parseIfMatch(field: string | undefined): number[] | undefined {
  if (field === undefined || field.trim() === '*') return undefined;
  const tags = field.split(',').map((tag) => /^"(\d{1,15})"$/.exec(tag.trim())?.[1]);
  if (tags.every((tag) => tag !== undefined)) return tags.map(Number);
  throw new OperatorError('if-match-malformed', 'expected a generation in quotes, as in "12"');
}

/** Returns the host of a `Host` field, lower-case and without port and brackets. */
function hostName(field: string): string | undefined {
  const found = /^(?:\[([0-9a-f:.]+)\]|([^:[\]@/\\]+))(?::\d{1,5})?$/i.exec(field);
  return (found?.[1] ?? found?.[2])?.toLowerCase();
}
