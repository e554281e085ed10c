// One question to the admin API over TCP, TLS or a Unix socket, by Node's own client: one connection,
// one answer, within bounded time. Knows no path and no shape of an answer.

import { request as plainRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { durationText } from '../base/duration.ts';
import { TurnoutNoAnswer } from './client-errors.ts';

/** PEM texts. */
export interface TlsOptions {
  /** The authority that signed the certificate of the server. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Where the admin API is. */
export interface ServerAddress {
  readonly isTls: boolean;
  /** What leads there, for Node's client. */
  readonly options: RequestOptions;
  /** As a person writes it. */
  readonly text: string;
}

export interface Sent {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON; undefined: none. */
  readonly body: string | undefined;
  readonly withinMs: number;
  readonly signal: AbortSignal | undefined;
}

export interface Received {
  readonly status: number;
  readonly text: string;
}

/** The longest history has 1,000 short lines. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** A timer of Node that is longer ends at once. */
const WITHIN_MS_MAX = 2 ** 31 - 1;

/** Returns where `address` leads; throws a TypeError for what is no address. */
export function serverAddressOf(address: string, tls: TlsOptions): ServerAddress {
  if (address.startsWith('unix:/')) {
    const socketPath = address.slice('unix:'.length);
    return { isTls: false, options: { socketPath, host: 'localhost' }, text: address };
  }
  const text = /^https?:\/\//i.test(address) ? address : `http://${address}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isAddress = url !== undefined && url.pathname === '/' && url.search === '';
  if (!isAddress) {
    const expected = 'http://host:port, https://host:port, host:port or unix:/path';
    throw new TypeError(`address: expected ${expected}, got ${address}`);
  }
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port);
  return { isTls, options: { host, port, ...(isTls ? tls : {}) }, text };
}

/** Sends a call and returns its answer. Throws TurnoutNoAnswer, or what `signal` was aborted with. */
export async function sendCall(server: ServerAddress, sent: Sent): Promise<Received> {
  const { method, path, headers, body, withinMs, signal } = sent;
  const limit = AbortSignal.timeout(Math.min(withinMs, WITHIN_MS_MAX));
  const both = signal === undefined ? limit : AbortSignal.any([limit, signal]);
  let isConnected = false;
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const ask = server.isTls ? tlsRequest : plainRequest;
      // A connection of its own: one that was kept may have been closed meanwhile.
      const options = { ...server.options, agent: false, method, path, headers, signal: both };
      const request = ask(options, resolve);
      request.once('error', reject);
      request.once('upgrade', ({ statusCode }, socket) => {
        socket.destroy();
        reject(new Error(`status ${statusCode}, which was not asked for`));
      });
      request.once('socket', (socket) => {
        socket.once(server.isTls ? 'secureConnect' : 'connect', () => (isConnected = true));
      });
      request.end(body);
    });
    return { status: response.statusCode ?? 0, text: await textOf(response) };
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    const why = limit.aborted ? `within ${durationText(withinMs)}` : `(${codeOf(error)})`;
    throw new TurnoutNoAnswer(`no answer from ${server.text} ${why}`, isConnected, error);
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`more than ${ANSWER_BYTES_MAX} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Trying several addresses of a name fails with one error for each. */
function codeOf(error: unknown): string {
  const one: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (!(one instanceof Error)) return String(one);
  return 'code' in one ? String(one.code) : one.message;
}
