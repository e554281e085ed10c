// One request that Turnout itself makes to a target or to an address of the configuration: on a connection
// of its own, without following redirects, bounded in time by its caller and in size here. Knows nothing
// of what an answer means.

import { request as plainRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Address } from '../../contract/table.ts';
import { unlessCalledOff } from '../base/called-off.ts';
import { usedBy, type TargetConnection } from '../targets/target-connection.ts';

/** Of a body; what comes after it is not read. */
const ANSWER_BYTES_MAX = 65_536;
/** As `upstream.headSize` allows targets by default. */
const HEAD_BYTES_MAX = 65_536;

export interface OwnRequest {
  /** Where to; or what connects to a target. */
  readonly to: Address | (() => TargetConnection);
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Names in lower case, Host among them. */
  readonly fields: Readonly<Record<string, string>>;
  /** Empty: none. */
  readonly body: string;
  /** Undefined: plain HTTP, or what `to` speaks. `ca`: instead of the authorities of the system. */
  readonly tls?: { readonly ca?: string[] };
  /** Where `to` has a name; it may refuse addresses. */
  readonly lookup?: LookupFunction;
}

export interface OwnAnswer {
  readonly status: number;
  /** Names in lower case; what came several times is joined by commas. */
  readonly fields: ReadonlyMap<string, string>;
  /** At most ANSWER_BYTES_MAX. */
  readonly body: Buffer;
  /** It was longer than that. */
  readonly isCut: boolean;
}

/** Resolves with the answer; rejects with what went wrong, or with the reason of `signal`, at once. */
export async function ownRequest(asked: OwnRequest, signal: AbortSignal): Promise<OwnAnswer> {
  signal.throwIfAborted();
  const { to, tls, body } = asked;
  const where = typeof to === 'function' ? to() : to;
  const options: RequestOptions = {
    ...whereTo(where),
    method: asked.method,
    path: asked.path,
    headers: {
      ...asked.fields,
      connection: 'close',
      ...(body === '' ? {} : { 'content-length': Buffer.byteLength(body) }),
    },
    maxHeaderSize: HEAD_BYTES_MAX,
    ...(asked.lookup === undefined ? {} : { lookup: asked.lookup }),
  };
  const running = tls === undefined ? plainRequest(options) : secureRequest({ ...options, ...tls });
  const { promise, resolve, reject } = Promise.withResolvers<OwnAnswer>();
  running.on('error', reject); // also those after the end, which mean nothing
  running.on('response', (response) => {
    read(response).then(resolve, reject);
  });
  // A 101 comes as another event, and nothing else would follow it.
  running.on('upgrade', (response, socket) => {
    socket.destroy();
    resolve(answerOf(response, Buffer.alloc(0), false));
  });
  try {
    running.end(body);
    return await unlessCalledOff(promise, signal);
  } finally {
    running.destroy();
    if ('socket' in where) where.socket.destroy();
  }
}

/** Of its own: a connection that was kept may be dead. */
function whereTo(to: Address | TargetConnection): RequestOptions {
  if ('socket' in to) return usedBy(to);
  if (to.kind === 'unix') return { socketPath: to.path, agent: false };
  return { host: to.host, port: to.port, agent: false };
}

async function read(response: IncomingMessage): Promise<OwnAnswer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > ANSWER_BYTES_MAX) break;
  }
  const bytes = Buffer.concat(chunks).subarray(0, ANSWER_BYTES_MAX);
  return answerOf(response, bytes, length > ANSWER_BYTES_MAX);
}

function answerOf(response: IncomingMessage, body: Buffer, isCut: boolean): OwnAnswer {
  const fields = new Map(
    Object.entries(response.headersDistinct).map(([name, values = []]) => {
      return [name, values.join(', ')] as const;
    }),
  );
  return { status: response.statusCode ?? 0, fields, body, isCut };
}
