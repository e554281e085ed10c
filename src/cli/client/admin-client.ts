// Asks the admin API of a running Turnout, over TCP, TLS or a Unix socket, within bounded time.
// Knows how to ask, what can go wrong on the way, and how an answer is read; not what it means.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, errors } from 'undici';
import { durationText } from '../../base/duration.ts';
import { printAddress } from '../../contract/worker-settings.ts';
import { printConnection, type Connection } from './admin-connection.ts';
import type { z } from 'zod';
import type { ProblemCode } from '../../api/problem-codes.ts';
import { problemAnswer, type ProblemAnswer } from '../../api/process.ts';
import { readLeniently, type Lenient } from './answer.ts';

/** A server on this machine accepts in microseconds; through a tunnel it may take a while. */
const CONNECT_TIMEOUT_MS = 3_000;
/** A switch waits for every worker and the disk; the server gives up long before this. */
const ANSWER_TIMEOUT_MS = 30_000;
/** A change takes some ten milliseconds, one that holds requests a minute. */
const STILL_RUNNING_EVERY_MS = 200;
const STILL_RUNNING: ProblemCode = 'idempotency-running';
/** The longest history has 1,000 short lines. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export type Asked<T> =
  | { readonly kind: 'answer'; readonly answer: Lenient<T> }
  /** The server refused or failed; a problem without a code comes from another program. */
  | {
      readonly kind: 'problem';
      readonly status: number;
      readonly problem: Lenient<ProblemAnswer>;
    }
  | NoAnswer;

export type NoAnswer =
  /** Nothing accepts connections there, or its certificate is not trusted: nothing was asked. */
  | { readonly kind: 'no-server'; readonly message: string; readonly hint: string }
  /** The server wants a certificate, or a better one: nothing was done. */
  | { readonly kind: 'not-admitted'; readonly message: string; readonly hint: string }
  /** Asked, but the answer did not come or makes no sense: what it did is not known. */
  | { readonly kind: 'no-answer'; readonly message: string };

export interface Question<T> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With its query. */
  readonly path: string;
  /** Sent as JSON; `undefined` for none. */
  readonly body: unknown;
  /** What the answer is, if it is no problem. */
  readonly answer: z.ZodType<T>;
  /** The change is made only while this is the current generation. */
  readonly ifMatch?: number;
  /** The server is asked to wait for up to this long before it answers. */
  readonly waitMs?: number;
}

/**
 * Asks once; a change whose connection broke before an answer once more, with the same
 * Idempotency-Key, so that it is never made twice. Never throws: what goes wrong is part of the
 * answer.
 */
export async function ask<T>(connection: Connection, question: Question<T>): Promise<Asked<T>> {
  const fields = fieldsOf(connection, question);
  const first = await tryOnce(connection, question, fields);
  if (!('isBroken' in first)) return first;
  // Asking has no effect, so it may be done again as well.
  const second = await untilAnswered(question, async () => tryOnce(connection, question, fields));
  if ('isBroken' in second && connection.tls !== undefined) {
    // Many servers say no to a certificate, or to none, by closing.
    const hint = connection.tls.cert === undefined ? ADMIT_HINT : 'it may not accept --cert';
    return { kind: 'no-answer', message: `${second.message} (${hint})` };
  }
  if (second.kind !== 'no-server') return second;
  // The server has gone between the two: what it did before is not known.
  return { kind: 'no-answer', message: `${first.message}; then ${second.message}` };
}

/** The call whose connection broke may still run: its key then gets the answer a little later. */
async function untilAnswered<T>(
  { waitMs = 0 }: Question<T>,
  again: () => Promise<Tried<T>>,
): Promise<Tried<T>> {
  const deadlineMs = performance.now() + ANSWER_TIMEOUT_MS + waitMs;
  for (;;) {
    const tried = await again();
    const isRunning = tried.kind === 'problem' && tried.problem.code === STILL_RUNNING;
    if (!isRunning || performance.now() >= deadlineMs) return tried;
    await sleep(STILL_RUNNING_EVERY_MS);
  }
}

function fieldsOf(
  { token }: Connection,
  { method, body, ifMatch }: Question<unknown>,
): Record<string, string> {
  return {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(method === 'GET' ? {} : { 'idempotency-key': randomUUID() }),
    ...(ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` }),
    ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
  };
}

/** An outcome; `isBroken`: the connection ended before an answer. */
type Tried<T> = Asked<T> | Broken;
type Broken = Extract<NoAnswer, { kind: 'no-answer' }> & { readonly isBroken: true };

async function tryOnce<T>(
  connection: Connection,
  question: Question<T>,
  headers: Readonly<Record<string, string>>,
): Promise<Tried<T>> {
  const { method, path, body, waitMs = 0 } = question;
  const withinMs = ANSWER_TIMEOUT_MS + waitMs;
  let client: Client | undefined;
  try {
    client = openClient(connection, withinMs, ANSWER_BYTES_MAX);
    const response = await client.request({
      method,
      path,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(withinMs),
    });
    const text = await response.body.text();
    return readAnswer(connection, question, { status: response.statusCode, text });
  } catch (error) {
    return trouble(connection, error, withinMs);
  } finally {
    await client?.destroy();
  }
}

/** Throws where a certificate or key is no such thing. */
export function openClient(
  { address, tls }: Connection,
  withinMs: number,
  bytesMax: number,
): Client {
  const scheme = tls === undefined ? 'http' : 'https';
  const host = address.kind === 'unix' ? 'localhost' : printAddress(address);
  return new Client(`${scheme}://${host}`, {
    connect: {
      timeout: CONNECT_TIMEOUT_MS,
      ...(address.kind === 'unix' ? { socketPath: address.path } : {}),
      ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls?.key === undefined ? {} : { key: tls.key }),
    },
    headersTimeout: withinMs,
    bodyTimeout: withinMs,
    maxResponseSize: bytesMax,
  });
}

/** Returns what an answer means that has come whole. */
export function readAnswer<T>(
  connection: Connection,
  { answer }: Pick<Question<T>, 'answer'>,
  { status, text }: { readonly status: number; readonly text: string },
): Asked<T> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    // Not JSON: some other server has this address.
    const message = `expected the admin API of Turnout at ${printConnection(connection)}, got another server (status ${status})`;
    return { kind: 'no-answer', message };
  }
  if (status >= 200 && status <= 299) {
    return { kind: 'answer', answer: readLeniently(answer, document) };
  }
  return { kind: 'problem', status, problem: readLeniently(problemAnswer, document) };
}

const START_HINT = 'start one with `turnout run`, or name its address with --admin';
const TRUST_HINT = 'name the authority that signed its certificate with --ca FILE';

/** Codes that say that no connection came to be, and what to do about it. */
const NOT_CONNECTED: Readonly<Record<string, string>> = {
  ECONNREFUSED: START_HINT,
  ENOENT: START_HINT,
  ENOTFOUND: START_HINT,
  EAI_AGAIN: START_HINT,
  EHOSTUNREACH: START_HINT,
  ENETUNREACH: START_HINT,
  EACCES: 'its socket belongs to another user: ask as that one',
  EADDRNOTAVAIL: START_HINT,
  ETIMEDOUT: START_HINT,
  ENOTSOCK: START_HINT,
  UND_ERR_CONNECT_TIMEOUT: START_HINT,
  // TLS: the certificate of the server is not one to trust, so nothing was sent.
  DEPTH_ZERO_SELF_SIGNED_CERT: TRUST_HINT,
  SELF_SIGNED_CERT_IN_CHAIN: TRUST_HINT,
  UNABLE_TO_GET_ISSUER_CERT: TRUST_HINT,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: TRUST_HINT,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: TRUST_HINT,
  CERT_SIGNATURE_FAILURE: TRUST_HINT,
  CERT_HAS_EXPIRED: 'renew the certificate of the server',
  CERT_NOT_YET_VALID: 'look at the clocks of both machines',
  ERR_TLS_CERT_ALTNAME_INVALID: 'name the server in --admin as its certificate does',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it speaks plain HTTP there: name it with http://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it speaks plain HTTP there: name it with http://',
};

/** What a server says by a TLS alert when it does not admit a client. */
const NOT_ADMITTED = /^ERR_SSL_.*ALERT.*(?:CERT|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)/;
const ADMIT_HINT = 'it may want a certificate: name one with --cert FILE and --key FILE';

/** What Node makes of a file that is no certificate or no key, before anything is sent. */
const NOT_USABLE = /^ERR_OSSL_|^ERR_CRYPTO_|^ERR_SSL_(?:NO_START_LINE|BAD_|EE_KEY|CA_MD|KEY_)/;

/** Codes that say that a connection ended. */
const BROKEN: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** Returns what it means that no answer came. */
export function trouble(
  connection: Connection,
  error: unknown,
  withinMs: number,
): NoAnswer | Broken {
  const code = codeOf(error);
  const where = printConnection(connection);
  const hint = NOT_CONNECTED[code];
  if (hint !== undefined) {
    return { kind: 'no-server', message: `no server at ${where} (${code})`, hint };
  }
  if (NOT_ADMITTED.test(code)) {
    const message = `${where} does not accept this client (${code})`;
    return { kind: 'not-admitted', message, hint: ADMIT_HINT };
  }
  if (connection.tls !== undefined && NOT_USABLE.test(code)) {
    const hint = 'look at the files of --ca, --cert and --key: they must be PEM and fit together';
    return { kind: 'no-server', message: `no way to ask ${where} (${code})`, hint };
  }
  const isLate =
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    (error instanceof DOMException && error.name === 'TimeoutError');
  const cause = isLate ? `within ${durationText(withinMs)}` : `(${code})`;
  const outcome = { kind: 'no-answer', message: `no answer from ${where} ${cause}` } as const;
  return BROKEN.has(code) ? { ...outcome, isBroken: true } : outcome;
}

/** Trying several addresses of a name fails with one error for each. */
function codeOf(error: unknown): string {
  const one: unknown = error instanceof AggregateError ? error.errors[0] : error;
  // A broken connection is told as such, with what the socket said as its cause.
  if (one instanceof errors.SocketError && one.cause instanceof Error && 'code' in one.cause) {
    return String(one.cause.code);
  }
  return one instanceof Error && 'code' in one ? String(one.code) : 'unexpected answer';
}
