// Relays answers: head, body and trailers from the target's framing into the client's. Each
// function returns whether the client takes more; false pauses the target's connection.

import { STATUS_CODES } from 'node:http';
import { ONE_WRITE_BYTES_MAX } from '../../base/limits.ts';
import { CACHE_FIELDS, privateControl } from '../../http/cache-control.ts';
import { encodeChunk, frameInPlace, gather, lastChunk, rangesLength } from '../../http/chunked.ts';
import { copyHead, dropTable } from '../../http/copy-head.ts';
import { FIELD } from '../../http/field-kind.ts';
import type { ResponseHead } from '../../http/response-head.ts';
import type { Exchange } from './exchange.ts';

/** Only the proxy itself says these to a client. */
const OWN = [FIELD.xTurnout];
const DROPPED = dropTable(OWN);
/** RFC 9110 §8.6: no length in answers that never have a body. */
const DROPPED_BODILESS = dropTable([...OWN, FIELD.contentLength]);
/** What caches may do is said anew. */
const DROPPED_CACHING = dropTable([...OWN, ...CACHE_FIELDS]);
const DROPPED_BODILESS_CACHING = dropTable([...OWN, ...CACHE_FIELDS, FIELD.contentLength]);
const DROPPED_SWITCHING = dropTable([...OWN, FIELD.contentLength], [FIELD.upgrade]);

/** Relays a 1xx answer; HTTP/1.0 knows none (RFC 9110 §15.2). */
export function relayInformational(exchange: Exchange, head: ResponseHead): void {
  if (exchange.minor === 0) return;
  const sent = statusLine(head) + copyHead(head, fieldsFrom(head), head.end - 2, DROPPED_BODILESS);
  exchange.client.write(`${sent}\r\n`);
}

/** Relays the head of a 101 answer; what follows it is no longer HTTP. */
export function relaySwitching(exchange: Exchange, head: ResponseHead): void {
  exchange.status = head.status;
  exchange.isHeadSent = true;
  const sent = statusLine(head) + copyHead(head, fieldsFrom(head), head.end - 2, DROPPED_SWITCHING);
  exchange.client.write(
    `${sent}Connection: upgrade\r\n${exchange.side.responseFields}${exchange.viaFields[head.minor]}${exchange.sessionField}\r\n`,
  );
}

/**
 * Relays the final head together with the first part of the body: `part` are data runs in the
 * bytes of `head`. `trailers` is a string (often empty) when the body is complete.
 */
export function startReply(
  exchange: Exchange,
  head: ResponseHead,
  part: readonly number[],
  trailers: string | undefined,
): boolean {
  exchange.status = head.status;
  exchange.isHeadSent = true;
  exchange.heedStop();
  const hasLength = head.bodyLength >= 0;
  if (!hasLength && exchange.minor === 0) exchange.keepAlive = false; // The close ends the body.
  exchange.isReplyChunked = !hasLength && exchange.minor === 1;

  const isBodiless = head.status === 204;
  let dropped = isBodiless ? DROPPED_BODILESS : DROPPED;
  let added = addedFields(exchange, head);
  const caching = cachingFields(exchange, head);
  if (caching !== '') {
    added += caching;
    dropped = isBodiless ? DROPPED_BODILESS_CACHING : DROPPED_CACHING;
  }
  if (added === '' && hasLength && head.isLineWhole) {
    const stop = part[1]!;
    if (stop - head.start <= ONE_WRITE_BYTES_MAX) {
      // The usual answer: head and body lie side by side and leave as one string.
      return exchange.client.write(copyHead(head, head.start, stop, dropped));
    }
  }
  const fields = copyHead(head, fieldsFrom(head), head.end - 2, dropped);
  const before = `${statusLine(head)}${fields}${added}\r\n`;
  return send(exchange, head.bytes, part, before, trailers);
}

/** Relays the next part of a body; `trailers` as in startReply. */
export function relayBody(
  exchange: Exchange,
  bytes: Buffer,
  part: readonly number[],
  trailers: string | undefined,
): boolean {
  return send(exchange, bytes, part, '', trailers);
}

/** Frames a part of a body for the client and sends it behind `before`. */
function send(
  exchange: Exchange,
  bytes: Buffer,
  part: readonly number[],
  before: string,
  trailers: string | undefined,
): boolean {
  const length = rangesLength(part);
  const isChunked = exchange.isReplyChunked;
  const tail = isChunked && trailers !== undefined ? lastChunk(trailers) : '';
  if (length > ONE_WRITE_BYTES_MAX && (isChunked || part.length === 2)) {
    // One write and no copy: our head and framing fit where theirs were, around the data.
    const first = isChunked ? `${(part[1]! - part[0]!).toString(16)}\r\n` : '';
    const framed = frameInPlace(bytes, part, before + first, isChunked ? `\r\n${tail}` : '');
    if (framed !== undefined) return exchange.client.writeView(framed);
  }
  const copy = isChunked ? encodeChunk(bytes, part, before, tail) : gather(bytes, part, before, '');
  return exchange.client.write(copy);
}

/** Empty when the status line can be copied as it came. */
function statusLine(head: ResponseHead): string {
  // RFC 9112 §2.3: a proxy speaks its own version.
  return head.isLineWhole ? '' : `HTTP/1.1 ${head.status} ${STATUS_CODES[head.status] ?? ''}\r\n`;
}

function fieldsFrom(head: ResponseHead): number {
  return head.isLineWhole ? head.start : head.fieldsStart;
}

/** What caches are told because of us; empty: what the target says stands. */
function cachingFields(exchange: Exchange, head: ResponseHead): string {
  // Neither color has it, so nobody shall keep that it is not there.
  if (exchange.isRescue && head.status === 404) return 'Cache-Control: no-store\r\n';
  if (exchange.sessionField === '' || !maySetSession(head)) return '';
  return privateControl(head, exchange.method.isSafe);
}

/** A 304 changes what a cache has kept, also a shared one (RFC 9111 §3.2). */
function maySetSession(head: ResponseHead): boolean {
  return head.status !== 304;
}

/** Fields of ours: framing and connection towards this client, and what policy adds. */
function addedFields(exchange: Exchange, head: ResponseHead): string {
  let added = exchange.side.responseFields + exchange.viaFields[head.minor]!;
  if (exchange.isReplyChunked || (head.isChunked && exchange.isHead && exchange.minor === 1)) {
    added += 'Transfer-Encoding: chunked\r\n';
  }
  if (exchange.sessionField !== '' && maySetSession(head)) added += exchange.sessionField;
  if (!exchange.keepAlive) added += 'Connection: close\r\n';
  else if (exchange.minor === 0) added += 'Connection: keep-alive\r\n';
  return added;
}
