// The lines of the access log in each of its formats. Whatever a client sends, a request is one line of
// bounded length, and what stands in quotes stays in them. docs/access-log.md names every field.

import { FAILURES, type FailureCode } from '../../base/failures.ts';
import { droppedText } from '../../base/log-writer.ts';
import { DECISIONS, RETRY_REASONS } from '../../contract/counters.ts';
import type { AccessLogPolicy } from '../../contract/worker-settings.ts';
import { TRACE_ID_DIGITS } from '../../http/forward/traceparent.ts';
import type { Exchange } from './exchange.ts';
import { fieldIn, queryOf, targetIn, withoutQuery } from './request-text.ts';

/** What a line says of a request; what is not known is left out. */
export interface AccessEntry {
  readonly client: string;
  readonly status: number;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  readonly query?: string | undefined;
  /** `1.0` or `1.1`. */
  readonly version?: string | undefined;
  readonly host?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly referrer?: string | undefined;
  readonly requestId?: string | undefined;
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
  readonly service?: string | undefined;
  readonly color?: string | undefined;
  readonly release?: string | undefined;
  readonly generation?: number | undefined;
  readonly reason?: string | undefined;
  readonly target?: string | undefined;
  readonly address?: string | undefined;
  readonly ms?: number | undefined;
  readonly firstByteMs?: number | undefined;
  readonly requestBytes?: number | undefined;
  readonly responseBytes?: number | undefined;
  readonly retries?: number | undefined;
  readonly retryReason?: string | undefined;
  readonly failure?: FailureCode | undefined;
}

/** Characters of each text that a client chooses; a line is shorter than all of them together. */
const PATH_MAX = 2_048;
const QUERY_MAX = 1_024;
const REFERRER_MAX = 1_024;
const USER_AGENT_MAX = 512;
const HOST_MAX = 255;

/** Returns what is logged of an exchange that has ended after `elapsedMs`. */
export function entryOf(
  exchange: Exchange,
  elapsedMs: number,
  { format, query }: AccessLogPolicy,
): AccessEntry {
  const { pool, request, response, requestId, trace, tunnel } = exchange;
  const { head } = request;
  const target = targetIn(head);
  // Where no target was asked, no release had a part in it.
  const deployment = exchange.wasTargetAsked ? exchange.deployment : undefined;
  const referrer = format === 'combined' ? fieldIn(head, 'referer') : undefined;
  return {
    client: exchange.client.peer.address,
    method: exchange.method.name,
    path: short(withoutQuery(target), PATH_MAX),
    query: query ? short(queryOf(target), QUERY_MAX) : undefined,
    version: `1.${exchange.minor}`,
    host: short(fieldIn(head, 'host'), HOST_MAX),
    userAgent: short(fieldIn(head, 'user-agent'), USER_AGENT_MAX),
    referrer: referrer === undefined ? undefined : referrerText(referrer, query),
    status: response.status,
    requestId: requestId || undefined,
    traceId: trace.slice(0, TRACE_ID_DIGITS) || undefined,
    spanId: trace.slice(TRACE_ID_DIGITS + 1) || undefined,
    service: exchange.deployment.service || undefined,
    color: deployment?.color,
    release: deployment?.release,
    generation: deployment?.generation,
    reason: deployment === undefined ? undefined : DECISIONS[exchange.reason],
    target: pool?.endpoint.url,
    address: pool?.endpoint.place,
    ms: Math.round(elapsedMs * 1_000) / 1_000,
    firstByteMs: response.firstByteMicros === 0 ? undefined : response.firstByteMicros / 1_000,
    requestBytes: request.bytes + (tunnel?.bytes ?? 0),
    responseBytes: response.bytes,
    retries: exchange.retries,
    retryReason: RETRY_REASONS[exchange.retryReason ?? -1],
    failure: exchange.failure,
  };
}

/** Returns the line of `entry`, with its line end. */
export function lineOf(entry: AccessEntry, format: AccessLogPolicy['format']): string {
  switch (format) {
    case 'ecs':
      return ecsLine(entry);
    case 'combined':
      return combinedLine(entry);
    default:
      return jsonLine(entry);
  }
}

/** Returns the line that tells of `count` lines that were dropped: JSON in every format. */
export function droppedLine(count: number): string {
  const time = new Date().toISOString();
  return printed({ level: 'warn', time, kind: 'access', dropped: count, msg: droppedText(count) });
}

function jsonLine({ client, version, failure, ...rest }: AccessEntry): string {
  return printed({
    time: new Date().toISOString(),
    kind: 'access',
    client,
    protocol: version === undefined ? undefined : `HTTP/${version}`,
    ...rest,
    failure,
    blame: failure === undefined ? undefined : FAILURES[failure].blame,
  });
}

/** Elastic Common Schema 8: its names where it has one, `turnout.*` for the rest. */
function ecsLine(entry: AccessEntry): string {
  const { client, failure, ms, status } = entry;
  const isAddress = client !== 'unknown';
  return printed({
    '@timestamp': new Date().toISOString(),
    'log.level': status >= 500 ? 'error' : 'info',
    'ecs.version': '8.11.0',
    'event.kind': 'event',
    'event.category': ['web'],
    'event.type': ['access'],
    'event.dataset': 'turnout.access',
    'event.outcome': status >= 400 ? 'failure' : 'success',
    'event.duration': ms === undefined ? undefined : Math.round(ms * 1_000_000), // ns
    'client.address': client,
    'client.ip': isAddress ? client : undefined,
    'http.version': entry.version,
    'http.request.method': entry.method,
    'http.request.id': entry.requestId,
    'http.request.body.bytes': entry.requestBytes,
    'http.response.status_code': status,
    'http.response.bytes': entry.responseBytes,
    'url.domain': entry.host,
    'url.path': entry.path,
    'url.query': entry.query,
    'user_agent.original': entry.userAgent,
    'trace.id': entry.traceId,
    'span.id': entry.spanId,
    'service.name': entry.service,
    'error.code': failure,
    'turnout.blame': failure === undefined ? undefined : FAILURES[failure].blame,
    'turnout.color': entry.color,
    'turnout.release': entry.release,
    'turnout.generation': entry.generation,
    'turnout.reason': entry.reason,
    'turnout.target': entry.target,
    'turnout.address': entry.address,
    'turnout.first_byte_ms': entry.firstByteMs,
    'turnout.retries': entry.retries,
    'turnout.retry_reason': entry.retryReason,
  });
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** Combined Log Format of Apache: `%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-agent}i"`. */
function combinedLine(entry: AccessEntry): string {
  const { client, method, path = '', query, version, responseBytes } = entry;
  const target = query === undefined ? path : `${path}?${query}`;
  const request = method === undefined ? '-' : `${method} ${target} HTTP/${version}`;
  const sent = responseBytes === undefined || responseBytes === 0 ? '-' : responseBytes;
  return (
    `${client === 'unknown' ? '-' : client} - - [${apacheTime(new Date())}] ${quoted(request)} ` +
    `${entry.status} ${sent} ${quoted(entry.referrer)} ${quoted(entry.userAgent)}\n`
  );
}

/** `30/Nov/2026:09:05:01 +0000` */
function apacheTime(time: Date): string {
  const iso = time.toISOString();
  const month = MONTHS[time.getUTCMonth()];
  return `${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
}

/** As Apache does it: `\"`, `\\` and `\xhh` for what is not printable ASCII. */
function quoted(text: string | undefined): string {
  if (text === undefined || text === '') return '"-"';
  let safe = '';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22 || code === 0x5c) safe += `\\${text[i]}`;
    else if (code < 0x20 || code > 0x7e) safe += `\\x${code.toString(16).padStart(2, '0')}`;
    else safe += text[i];
  }
  return `"${safe}"`;
}

/** The page that led here; its query holds secrets as any other. */
function referrerText(referrer: string, withQuery: boolean): string {
  const query = withQuery ? queryOf(referrer) : undefined;
  const page = withoutQuery(referrer);
  return short(query === undefined ? page : `${page}?${query}`, REFERRER_MAX);
}

function short(text: string, max: number): string;
function short(text: string | undefined, max: number): string | undefined;
function short(text: string | undefined, max: number): string | undefined {
  return text === undefined || text.length <= max ? text : `${text.slice(0, max)}...`;
}

/** JSON escapes line ends itself; controls of terminals beyond ASCII it leaves as they are. */
function printed(fields: object): string {
  const text = JSON.stringify(fields);
  // Nearly every line is plain ASCII.
  if (Buffer.byteLength(text) === text.length && !text.includes('\x7f')) return `${text}\n`;
  let safe = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x7f || code > 0x9f) continue;
    safe += `${text.slice(from, i)}\\u00${code.toString(16)}`;
    from = i + 1;
  }
  return `${safe}${text.slice(from)}\n`;
}
