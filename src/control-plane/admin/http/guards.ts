// Pure: which requests the admin API hears at all. Bound to loopback it asks for no token, and a
// browser sends a client certificate for any page, so what must be kept out is the web page in a
// browser of an operator.

import { isIP } from 'node:net';
import { isLoopback } from '../../../config/values/host-name.ts';
import type { ListenAddress } from '../../../contract/worker-settings.ts';
import { OperatorError } from '../../base/problems.ts';

/** By which names a listener may be asked. */
export interface OwnNames {
  readonly listen: ListenAddress;
  /** Further names, in normal form. */
  readonly hosts: readonly string[];
  /** Where those are set. */
  readonly setting: 'admin.hosts' | 'metrics.hosts';
}

/** Of these Node takes the first and drops the others; a proxy before us may take the last. */
const ONCE: ReadonlySet<string> = new Set(['host', 'authorization', 'content-type']);

/** Refuses what two readers could read as two different requests. */
export function checkOneReading(
  target: string,
  host: string | undefined,
  rawFields: readonly string[],
): void {
  const names = rawFields.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  const twice = names.find((name, index) => ONCE.has(name) && names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new OperatorError('request-malformed', `expected the field ${twice} once`);
  }
  // RFC 9112 §3.2.2: the host of an absolute target is the one that counts.
  const authority = /^https?:\/\/([^/?#]*)/i.exec(target)?.[1];
  if (authority === undefined || authority.toLowerCase() === host?.toLowerCase()) return;
  throw new OperatorError('request-malformed', 'expected the same host in the target and in Host');
}

/** `x-turnout-hops` as a Turnout writes it, and in every spelling that could be read as that. */
const HOPS_MARK = /^x[^a-z0-9]turnout[^a-z0-9]hops$/i;

/**
 * Refuses what a Turnout has passed on, this one or another: its clients are no operators, whatever
 * target was set by mistake or by malice. Each Turnout marks what it sends, and no client can take
 * the mark away.
 */
export function checkCameStraight(rawFields: readonly string[]): void {
  const isMarked = rawFields.some((name, index) => index % 2 === 0 && HOPS_MARK.test(name));
  if (!isMarked) return;
  throw new OperatorError(
    'came-through-turnout',
    'a target of a Turnout leads to this listener; operators and scrapers come straight',
  );
}

/**
 * Refuses a `Host` that is not ours: a foreign name whose DNS points here (DNS rebinding) would make
 * the page behind it the same origin as this API.
 */
export function checkHost(host: string | undefined, { listen, hosts, setting }: OwnNames): void {
  // Browsers reach no Unix socket, and send Host always; an HTTP/1.0 probe may not.
  if (listen.kind === 'unix' || host === undefined) return;
  const name = hostName(host);
  if (name !== undefined && (isOwn(name, listen.host.toLowerCase()) || hosts.includes(name)))
    return;
  throw new OperatorError(
    'host-not-allowed',
    `expected the address of this listener, localhost or a name of ${setting} in Host`,
  );
}

function isOwn(name: string, listenHost: string): boolean {
  if (isLoopback(name) || name === listenHost) return true;
  // An address needs no DNS, so no page can be rebound to it. Behind another machine it may be any, unless it is ours alone.
  return !isLoopback(listenHost) && isIP(name) !== 0;
}

/** Refuses a request that a page of another origin makes. */
export function checkOrigin(
  { origin, site }: { readonly origin: string | undefined; readonly site: string | undefined },
  own: string,
): void {
  if (origin !== undefined && origin !== own) {
    throw new OperatorError('origin-not-allowed', 'expected no Origin, or the one of this API');
  }
  // What a browser says by itself (Fetch Metadata); a page can't change it. A page on another port
  // of this machine is the same site.
  if (site === undefined || site === 'same-origin' || site === 'none') return;
  throw new OperatorError(
    'origin-not-allowed',
    'a page or link of another origin leads here; enter the address by hand',
  );
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

/** Returns the host of a `Host` field, lower-case and without port and brackets. */
function hostName(field: string): string | undefined {
  const found = /^(?:\[([0-9a-f:.]+)\]|([^:[\]@/\\]+))(?::\d{1,5})?$/i.exec(field);
  return (found?.[1] ?? found?.[2])?.toLowerCase();
}
