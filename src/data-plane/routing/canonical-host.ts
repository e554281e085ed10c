// The one host under which users see a service, and links that lead to it. The host of a link is always one
// that was configured or checked; of what the client has sent only port, path and query go on. Knows heads
// and services, no sockets.

import { usesTls, type Peer } from '../../http/forward/forwarding.ts';
import { FIELD } from '../../http/grammar/field-kind.ts';
import { COMMA } from '../../http/grammar/chars.ts';
import { hostEnd } from '../../http/grammar/host.ts';
import { text } from '../../http/grammar/text.ts';
import type { RequestHead } from '../../http/heads/request-head.ts';
import { isHealthCheck } from './health-check.ts';
import { movedTo, type OwnResponse } from './responses/own-response.ts';
import { CHALLENGE_PREFIX, pathOf } from './table/route-table.ts';
import type { RoutedService } from './table/routed-service.ts';

/** Where a client should have asked. */
interface Canonical {
  readonly host: string;
  /** As the client has said it, with its colon; often empty. */
  readonly port: string;
}

/** Beside an IPv6 address in brackets; nothing that a browser reads otherwise. */
const PLAIN_CHARS: ReadonlySet<string> = new Set('abcdefghijklmnopqrstuvwxyz0123456789.-_');

/** Tells whether `host`, a valid one in small letters without a dot at its end, can stand in a link. */
export function isPlainHost(host: string): boolean {
  if (host === '' || host.endsWith('.')) return false;
  if (host.startsWith('[')) return true;
  for (const char of host) if (!PLAIN_CHARS.has(char)) return false;
  return true;
}

/**
 * Returns where `head` should have been sent; undefined: it is where it belongs. Health checks ask by
 * address, ACME authorities by the name that they prove, and HTTP/1.0 may name no host.
 */
export function canonicalFor(
  { canonicalHost, healthPath }: RoutedService,
  head: RequestHead,
  peer: Peer,
): Canonical | undefined {
  if (canonicalHost === '') return undefined;
  const [host, port] = hostSeen(head, peer);
  if (host === canonicalHost || host === '') return undefined;
  if (isHealthCheck(healthPath, head)) return undefined;
  return pathOf(head).startsWith(CHALLENGE_PREFIX) ? undefined : { host: canonicalHost, port };
}

/** Sends the client of `head` to the canonical host, by the scheme and port that it has used. */
export function toCanonicalHost(
  service: RoutedService,
  head: RequestHead,
  peer: Peer,
): OwnResponse | undefined {
  const canonical = canonicalFor(service, head, peer);
  if (canonical === undefined) return undefined;
  const scheme = usesTls(head, peer) ? 'https' : 'http';
  const { host, port } = canonical;
  const usual = scheme === 'https' ? ':443' : ':80';
  return movedTo(
    `${scheme}://${host}${port === usual || port === ':' ? '' : port}${pathAndQueryOf(head)}`,
  );
}

/** Returns path and query of the request target, relative or absolute; `/` for `*`. */
export function pathAndQueryOf(head: RequestHead): string {
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

/**
 * Returns the host that the client has asked for and the port behind it, with its colon. A trusted proxy
 * may send another host on, and says so: going by that one, its clients would be sent round in a circle.
 */
function hostSeen(head: RequestHead, peer: Peer): [host: string, port: string] {
  const { bytes, lines, hostStart, hostStop } = head;
  const line = peer.isTrusted ? lines.find(FIELD.xForwardedHost, 0) : -1;
  if (line !== -1) {
    const start = lines.valueStart(line);
    const comma = bytes.indexOf(COMMA, start);
    const stop = lines.valueEnd(line);
    const told = hostAndPort(bytes, start, comma === -1 ? stop : Math.min(comma, stop));
    if (told !== undefined) return told;
  }
  return hostAndPort(bytes, hostStart, hostStop) ?? ['', ''];
}

/** Undefined: it is no host. */
function hostAndPort(
  bytes: Buffer,
  start: number,
  stop: number,
): [host: string, port: string] | undefined {
  const end = hostEnd(bytes, start, stop);
  if (end <= start) return undefined;
  const host = text(bytes, start, end).toLowerCase();
  return [host.endsWith('.') ? host.slice(0, -1) : host, text(bytes, end, stop)];
}
