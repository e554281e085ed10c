// What is answered before a request belongs to a service: to ACME authorities, and on listeners that
// send every client to https. Knows heads and the names that are ours, no sockets.

import type { RequestHead } from '../../http/heads/request-head.ts';
import { challengeResponse, movedTo, type OwnResponse } from './own-response.ts';
import { refusalFor, type Refusal } from './refusal.ts';
import { hostName, pathOf, type RouteTable } from './route-table.ts';

/** What is asked of the worker. */
export interface EntranceParts {
  /** An ACME authority is expected. */
  readonly hasChallenges: boolean;
  /** Returns what an ACME authority gets for `token`; undefined: we know of none. */
  answerFor(token: string): string | undefined;
  /** A certificate is for `host`. */
  hasCertificateFor(host: string): boolean;
}

/** What is known of the client. */
export interface EnteringClient {
  /** Port of https where all its requests are sent; undefined: they are served. */
  readonly redirectPort: number | undefined;
}

const CHALLENGE_PREFIX = '/.well-known/acme-challenge/';
const HTTPS_PORT = 443;

/** Returns the response to an ACME authority; undefined: the request is for another. */
export function challengeIn(parts: EntranceParts, head: RequestHead): OwnResponse | undefined {
  const path = pathOf(head);
  if (!path.startsWith(CHALLENGE_PREFIX)) return undefined;
  const answer = parts.answerFor(path.slice(CHALLENGE_PREFIX.length));
  return answer === undefined ? undefined : challengeResponse(answer);
}

/**
 * Returns where the client of `head` finds the same by https. Only hosts that are ours: what a client
 * names freely must not become a link that looks as if we had given it.
 */
export function httpsFor(
  parts: EntranceParts,
  table: RouteTable,
  head: RequestHead,
  port: number,
): OwnResponse | Refusal {
  const host = hostName(head);
  if (host === '' || !(table.names(host) || parts.hasCertificateFor(host))) {
    return refusalFor('NO_ROUTE', 'no service and no certificate is for this host');
  }
  const authority = port === HTTPS_PORT ? host : `${host}:${port}`;
  return movedTo(`https://${authority}${pathAndQueryOf(head)}`);
}

/** Returns path and query of the request target, relative or absolute; `/` for `*`. */
function pathAndQueryOf(head: RequestHead): string {
  const target = head.target();
  if (target.startsWith('/')) return target;
  const authority = target.indexOf('://');
  if (authority === -1) return '/';
  const rest = target.slice(authority + 3);
  const slash = rest.indexOf('/');
  const query = rest.indexOf('?');
  if (slash !== -1 && (query === -1 || slash < query)) return rest.slice(slash);
  return query === -1 ? '/' : `/${rest.slice(query)}`;
}
