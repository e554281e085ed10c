// What is answered before a request belongs to a service: to ACME authorities, and on listeners that
// send every client to https. Knows heads and the names that are ours, no sockets.

import type { Peer } from '../../http/forward/forwarding.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import { canonicalFor, isPlainHost, pathAndQueryOf } from './canonical-host.ts';
import { challengeResponse, movedTo, type OwnResponse } from './responses/own-response.ts';
import { refusalFor, type Refusal } from './responses/refusal.ts';
import { CHALLENGE_PREFIX, hostName, pathOf, type RouteTable } from './table/route-table.ts';
import type { RoutedService } from './table/routed-service.ts';

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
  readonly peer: Peer;
  /** Port of https where all its requests are sent; undefined: they are served. */
  readonly redirectPort: number | undefined;
}

const HTTPS_PORT = 443;

/** Returns the response to an ACME authority; undefined: the request is for another. */
export function challengeIn(parts: EntranceParts, head: RequestHead): OwnResponse | undefined {
  const path = pathOf(head);
  if (!path.startsWith(CHALLENGE_PREFIX)) return undefined;
  const answer = parts.answerFor(path.slice(CHALLENGE_PREFIX.length));
  return answer === undefined ? undefined : challengeResponse(answer);
}

/**
 * Returns where the client of `head` finds the same by https, under the canonical host where `service`
 * has one, so that no client is sent on twice. Only hosts that are ours: what a client names freely must
 * not become a link that looks as if we had given it.
 */
export function httpsFor(
  parts: EntranceParts,
  table: RouteTable,
  service: RoutedService | undefined,
  { head, client, port }: { head: RequestHead; client: EnteringClient; port: number },
): OwnResponse | Refusal {
  const asked = hostName(head);
  const isOurs = isPlainHost(asked) && (table.names(asked) || parts.hasCertificateFor(asked));
  if (!isOurs) return refusalFor('NO_ROUTE', 'no service and no certificate is for this host');
  const canonical = service === undefined ? undefined : canonicalFor(service, head, client.peer);
  const host = canonical?.host ?? asked;
  const authority = port === HTTPS_PORT ? host : `${host}:${port}`;
  return movedTo(`https://${authority}${pathAndQueryOf(head)}`);
}
