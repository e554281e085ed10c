// One signed POST to a URL that the configuration names: sent once, within a time, without following
// redirects, never to a listener of Turnout itself. Says what was answered, or why nothing was. Whether
// it is tried again, and what an answer means, is decided elsewhere.

import { createHmac } from 'node:crypto';
import type { LookupAddress } from 'node:dns';
import { request as plainRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as secureRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import { epochMs } from '../../base/clock.ts';
import { durationText } from '../../base/duration.ts';
import { VERSION } from '../../base/version.ts';
import { visibleText } from '../../base/visible-text.ts';
import { readText } from '../../config/read-text.ts';
import { codeOf, messageOf } from '../base/problems.ts';
import type { DnsClient } from '../targets/lookup.ts';
import type { IsOurs } from '../targets/own-places.ts';
import { readSecrets } from '../base/secret-file.ts';

/** Of an answer; a verdict needs some hundred. */
const POST_ANSWER_BYTES_MAX = 65_536;
/** Of the head of an answer. */
const POST_HEAD_BYTES_MAX = 16_384;
/** Of a reason that is told. */
const REASON_CHARS_MAX = 300;

export interface PostRequest {
  /** `http:` or `https:`, as the configuration has it. */
  readonly url: string;
  /** JSON. */
  readonly body: string;
  /** The same for the same question or event, however often it is sent: the receiver knows a repetition by it. */
  readonly attempt: string;
  /** Empty: it is not signed. */
  readonly secretFile: string;
  /** Further authorities, as PEM; empty or left out: those of the system alone. */
  readonly caFile?: string;
  /** For the whole of it, the lookup of the name included. */
  readonly withinMs: number;
  /** Ends it sooner. */
  readonly signal?: AbortSignal;
}

export type PostResult =
  | {
      readonly kind: 'answered';
      readonly status: number;
      /** At most POST_ANSWER_BYTES_MAX. */
      readonly body: string;
      /** It was longer than that. */
      readonly isCut: boolean;
      /** From `Retry-After`, seconds or a date; undefined: none, or not understood. */
      readonly retryAfterMs: number | undefined;
    }
  /** Nothing was answered, or not to the end. `reason` is one line without path, query or credentials of the URL. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Sends one; never rejects. */
export type SignedPost = (request: PostRequest) => Promise<PostResult>;

export interface PostParts {
  readonly isOurs: IsOurs;
  readonly dns: Pick<DnsClient, 'addresses'>;
}

/** Makes the sender. */
export function signedPost({ isOurs, dns }: PostParts): SignedPost {
  return async (asked) => {
    const deadline = AbortSignal.timeout(asked.withinMs);
    const signal =
      asked.signal === undefined ? deadline : AbortSignal.any([asked.signal, deadline]);
    try {
      signal.throwIfAborted();
      return await send(asked, signal, { dns, isOurs });
    } catch (error) {
      if (asked.signal?.aborted === true) return { kind: 'failed', reason: 'called off' };
      if (deadline.aborted) {
        return { kind: 'failed', reason: `no answer after ${durationText(asked.withinMs)}` };
      }
      return { kind: 'failed', reason: reasonOf(error) };
    }
  };
}

/** Returns `turnout-signature` of `body`: one `v1` for each secret, the first one is the newest. */
export function signatureOf(secrets: readonly Buffer[], body: string, nowMs: number): string {
  const t = Math.floor(nowMs / 1_000);
  const macs = secrets.map((secret) => createHmac('sha256', secret).update(`${t}.${body}`));
  return [`t=${t}`, ...macs.map((mac) => `v1=${mac.digest('hex')}`)].join(',');
}

/** Returns a URL as status and logs may name it: what comes after the host is often the secret itself. */
export function urlName(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'a URL that cannot be read';
}

/** Why a request must not be sent; the message is for the operator. */
class OwnListener extends Error {
  override readonly name = 'OwnListener';
  override readonly message = 'it leads to a listener of Turnout itself';
}

async function send(
  { url, body, attempt, secretFile, caFile = '' }: PostRequest,
  signal: AbortSignal,
  { dns, isOurs }: PostParts,
): Promise<PostResult> {
  const { protocol, hostname, port, pathname, search, username, password, host } = new URL(url);
  const isSecure = protocol === 'https:';
  if (!isSecure && protocol !== 'http:')
    throw new Error(`expected http: or https:, not ${protocol}`);
  const bare = hostname.replace(/^\[|\]$/g, '');
  const to = { kind: 'tcp', host: bare, port: Number(port || (isSecure ? 443 : 80)) } as const;
  // A name is judged by where it leads.
  if (isIP(bare) !== 0 && isOurs(to)) throw new OwnListener();
  const options: RequestOptions = {
    method: 'POST',
    host: bare,
    port: to.port,
    path: pathname + search,
    ...(username === ''
      ? {}
      : { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` }),
    headers: {
      host,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': `turnout/${VERSION}`,
      accept: 'application/json',
      connection: 'close',
      'turnout-attempt': attempt,
      ...(secretFile === ''
        ? {}
        : { 'turnout-signature': signatureOf(readSecrets(secretFile), body, epochMs()) }),
    },
    agent: false, // a connection of its own: one that was kept may be dead
    maxHeaderSize: POST_HEAD_BYTES_MAX,
    lookup: lookupOf({ dns, isOurs }, to.port),
    ...(isSecure ? authorities(caFile) : {}),
  };
  const running = isSecure ? secureRequest(options) : plainRequest(options);
  const { promise, resolve, reject } = Promise.withResolvers<PostResult>();
  const callOff = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', callOff, { once: true });
  running.on('error', reject); // also those after the end, which mean nothing
  running.on('response', (response) => {
    read(response).then(resolve, reject);
  });
  running.on('upgrade', (response, socket) => {
    socket.destroy();
    resolve(answered(response, '', false));
  });
  try {
    running.end(body);
    return await promise;
  } finally {
    signal.removeEventListener('abort', callOff);
    running.destroy();
  }
}

async function read(response: IncomingMessage): Promise<PostResult> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > POST_ANSWER_BYTES_MAX) break;
  }
  const bytes = Buffer.concat(chunks).subarray(0, POST_ANSWER_BYTES_MAX);
  return answered(response, bytes.toString('utf8'), length > POST_ANSWER_BYTES_MAX);
}

function answered(
  { statusCode = 0, headers }: IncomingMessage,
  body: string,
  isCut: boolean,
): PostResult {
  const retryAfterMs = parseRetryAfter(headers['retry-after'], epochMs());
  return { kind: 'answered', status: statusCode, body, isCut, retryAfterMs };
}

/** Returns the wait that a `Retry-After` asks for (RFC 9110 §10.2.3). */
export function parseRetryAfter(field: string | undefined, nowMs: number): number | undefined {
  if (field === undefined) return undefined;
  if (/^\d{1,9}$/.test(field)) return Number(field) * 1_000;
  const atMs = /^[A-Z][a-z]{2}, /.test(field) ? Date.parse(field) : NaN;
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

/** Returns the authorities that a connection over TLS believes; the file is read at each use. */
export function authorities(caFile: string): { readonly ca?: string[] } {
  if (caFile === '') return {};
  const file = readText(caFile);
  if (!file.ok) throw new Error(file.problem);
  return { ca: [...getCACertificates('default'), file.value] };
}

/** Looks a name up for a connection to `port`, and leaves out what is ours: a name may lead elsewhere each time. */
export function lookupOf({ dns, isOurs }: PostParts, port: number): LookupFunction {
  return (host, { all }, answer) => {
    const given = (found: readonly LookupAddress[]): void => {
      const [first] = found;
      if (first === undefined) answer(new Error('the name is not known'), '');
      else if (all === true) answer(null, [...found]);
      else answer(null, first.address, first.family);
    };
    theirs(host, port, { dns, isOurs }).then(given, (error: Error) => answer(error, ''));
  };
}

async function theirs(
  host: string,
  port: number,
  { dns, isOurs }: PostParts,
): Promise<readonly LookupAddress[]> {
  const [four, six] = await Promise.allSettled([dns.addresses(host, 4), dns.addresses(host, 6)]);
  const found = [...addressesOf(four, 4), ...addressesOf(six, 6)];
  if (found.length === 0 && four.status === 'rejected') throw four.reason;
  const kept = found.filter(({ address }) => !isOurs({ kind: 'tcp', host: address, port }));
  if (found.length > 0 && kept.length === 0) throw new OwnListener();
  return kept;
}

function addressesOf(
  found: PromiseSettledResult<readonly string[]>,
  family: 4 | 6,
): LookupAddress[] {
  // Half an answer is enough to connect.
  return found.status === 'rejected' ? [] : found.value.map((address) => ({ address, family }));
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection closed before the answer ended',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  EPIPE: 'the connection closed before the answer ended',
  ETIMEDOUT: 'the system gave up connecting',
  EACCES: 'a file may not be read',
  ENOENT: 'a file is not there',
  HPE_HEADER_OVERFLOW: 'the head of the answer is too large',
};

/**
 * Returns on one line why a request failed. A connection that was tried at several addresses fails with one
 * error for each.
 */
export function reasonOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = codeOf(first);
  if (code.startsWith('HPE_')) return REASONS[code] ?? 'the answer is not HTTP/1.1';
  return visibleText(REASONS[code] ?? messageOf(first)).slice(0, REASON_CHARS_MAX);
}
