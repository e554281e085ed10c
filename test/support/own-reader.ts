// Reads whole messages with the rules of src/http, as the data plane does: find the end of the
// head, parse it, then its body. For tests that compare these rules with another reading.

import { ChunkedDecoder } from '../../src/http/bodies/chunked.ts';
import { INCOMPLETE } from '../../src/http/grammar/faults.ts';
import { USUAL_NAMES } from '../../src/http/grammar/field-kind.ts';
import { findHeadEnd, type FieldLines } from '../../src/http/grammar/fields.ts';
import { UNTIL_CLOSE } from '../../src/http/grammar/framing.ts';
import { Methods } from '../../src/http/grammar/methods.ts';
import { RequestHead } from '../../src/http/heads/request-head.ts';
import { ResponseHead } from '../../src/http/heads/response-head.ts';

export interface OwnRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
}

export interface OwnReading<T> {
  readonly messages: T[];
  /** A fault ended the reading; else it ended because bytes are missing or all are read. */
  readonly hasFault: boolean;
}

export interface OwnResponse {
  readonly status: number;
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** Position behind the message. */
  readonly end: number;
  /** The connection may carry another response. */
  readonly keepAlive: boolean;
}

const LIMITS = { headBytesMax: 65_536, headFieldsMax: 200, targetBytesMax: 8_192 };

/** Returns the complete requests in `text`; stops where a connection would close. */
export function ownRequests(text: string, further: readonly string[] = []): OwnReading<OwnRequest> {
  const bytes = Buffer.from(text, 'latin1');
  const messages: OwnRequest[] = [];
  const head = new RequestHead(LIMITS, USUAL_NAMES, new Methods(further));
  let at = 0;
  while (at < bytes.length) {
    const bodyAt = head.parse(bytes, at, bytes.length);
    if (bodyAt === INCOMPLETE)
      return { messages, hasFault: findHeadEnd(bytes, at, bytes.length) < 0 };
    if (bodyAt < 0) return { messages, hasFault: true };
    const body = readBody(bytes, bodyAt, head.bodyLength);
    if (body === undefined) return { messages, hasFault: false };
    if (body === 'fault') return { messages, hasFault: true };
    messages.push({
      method: head.method?.name ?? '',
      target: head.target(),
      version: `1.${head.minor}`,
      fields: fieldsOf(head),
      body: body.text,
      trailers: body.trailers,
    });
    // What follows a request that closes its connection is not read.
    if (!head.keepAlive) return { messages, hasFault: true };
    at = body.end;
  }
  return { messages, hasFault: false };
}

/** Returns the final response in `text`, or what stops it from being one. */
export function ownResponse(text: string, method: string): OwnResponse | 'fault' | 'incomplete' {
  const bytes = Buffer.from(text, 'latin1');
  const head = new ResponseHead(LIMITS);
  let at = 0;
  for (;;) {
    const bodyAt = head.parse(bytes, at, bytes.length, method === 'HEAD');
    if (bodyAt === INCOMPLETE) return 'incomplete';
    if (bodyAt < 0) return 'fault';
    if (head.status < 200) {
      at = bodyAt;
      continue;
    }
    const body = readBody(bytes, bodyAt, head.bodyLength);
    if (body === undefined) return 'incomplete';
    if (body === 'fault') return 'fault';
    return {
      status: head.status,
      fields: fieldsOf(head),
      body: body.text,
      trailers: body.trailers,
      end: body.end,
      keepAlive: head.keepAlive,
    };
  }
}

interface Body {
  readonly text: string;
  readonly trailers: readonly string[];
  readonly end: number;
}

function readBody(bytes: Buffer, at: number, length: number): Body | 'fault' | undefined {
  if (length === UNTIL_CLOSE)
    return { text: slice(bytes, at, bytes.length), trailers: [], end: bytes.length };
  if (length >= 0) {
    const end = at + length;
    return end > bytes.length ? undefined : { text: slice(bytes, at, end), trailers: [], end };
  }
  const decoder = new ChunkedDecoder();
  const end = decoder.push(bytes, at, bytes.length);
  if (end < 0) return 'fault';
  if (!decoder.isDone) return undefined;
  return { text: rangesText(bytes, decoder.ranges), trailers: trailerLines(decoder.trailers), end };
}

/** Returns the data that `ranges` of `bytes` cover. */
export function rangesText(bytes: Buffer, ranges: readonly number[]): string {
  let text = '';
  for (let i = 0; i < ranges.length; i += 2) text += slice(bytes, ranges[i]!, ranges[i + 1]!);
  return text;
}

function trailerLines(trailers: string): string[] {
  return trailers
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => {
      const colon = line.indexOf(':');
      return `${line.slice(0, colon)}: ${line.slice(colon + 1).replaceAll(/^[ \t]+|[ \t]+$/g, '')}`;
    });
}

function fieldsOf(head: { readonly bytes: Buffer; readonly lines: FieldLines }): string[] {
  const { bytes, lines } = head;
  return Array.from({ length: lines.count }, (_, i) => {
    const name = slice(bytes, lines.nameStart(i), lines.nameEnd(i));
    return `${name}: ${slice(bytes, lines.valueStart(i), lines.valueEnd(i))}`;
  });
}

function slice(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start, end);
}
