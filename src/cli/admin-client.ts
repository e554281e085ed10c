// Asks the admin API of a running Turnout, over TCP or a Unix socket, within bounded time.
// Knows how to ask and what can go wrong on the way, not what the answers mean.

import { Client, errors } from 'undici';
import { parseListen, printAddress } from '../config/address.ts';
import { refuse, type Parsed } from '../config/parsed.ts';
import type { ListenAddress } from '../contract/settings.ts';

/** Where `turnout run` listens for commands unless it is told otherwise. */
const ADMIN_DEFAULT = '127.0.0.1:8081';

/** A server on this machine accepts in microseconds; through a tunnel it may take a while. */
const CONNECT_TIMEOUT_MS = 3_000;
/** A switch waits for every worker and the disk; the server gives up long before this. */
const ANSWER_TIMEOUT_MS = 30_000;
/** The longest history has 1,000 short lines. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export type Asked =
  | { readonly kind: 'answer'; readonly status: number; readonly body: unknown }
  /** Nobody accepts connections there: nothing was asked. */
  | { readonly kind: 'no-server'; readonly message: string }
  /** Asked, but the answer did not come or makes no sense: what it did is not known. */
  | { readonly kind: 'no-answer'; readonly message: string };

export interface Question {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** With its query. */
  readonly path: string;
  /** Sent as JSON; `undefined` for none. */
  readonly body: unknown;
}

/** Returns the address that `--admin` or TURNOUT_ADMIN name; `undefined` means the default. */
export function adminAddress(text: string | undefined): Parsed<ListenAddress> {
  const given = text === undefined || text === '' ? ADMIN_DEFAULT : text;
  const bare = given.replace(/^http:\/\//i, '').replace(/\/$/, '');
  const parsed = parseListen(bare, '127.0.0.1');
  return parsed.ok ? parsed : refuse('http://host:port or unix:/path', given);
}

/** Asks once. Never throws: what goes wrong is part of the answer. */
export async function ask(address: ListenAddress, question: Question): Promise<Asked> {
  const socketPath = address.kind === 'unix' ? { socketPath: address.path } : {};
  const origin = address.kind === 'unix' ? 'http://localhost' : `http://${printAddress(address)}`;
  const client = new Client(origin, {
    connect: { timeout: CONNECT_TIMEOUT_MS, ...socketPath },
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
    maxResponseSize: ANSWER_BYTES_MAX,
  });
  try {
    const { method, path, body } = question;
    const isJson = body !== undefined;
    const answer = await client.request({
      method,
      path,
      headers: isJson ? { 'content-type': 'application/json' } : {},
      body: isJson ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    const text = await answer.body.text();
    return readAnswer(address, answer.statusCode, text);
  } catch (error) {
    return trouble(address, error);
  } finally {
    await client.destroy();
  }
}

function readAnswer(address: ListenAddress, status: number, text: string): Asked {
  try {
    return { kind: 'answer', status, body: JSON.parse(text) as unknown };
  } catch {
    // Not JSON: some other server has this address.
    const message = `expected the admin API of Turnout at ${printAddress(address)}, got another server (status ${status})`;
    return { kind: 'no-answer', message };
  }
}

/** Codes that say that no connection came to be. */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EACCES',
  'EADDRNOTAVAIL',
  'ETIMEDOUT',
  'ENOTSOCK',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function trouble(address: ListenAddress, error: unknown): Asked {
  const code = codeOf(error);
  const where = printAddress(address);
  if (NOT_CONNECTED.has(code)) {
    return { kind: 'no-server', message: `no server at ${where} (${code})` };
  }
  const isLate =
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    (error instanceof DOMException && error.name === 'TimeoutError');
  const cause = isLate ? `within ${ANSWER_TIMEOUT_MS / 1_000} s` : `(${code})`;
  return { kind: 'no-answer', message: `no answer from ${where} ${cause}` };
}

/** Trying several addresses of a name fails with one error for each. */
function codeOf(error: unknown): string {
  const one: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return one instanceof Error && 'code' in one ? String(one.code) : 'unexpected answer';
}
